//! What holds for every input.

use std::sync::LazyLock;

use bson::oid::ObjectId;
use bson::{Bson, DateTime, Decimal128, Document, RawDocumentBuf};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::{encode, plain};
use crate::domain::Domain;
use crate::query::mongo_syntax::parse_trusted;
use crate::query::{Query, compare, python_syntax};

fn scalar() -> BoxedStrategy<Bson> {
    prop_oneof![
        Just(Bson::Null),
        Just(Bson::MinKey),
        Just(Bson::MaxKey),
        any::<bool>().prop_map(Bson::Boolean),
        (-3_i32..4).prop_map(Bson::Int32),
        (-3_i64..4).prop_map(Bson::Int64),
        any::<i64>().prop_map(Bson::Int64),
        (-6_i32..7).prop_map(|halves| Bson::Double(f64::from(halves) / 2.0)),
        any::<f64>().prop_map(Bson::Double),
        Just(Bson::Double(f64::NAN)),
        (any::<[u8; 16]>()).prop_map(|bytes| Bson::Decimal128(Decimal128::from_bytes(bytes))),
        (-40_i32..40, -3_i32..3)
            .prop_map(|(digits, exponent)| { Bson::Decimal128(format!("{digits}E{exponent}").parse().unwrap()) }),
        "[ab]{0,2}".prop_map(Bson::String),
        (0_i64..3).prop_map(|second| Bson::DateTime(DateTime::from_millis(second * 1000))),
        (0_u8..3).prop_map(|byte| Bson::ObjectId(ObjectId::from_bytes([byte; 12]))),
    ]
    .boxed()
}

fn name() -> BoxedStrategy<String> {
    select(vec!["a", "b", "c", "0", "1"]).prop_map(str::to_owned).boxed()
}

fn object(value: BoxedStrategy<Bson>) -> BoxedStrategy<Document> {
    vec((name(), value), 0..4).prop_map(|entries| entries.into_iter().collect()).boxed()
}

fn value() -> BoxedStrategy<Bson> {
    scalar()
        .prop_recursive(3, 24, 4, |inner| {
            prop_oneof![vec(inner.clone(), 0..4).prop_map(Bson::Array), object(inner.boxed()).prop_map(Bson::Document),]
        })
        .boxed()
}

fn path() -> BoxedStrategy<String> {
    vec(name(), 1..4).prop_map(|names| names.join(".")).boxed()
}

/// An expression of operators, most of them well used.
fn expression() -> BoxedStrategy<Document> {
    let numbers = || vec(0_i32..64, 0..3).prop_map(Bson::from);
    let leaf = prop_oneof![
        (select(vec!["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), value()),
        (select(vec!["$in", "$nin", "$all"]), vec(value(), 0..4).prop_map(Bson::Array)),
        (Just("$exists"), any::<bool>().prop_map(Bson::Boolean)),
        (Just("$size"), (0_i32..3).prop_map(Bson::Int32)),
        (Just("$type"), select(vec!["number", "string", "array", "null"]).prop_map(Bson::from)),
        (Just("$mod"), (1_i32..4, 0_i32..3).prop_map(|(divisor, rest)| Bson::from(vec![divisor, rest]))),
        (Just("$regex"), select(vec!["a", "^b", "b?a"]).prop_map(Bson::from)),
        (select(vec!["$bitsAllSet", "$bitsAllClear", "$bitsAnySet", "$bitsAnyClear"]), numbers()),
    ]
    .prop_map(|(operator, operand): (&str, Bson)| Document::from_iter([(operator.to_owned(), operand)]));
    leaf.prop_recursive(2, 8, 2, |inner| {
        prop_oneof![
            (select(vec!["$not", "$elemMatch"]), inner.clone())
                .prop_map(|(operator, inner)| Document::from_iter([(operator.to_owned(), Bson::Document(inner))])),
            (inner.clone(), inner).prop_map(|(mut one, two)| {
                one.extend(two);
                one
            }),
        ]
    })
    .boxed()
}

fn condition() -> BoxedStrategy<Document> {
    let leaf = prop_oneof![
        (path(), value()).prop_map(|(path, value)| Document::from_iter([(path, value)])),
        (path(), expression()).prop_map(|(path, expression)| Document::from_iter([(path, Bson::Document(expression))])),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            (select(vec!["$and", "$or", "$nor"]), vec(inner.clone(), 1..3)).prop_map(|(operator, conditions)| {
                Document::from_iter([(operator.to_owned(), Bson::from(conditions))])
            }),
            (path(), inner).prop_map(|(path, inner)| {
                let element = Document::from_iter([("$elemMatch".to_owned(), Bson::Document(inner))]);
                Document::from_iter([(path, Bson::Document(element))])
            }),
        ]
    })
    .boxed()
}

fn characters() -> BoxedStrategy<String> {
    vec(any::<char>(), 0..40).prop_map(String::from_iter).boxed()
}

/// Text that often comes near to something valid.
fn hostile_text() -> BoxedStrategy<String> {
    let piece = select(vec![
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "\"",
        "'",
        ":",
        ",",
        "\\",
        "\"a\"",
        "$or",
        "\"$gt\":",
        "\"$in\":[",
        "a",
        "age",
        "==",
        "<=",
        " and ",
        " or ",
        "not ",
        "-",
        "1",
        "0.5e+3",
        "1e",
        ".",
        "ObjectId(",
        "datetime(",
        "\u{e9}",
        "\u{1f600}",
        "\0",
        "\\u12",
        "\\x",
        "null",
        "$oid",
        "\n",
        "_",
    ]);
    prop_oneof![
        4 => vec(piece, 0..24).prop_map(|pieces| pieces.concat()),
        1 => characters(),
    ]
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// SORT, FILT-14: the order of values is total.
    #[test]
    fn compare_is_a_total_order(one in value(), two in value(), three in value()) {
        use std::cmp::Ordering;
        prop_assert_eq!(compare(&one, &one), Ordering::Equal);
        prop_assert_eq!(compare(&one, &two), compare(&two, &one).reverse());
        let mut values = [one, two, three];
        values.sort_by(compare);
        let [one, two, three] = values;
        prop_assert!(compare(&one, &two).is_le() && compare(&two, &three).is_le());
        prop_assert!(compare(&one, &three).is_le());
        if compare(&one, &three).is_eq() {
            prop_assert!(compare(&one, &two).is_eq() && compare(&two, &three).is_eq());
        }
    }

    /// FILT-14: a document means the same decoded and raw.
    #[test]
    fn matches_equals_matches_raw(condition in condition(), documents in vec(object(value()), 1..6)) {
        let Ok(filter) = parse_trusted(&condition) else { return Ok(()) };
        for document in documents {
            let raw = RawDocumentBuf::try_from(&document).unwrap();
            prop_assert_eq!(filter.matches(&document), filter.matches_raw(&raw), "{} {}", condition, document);
        }
    }

    /// Most generated conditions are valid, so that the other properties say something; and the native form is faithful.
    #[test]
    fn the_native_form_reads_back(condition in condition(), document in object(value())) {
        let Ok(filter) = parse_trusted(&condition) else { return Ok(()) };
        let again = parse_trusted(&filter.to_document());
        prop_assert!(again.is_ok(), "{} became {}: {:?}", condition, filter.to_document(), again);
        prop_assert_eq!(filter.matches(&document), again.unwrap().matches(&document), "{} {}", condition, document);
    }

    /// FILT-14: bytes that are no document match or not, but break nothing.
    #[test]
    fn malformed_bytes_do_no_harm(
        condition in condition(),
        document in object(value()),
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let Ok(filter) = parse_trusted(&condition) else { return Ok(()) };
        let mut bytes = RawDocumentBuf::try_from(&document).unwrap().into_bytes();
        for (place, byte) in changes {
            // The frame stays, so that the bytes still pass for a document.
            let inner = bytes.len() - 4;
            bytes[4 + place.index(inner)] = byte;
        }
        if let Ok(raw) = bson::RawDocument::from_bytes(&bytes) {
            let _ = filter.matches_raw(raw);
        }
    }

    /// FILT-08: a condition in Python is one or is refused, whatever it is made of.
    #[test]
    fn python_never_panics(text in hostile_text()) {
        let _ = python_syntax::parse(&text);
    }

    /// No query string makes the parser panic, and what it refuses is named.
    #[test]
    fn parse_never_panics(
        texts in vec(hostile_text(), 6),
        query_string in characters(),
        condition in condition(),
    ) {
        static DOMAIN: LazyLock<Domain> = LazyLock::new(plain);
        let domain = &*DOMAIN;
        let resource = &domain.resources["people"];
        let names = ["where", "sort", "projection", "embedded", "page", "max_results"];
        let parameters: Vec<(&str, &str)> = names.into_iter().zip(texts.iter().map(String::as_str)).collect();
        let condition = Value::from(Bson::Document(condition)).to_string();
        let mut query_strings = vec![encode(&parameters), query_string, encode(&[("where", &condition)])];
        query_strings.extend(parameters.iter().map(|parameter| encode(&[*parameter])));
        for query_string in query_strings {
            match Query::parse(domain, resource, &query_string) {
                Ok(query) => _ = query.link_suffix(2),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
