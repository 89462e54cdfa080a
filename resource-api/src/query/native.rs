//! A filter as MongoDB itself writes it: for that backend, and to be read by people.

use bson::{Bson, Document, doc};

use super::filter::{Filter, Test};
use super::pattern::Pattern;

impl Filter {
    /// The query document that means the same to MongoDB. Tests that share a path within `$not` or `$elemMatch` must differ
    /// in their operator, as those of both `where` languages do.
    pub fn to_document(&self) -> Document {
        match self {
            Filter::All => Document::new(),
            // MongoDB takes no empty lists.
            Filter::And(filters) | Filter::Nor(filters) if filters.is_empty() => Document::new(),
            Filter::Or(filters) if filters.is_empty() => doc! { "$nor": [{}] },
            Filter::And(filters) => doc! { "$and": documents(filters) },
            Filter::Or(filters) => doc! { "$or": documents(filters) },
            Filter::Nor(filters) => doc! { "$nor": documents(filters) },
            Filter::Field { path, test } => {
                let mut document = Document::new();
                document.insert(path, expression(std::slice::from_ref(test)));
                document
            }
        }
    }
}

fn documents(filters: &[Filter]) -> Vec<Document> {
    filters.iter().map(Filter::to_document).collect()
}

fn expression(tests: &[Test]) -> Document {
    let mut document = Document::new();
    for test in tests {
        write(test, &mut document);
    }
    document
}

fn write(test: &Test, document: &mut Document) {
    let (operator, value): (&str, Bson) = match test {
        Test::Eq(value) => ("$eq", value.clone()),
        Test::Ne(value) => ("$ne", value.clone()),
        Test::Gt(value) => ("$gt", value.clone()),
        Test::Gte(value) => ("$gte", value.clone()),
        Test::Lt(value) => ("$lt", value.clone()),
        Test::Lte(value) => ("$lte", value.clone()),
        Test::In(values) => ("$in", values.to_vec().into()),
        Test::Nin(values) => ("$nin", values.to_vec().into()),
        Test::Exists(wanted) => ("$exists", (*wanted).into()),
        Test::Type(types) => ("$type", types.clone().into()),
        Test::Mod { divisor, remainder } => ("$mod", vec![Bson::Int64(*divisor), Bson::Int64(*remainder)].into()),
        Test::Regex(pattern) => {
            document.insert("$regex", pattern.pattern());
            ("$options", pattern.options().into())
        }
        Test::InPatterns { values, patterns } => ("$in", choices(values, patterns)),
        Test::All(tests) => ("$all", tests.iter().map(element).collect::<Vec<_>>().into()),
        Test::ElemMatchDocument(filter) => ("$elemMatch", filter.to_document().into()),
        Test::ElemMatchValue(tests) => ("$elemMatch", expression(tests).into()),
        Test::Size(size) => ("$size", (*size).into()),
        Test::BitsAllClear(mask) => ("$bitsAllClear", positions(*mask)),
        Test::BitsAllSet(mask) => ("$bitsAllSet", positions(*mask)),
        Test::BitsAnyClear(mask) => ("$bitsAnyClear", positions(*mask)),
        Test::BitsAnySet(mask) => ("$bitsAnySet", positions(*mask)),
        Test::Not(tests) => match tests.as_slice() {
            [Test::InPatterns { values, patterns }] => ("$nin", choices(values, patterns)),
            tests => ("$not", expression(tests).into()),
        },
    };
    document.insert(operator, value);
}

/// Within `$all`, equality is the bare value.
fn element(test: &Test) -> Bson {
    match test {
        Test::Eq(value) => value.clone(),
        Test::Regex(pattern) => regular_expression(pattern),
        other => expression(std::slice::from_ref(other)).into(),
    }
}

fn choices(values: &[Bson], patterns: &[Pattern]) -> Bson {
    values.iter().cloned().chain(patterns.iter().map(regular_expression)).collect::<Vec<_>>().into()
}

fn regular_expression(pattern: &Pattern) -> Bson {
    match (pattern.pattern().try_into(), pattern.options().try_into()) {
        (Ok(pattern), Ok(options)) => Bson::RegularExpression(bson::Regex { pattern, options }),
        // A pattern has no null bytes: `Pattern::new` refuses them.
        _ => Bson::Null,
    }
}

fn positions(mask: u64) -> Bson {
    (0..64).filter(|bit| mask >> bit & 1 == 1).map(Bson::Int32).collect::<Vec<_>>().into()
}
