//! MongoDB's query language: a document → [`Filter`]. What MongoDB refuses is refused here, before any store sees it.

use bson::{Bson, Document};

use super::error::FilterError;
use super::filter::{Choices, Filter, Test};
use super::matching::type_code;
use super::number::Number;
use super::path;
use super::pattern::Pattern;
use super::value::Value;

/// Levels of `$and`, `$elemMatch`, `$not` and the like.
const DEPTH_LIMIT: usize = 64;

/// A length is one of 32 bits to MongoDB.
const MOST_ELEMENTS: i64 = i32::MAX as i64;

/// Operators of MongoDB that need more than one document's own fields; no store answers them.
const UNSUPPORTED: [&str; 15] = [
    "$where",
    "$expr",
    "$text",
    "$search",
    "$language",
    "$caseSensitive",
    "$diacriticSensitive",
    "$jsonSchema",
    "$geoWithin",
    "$geoIntersects",
    "$near",
    "$nearSphere",
    "$geometry",
    "$maxDistance",
    "$minDistance",
];

/// Reads a filter of the operator's own, as `datasource.filter` has it: no operator is forbidden.
pub fn parse_trusted(document: &Document) -> Result<Filter, FilterError> {
    parse(document, 0)
}

fn parse(document: &Document, depth: usize) -> Result<Filter, FilterError> {
    if depth > DEPTH_LIMIT {
        return Err(FilterError::TooDeep);
    }
    let mut filters = Vec::with_capacity(document.len());
    for (key, value) in document {
        match key.as_str() {
            "$and" => filters.push(Filter::And(queries(key, value, depth)?)),
            "$or" => filters.push(Filter::Or(queries(key, value, depth)?)),
            "$nor" => filters.push(Filter::Nor(queries(key, value, depth)?)),
            operator if operator.starts_with('$') => return Err(misplaced(operator)),
            path => field(path, value, depth, &mut filters)?,
        }
    }
    Ok(match filters.len() {
        0 => Filter::All,
        1 => filters.swap_remove(0),
        _ => Filter::And(filters),
    })
}

fn queries(operator: &str, value: &Bson, depth: usize) -> Result<Vec<Filter>, FilterError> {
    let wrong = || operand(operator, "a list of sub-queries");
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(wrong)?;
    list.iter().map(|query| parse(query.as_document().ok_or_else(wrong)?, depth + 1)).collect()
}

fn field(path: &str, value: &Bson, depth: usize, filters: &mut Vec<Filter>) -> Result<(), FilterError> {
    if !path::is_allowed(path) {
        return Err(FilterError::Path(path.to_owned()));
    }
    match value {
        Bson::Document(document) if is_expression(document) => {
            filters.extend(tests(document, depth)?.into_iter().map(|test| Filter::field(path, test)));
        }
        Bson::RegularExpression(regex) => filters.push(Filter::field(path, Test::Regex(pattern(regex)?))),
        value => filters.push(Filter::equal(path, value.clone())),
    }
    Ok(())
}

/// By its first key, as for MongoDB; a reference (`$ref`, `$id`) is a value.
fn is_expression(document: &Document) -> bool {
    document.keys().next().is_some_and(|key| key.starts_with('$') && key != "$ref" && key != "$id")
}

/// The operators that apply to one path.
fn tests(document: &Document, depth: usize) -> Result<Vec<Test>, FilterError> {
    if depth > DEPTH_LIMIT {
        return Err(FilterError::TooDeep);
    }
    let mut tests = Vec::with_capacity(document.len());
    for (operator, value) in document {
        tests.push(match operator.as_str() {
            "$eq" => Test::Eq(value.clone()),
            "$ne" => Test::Ne(comparable(operator, value)?),
            "$gt" => Test::Gt(comparable(operator, value)?),
            "$gte" => Test::Gte(comparable(operator, value)?),
            "$lt" => Test::Lt(comparable(operator, value)?),
            "$lte" => Test::Lte(comparable(operator, value)?),
            "$in" => match choices(operator, value)? {
                (values, patterns) if patterns.is_empty() => Test::In(values),
                (values, patterns) => Test::InPatterns { values, patterns },
            },
            "$nin" => match choices(operator, value)? {
                (values, patterns) if patterns.is_empty() => Test::Nin(values),
                (values, patterns) => Test::Not(vec![Test::InPatterns { values, patterns }]),
            },
            "$exists" => Test::Exists(is_true(value)),
            "$type" => types(value)?,
            "$mod" => modulo(value)?,
            "$regex" => Test::Regex(regex(value, document.get("$options"))?),
            "$options" if document.contains_key("$regex") => continue,
            "$options" => return Err(operand(operator, "a $regex beside it")),
            "$all" => all(value, depth)?,
            "$elemMatch" => element(value, depth)?,
            "$size" => Test::Size(
                integer(value)
                    .filter(|size| (0..=MOST_ELEMENTS).contains(size))
                    .ok_or_else(|| operand(operator, "a whole number from 0"))?,
            ),
            "$bitsAllClear" => Test::BitsAllClear(mask(operator, value)?),
            "$bitsAllSet" => Test::BitsAllSet(mask(operator, value)?),
            "$bitsAnyClear" => Test::BitsAnyClear(mask(operator, value)?),
            "$bitsAnySet" => Test::BitsAnySet(mask(operator, value)?),
            "$not" => match value {
                Bson::RegularExpression(regex) => Test::Not(vec![Test::Regex(pattern(regex)?)]),
                Bson::Document(inner) if !inner.is_empty() => Test::Not(self::tests(inner, depth + 1)?),
                _ => return Err(operand(operator, "an expression")),
            },
            other => return Err(misplaced(other)),
        });
    }
    Ok(tests)
}

fn operand(operator: &str, expected: &'static str) -> FilterError {
    FilterError::Operand { operator: operator.to_owned(), expected }
}

fn misplaced(operator: &str) -> FilterError {
    match UNSUPPORTED.contains(&operator) {
        true => FilterError::Unsupported(operator.to_owned()),
        false => FilterError::Unknown(operator.to_owned()),
    }
}

fn comparable(operator: &str, value: &Bson) -> Result<Bson, FilterError> {
    match value {
        Bson::RegularExpression(_) => Err(operand(operator, "a value, not a regular expression")),
        value => Ok(value.clone()),
    }
}

fn choices(operator: &str, value: &Bson) -> Result<(Choices, Vec<Pattern>), FilterError> {
    let list = value.as_array().ok_or_else(|| operand(operator, "a list"))?;
    let mut values = Vec::with_capacity(list.len());
    let mut patterns = Vec::new();
    for value in list {
        match value {
            Bson::RegularExpression(regex) => patterns.push(pattern(regex)?),
            Bson::Document(inner) if is_expression(inner) => return Err(operand(operator, "plain values")),
            value => values.push(value.clone()),
        }
    }
    Ok((values.into(), patterns))
}

/// MongoDB's truth of `$exists`: numbers but zero, and whatever is not null.
fn is_true(value: &Bson) -> bool {
    match value {
        Bson::Boolean(flag) => *flag,
        Bson::Null | Bson::Undefined => false,
        value => match Value::from(value) {
            Value::Number(number) => number.compare(Number::Int32(0)).is_ne(),
            _ => true,
        },
    }
}

fn types(value: &Bson) -> Result<Test, FilterError> {
    let types = match value {
        Bson::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    let known = |value: &Bson| match value {
        Bson::String(alias) => alias == "number" || type_code(alias).is_some(),
        number => integer(number).is_some_and(|code| matches!(code, -1 | 1..=19 | 127)),
    };
    if types.is_empty() || !types.iter().all(known) {
        return Err(operand("$type", "names or numbers of types"));
    }
    Ok(Test::Type(types))
}

fn modulo(value: &Bson) -> Result<Test, FilterError> {
    let numbers = match value.as_array().map(Vec::as_slice) {
        Some([divisor, remainder]) => truncated(divisor).zip(truncated(remainder)),
        _ => None,
    };
    match numbers {
        Some((divisor, remainder)) if divisor != 0 => Ok(Test::Mod { divisor, remainder }),
        _ => Err(operand("$mod", "a divisor other than 0 and a remainder")),
    }
}

fn truncated(value: &Bson) -> Option<i64> {
    match Value::from(value) {
        Value::Number(number) => number.truncated(),
        _ => None,
    }
}

fn integer(value: &Bson) -> Option<i64> {
    match Value::from(value) {
        Value::Number(number) => number.integer(),
        _ => None,
    }
}

fn pattern(regex: &bson::Regex) -> Result<Pattern, FilterError> {
    Pattern::new(regex.pattern.as_str(), regex.options.as_str()).map_err(FilterError::Regex)
}

fn regex(value: &Bson, options: Option<&Bson>) -> Result<Pattern, FilterError> {
    match (value, options) {
        (Bson::String(written), None) => Pattern::new(written, "").map_err(FilterError::Regex),
        (Bson::String(written), Some(Bson::String(options))) => {
            Pattern::new(written, options).map_err(FilterError::Regex)
        }
        (Bson::RegularExpression(regex), None) => pattern(regex),
        (Bson::RegularExpression(regex), Some(Bson::String(options))) if regex.options.is_empty() => {
            Pattern::new(regex.pattern.as_str(), options).map_err(FilterError::Regex)
        }
        (Bson::String(_) | Bson::RegularExpression(_), Some(_)) => Err(operand("$options", "a string, given once")),
        _ => Err(operand("$regex", "a string")),
    }
}

fn all(value: &Bson, depth: usize) -> Result<Test, FilterError> {
    let wrong = || operand("$all", "a list of values, or of $elemMatch alone");
    let list = value.as_array().ok_or_else(wrong)?;
    let inner = |value: &Bson| value.as_document().filter(|inner| is_expression(inner)).cloned();
    let expressions: Vec<Document> = list.iter().filter_map(inner).collect();
    if expressions.is_empty() {
        let test = |value: &Bson| match value {
            Bson::RegularExpression(regex) => Ok(Test::Regex(pattern(regex)?)),
            value => Ok(Test::Eq(value.clone())),
        };
        return list.iter().map(test).collect::<Result<_, _>>().map(Test::All);
    }
    let elements = expressions.iter().map(|inner| match inner.get("$elemMatch") {
        Some(value) if inner.len() == 1 => element(value, depth + 1),
        _ => Err(wrong()),
    });
    let elements = elements.collect::<Result<Vec<_>, _>>()?;
    if elements.len() == list.len() { Ok(Test::All(elements)) } else { Err(wrong()) }
}

/// Conditions on the element itself if the first key is an operator that needs a path.
fn element(value: &Bson, depth: usize) -> Result<Test, FilterError> {
    let document = value.as_document().ok_or_else(|| operand("$elemMatch", "an object"))?;
    let of_value = is_expression(document)
        && document.keys().next().is_some_and(|first| !["$and", "$or", "$nor"].contains(&first.as_str()));
    if of_value {
        tests(document, depth + 1).map(Test::ElemMatchValue)
    } else {
        parse(document, depth + 1).map(|filter| Test::ElemMatchDocument(Box::new(filter)))
    }
}

/// A mask as a number, as binary data or as a list of positions.
fn mask(operator: &str, value: &Bson) -> Result<u64, FilterError> {
    let mask = match value {
        Bson::Array(positions) => positions.iter().try_fold(0_u64, |mask, position| {
            let position = u32::try_from(integer(position)?).ok()?;
            1_u64.checked_shl(position).map(|bit| mask | bit)
        }),
        Bson::Binary(binary) => {
            let (low, high) = binary.bytes.split_at(binary.bytes.len().min(8));
            let fits = high.iter().all(|byte| *byte == 0);
            fits.then(|| low.iter().rev().fold(0, |mask, byte| mask << 8 | u64::from(*byte)))
        }
        number => integer(number).and_then(|mask| u64::try_from(mask).ok()),
    };
    mask.ok_or_else(|| operand(operator, "a mask or positions from 0 to 63"))
}
