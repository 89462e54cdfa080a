#![allow(clippy::unwrap_used)]

use std::cmp::Ordering;

use bson::oid::ObjectId;
use bson::{DateTime, Document};
use proptest::prelude::*;

use super::*;
use crate::query::compare;

fn number() -> impl Strategy<Value = Bson> {
    let near_doubles = any::<f64>().prop_map(|double| (double as i64).wrapping_add(1));
    prop_oneof![
        any::<i32>().prop_map(Bson::Int32),
        any::<i64>().prop_map(Bson::Int64),
        near_doubles.prop_map(Bson::Int64),
        ((1_i64 << 53) - 4..(1 << 53) + 9).prop_map(Bson::Int64),
        any::<f64>().prop_map(Bson::Double),
        prop::sample::select(vec![
            0.0,
            -0.0,
            0.1,
            1.0,
            2.5,
            f64::NAN,
            -f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            5e-324,
            f64::MAX
        ])
        .prop_map(Bson::Double),
        ((1_i64 << 53) - 4..(1 << 53) + 9).prop_map(|number| Bson::Double(number as f64)),
        (any::<i64>(), -30..30).prop_map(|(digits, exponent)| decimal(&format!("{digits}E{exponent}"))),
        (-20..20, -3..3).prop_map(|(digits, exponent)| decimal(&format!("{digits}E{exponent}"))),
        prop::sample::select(vec![
            "0",
            "-0",
            "0E+6000",
            "0.1",
            "0.10",
            "NaN",
            "Infinity",
            "-Infinity",
            "1E-6176",
            "-1E-6176",
            "9E+6100",
            "-9E+6100",
            "5E-324",
            "4.940656458412465441765687928682214E-324",
            "1.797693134862315708145274237317044E+308",
            "9007199254740993",
            "-9007199254740993",
            "9223372036854775807",
            "0.1000000000000000055511151231257827",
        ])
        .prop_map(decimal),
        // Not a number anyone writes, but one that can be stored.
        any::<[u8; 16]>().prop_map(|bytes| Bson::Decimal128(bson::Decimal128::from_bytes(bytes))),
    ]
}

fn decimal(text: &str) -> Bson {
    Bson::Decimal128(text.parse().unwrap())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a\u{0}\u{1}\u{2}]{0,4}", any::<String>()]
}

fn value() -> impl Strategy<Value = Bson> {
    let leaf = prop_oneof![
        4 => number(),
        3 => text().prop_map(Bson::String),
        1 => text().prop_map(Bson::Symbol),
        1 => text().prop_map(Bson::JavaScriptCode),
        1 => prop::sample::select(vec![Bson::Null, Bson::Undefined, Bson::MinKey, Bson::MaxKey, true.into(), false.into()]),
        1 => any::<i64>().prop_map(|millis| DateTime::from_millis(millis).into()),
        1 => any::<[u8; 12]>().prop_map(|bytes| ObjectId::from_bytes(bytes).into()),
        1 => (any::<u32>(), any::<u32>())
            .prop_map(|(time, increment)| Bson::Timestamp(bson::Timestamp { time, increment })),
        1 => (0x80_u8.., prop::collection::vec(any::<u8>(), 0..4)).prop_map(|(subtype, bytes)| {
            Bson::Binary(bson::Binary { subtype: subtype.into(), bytes })
        }),
        1 => ("[ab]{0,2}", "[im]{0,1}").prop_map(|(pattern, options)| {
            Bson::RegularExpression(bson::Regex { pattern: pattern.try_into().unwrap(), options: options.try_into().unwrap() })
        }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Bson::Array),
            prop::collection::vec(("[ab]{0,2}", inner), 0..4)
                .prop_map(|fields| Bson::Document(fields.into_iter().collect::<Document>())),
        ]
    })
}

fn key(value: &Bson) -> Vec<u8> {
    let key = of(value).unwrap();
    assert!(!key.is_empty() && key[0] < AFTER);
    key
}

fn check(one: &Bson, other: &Bson) -> Result<(), TestCaseError> {
    let (one_key, other_key) = (key(one), key(other));
    let order = compare(one, other);
    prop_assert_eq!(one_key.cmp(&other_key), order, "{} and {}", one, other);
    if order.is_ne() {
        prop_assert!(!one_key.starts_with(&other_key) && !other_key.starts_with(&one_key), "{} and {}", one, other);
        let inverted = |key: &[u8]| key.iter().map(|byte| !byte).collect::<Vec<_>>();
        prop_assert_eq!(inverted(&one_key).cmp(&inverted(&other_key)), order.reverse());
    }
    let above = after(&one_key);
    prop_assert_eq!(other_key < above, order != Ordering::Less, "{} and {}", one, other);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// FILT-14.
    #[test]
    fn keys_of_numbers_compare_as_the_numbers_do(one in number(), other in number()) {
        check(&one, &other)?;
    }

    /// FILT-14.
    #[test]
    fn keys_compare_as_their_values_do_and_none_begins_another(one in value(), other in value()) {
        check(&one, &other)?;
    }

    #[test]
    fn keys_behind_each_other_compare_as_pairs_do(
        (one, other) in (prop::array::uniform2(value()), prop::array::uniform2(value()))
    ) {
        let keys = |pair: &[Bson; 2]| [key(&pair[0]), key(&pair[1])].concat();
        let order = compare(&one[0], &other[0]).then_with(|| compare(&one[1], &other[1]));
        prop_assert_eq!(keys(&one).cmp(&keys(&other)), order);
    }
}

#[test]
fn equal_numbers_of_all_types_have_one_key() {
    for equal in [Bson::Int64(1), Bson::Double(1.0), decimal("1.00"), decimal("100E-2"), decimal("0.1E+1")] {
        assert_eq!(key(&equal), key(&Bson::Int32(1)), "{equal}");
    }
    let large = 9_007_199_254_740_993;
    assert_eq!(key(&decimal("9007199254740993")), key(&Bson::Int64(large)));
    assert_ne!(key(&Bson::Double(large as f64)), key(&Bson::Int64(large)));
    assert_eq!(key(&Bson::Double(-0.0)), key(&Bson::Int32(0)));
    assert_eq!(key(&Bson::Double(-f64::NAN)), key(&decimal("NaN")));
}

#[test]
fn a_long_key_is_shortened_and_still_compares_with_short_ones() {
    let long = |last: char| {
        let mut key = key(&Bson::String(format!("{}{last}", "m".repeat(100_000))));
        assert!(shorten(&mut key, 0) && key.len() < 1100);
        key
    };
    assert_ne!(long('a'), long('b'));
    assert_eq!(long('a'), long('a'));
    for (less, more) in [("l", "n"), ("", "mn"), ("m", "z"), (&"m".repeat(900), "n")] {
        let (mut less, mut more) = (key(&less.into()), key(&more.into()));
        assert!(!shorten(&mut less, 0) && !shorten(&mut more, 0));
        assert!(less < long('a') && long('a') < more);
    }
}

#[test]
fn a_document_however_deep_has_a_key() {
    let mut deep = bson::RawDocumentBuf::new();
    for _ in 0..20_000 {
        let mut outer = bson::RawDocumentBuf::new();
        outer.append(bson::raw::cstr!("a"), &deep);
        deep = outer;
    }
    let mut key = Vec::new();
    append(RawBsonRef::Document(&deep), &mut key).unwrap();
    assert!(is_long(&key));
}
