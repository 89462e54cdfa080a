//! What comes behind a place in an order, as a query that an index can serve. MongoDB compares within a type and looks at each
//! element of an array, but sorts across types and by one element: so the query may let more through, never less.

use bson::{Bson, Document, doc};

use crate::query::{Direction, Sort};

/// The types by number, as they sort; those in one list sort by their values.
const TYPES: [&[i32]; 17] = [
    &[-1],
    &[6],
    &[10],
    &[1, 16, 18, 19],
    &[2, 14],
    &[3],
    &[4],
    &[5],
    &[7],
    &[8],
    &[9],
    &[17],
    &[11],
    &[12],
    &[13],
    &[15],
    &[127],
];
const NULL: usize = 2;
const NUMBERS: usize = 3;
const STRINGS: usize = 4;
const ARRAYS: usize = 6;

/// `None`: anything may come behind it.
pub(super) fn beyond(order: &Sort, place: &[Bson]) -> Option<Document> {
    let mut ways = Vec::new();
    for (index, ((path, direction), value)) in order.iter().zip(place).enumerate() {
        let equal = order.iter().zip(place).take(index).filter_map(|((path, _), value)| equal(path, value));
        let all: Vec<Document> = equal.chain(after(path, value, *direction)).collect();
        if all.is_empty() {
            return None;
        }
        ways.push(doc! { "$and": all });
    }
    (!ways.is_empty()).then(|| doc! { "$or": ways })
}

fn rank(value: &Bson) -> usize {
    let number = value.element_type() as u8 as i8;
    TYPES.iter().position(|types| types.contains(&i32::from(number))).unwrap_or(NULL)
}

/// Whether queries compare with such a value as the sort does.
fn is_comparable(value: &Bson) -> bool {
    matches!(
        value,
        Bson::Double(_)
            | Bson::Int32(_)
            | Bson::Int64(_)
            | Bson::Decimal128(_)
            | Bson::String(_)
            | Bson::ObjectId(_)
            | Bson::Boolean(_)
            | Bson::DateTime(_)
            | Bson::Binary(_)
            | Bson::Timestamp(_)
    ) && !is_nan(value)
}

fn is_nan(value: &Bson) -> bool {
    match value {
        Bson::Double(number) => number.is_nan(),
        Bson::Decimal128(number) => number.to_string().contains("NaN"),
        _ => false,
    }
}

/// What is missing within arrays sorts as null, but is not found as null everywhere: no condition.
fn equal(path: &str, value: &Bson) -> Option<Document> {
    is_comparable(value).then(|| doc! { path: { "$eq": value } })
}

fn after(path: &str, value: &Bson, direction: Direction) -> Option<Document> {
    let rank = rank(value);
    if rank == ARRAYS || (direction == Direction::Ascending && rank <= NULL) {
        return None;
    }
    let mut ways = Vec::new();
    let own = usize::from(is_comparable(value));
    let types = |ranks: &[&[i32]]| ranks.iter().flat_map(|types| types.iter().copied()).collect::<Vec<i32>>();
    let others = match direction {
        Direction::Ascending => {
            if own == 1 {
                ways.push(doc! { path: { "$gt": value } });
            }
            types(&TYPES[rank + own..])
        }
        Direction::Descending => {
            if own == 1 {
                ways.push(doc! { path: { "$lt": value } });
            }
            ways.push(doc! { path: null_value() });
            ways.push(doc! { path: { "$exists": false } });
            ways.push(doc! { path: { "$eq": Bson::Array(Vec::new()) } });
            if rank == NUMBERS {
                ways.push(doc! { path: { "$eq": f64::NAN } });
            }
            types(&TYPES[..rank + 1 - own])
        }
    };
    if rank == STRINGS {
        // Symbols, which nobody writes any more.
        ways.push(doc! { path: { "$type": [14] } });
    }
    if !others.is_empty() {
        ways.push(doc! { path: { "$type": others } });
    }
    Some(doc! { "$or": ways })
}

fn null_value() -> Bson {
    doc! { "$eq": Bson::Null }.into()
}
