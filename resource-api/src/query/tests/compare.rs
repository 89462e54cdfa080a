use std::cmp::Ordering;

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Decimal128, Timestamp, bson, doc};

use crate::query::compare;

fn decimal(text: &str) -> Bson {
    Bson::Decimal128(text.parse::<Decimal128>().unwrap())
}

fn binary(subtype: BinarySubtype, bytes: &[u8]) -> Bson {
    Bson::Binary(Binary { subtype, bytes: bytes.to_vec() })
}

fn regex(pattern: &str, options: &str) -> Bson {
    Bson::RegularExpression(bson::Regex { pattern: pattern.try_into().unwrap(), options: options.try_into().unwrap() })
}

/// FILT-14, SORT: MongoDB's order of types, and the order within each.
#[test]
fn every_value_is_less_than_all_that_follow() {
    let ordered = [
        Bson::MinKey,
        Bson::Undefined,
        Bson::Null,
        Bson::Double(f64::NAN),
        Bson::Double(f64::NEG_INFINITY),
        decimal("-1E+400"),
        Bson::Double(f64::MIN),
        Bson::Int64(i64::MIN),
        Bson::Int32(-1),
        Bson::Double(-0.5),
        Bson::Int32(0),
        decimal("1E-400"),
        Bson::Double(5e-324),
        // The double nearest to a tenth is greater than a tenth.
        decimal("0.1"),
        Bson::Double(0.1),
        decimal("0.1000000000000000055511151231257828"),
        Bson::Int32(1),
        decimal("1.000000000000000000000000000000001"),
        Bson::Double(1.5),
        Bson::Double(9_007_199_254_740_992.0),
        Bson::Int64(9_007_199_254_740_993),
        Bson::Int64(i64::MAX),
        Bson::Double(9_223_372_036_854_775_808.0),
        decimal("9223372036854775809"),
        Bson::Double(f64::MAX),
        decimal("1E+400"),
        Bson::Double(f64::INFINITY),
        bson!(""),
        bson!("A"),
        bson!("Aa"),
        bson!("a"),
        bson!("ä"),
        bson!({}),
        bson!({ "a": 1 }),
        bson!({ "a": 1, "b": 1 }),
        bson!({ "b": 0 }),
        // The type of the first value weighs more than its name.
        bson!({ "a": "x" }),
        bson!([]),
        bson!([1]),
        bson!([1, 2]),
        bson!([2]),
        bson!([[]]),
        binary(BinarySubtype::Uuid, &[]),
        binary(BinarySubtype::Generic, &[9]),
        binary(BinarySubtype::Uuid, &[1]),
        binary(BinarySubtype::Generic, &[1, 1]),
        Bson::ObjectId(ObjectId::from_bytes([0; 12])),
        Bson::ObjectId(ObjectId::from_bytes([9; 12])),
        Bson::Boolean(false),
        Bson::Boolean(true),
        Bson::DateTime(DateTime::from_millis(-1)),
        Bson::DateTime(DateTime::from_millis(1)),
        Bson::Timestamp(Timestamp { time: 1, increment: 2 }),
        Bson::Timestamp(Timestamp { time: 2, increment: 1 }),
        regex("a", ""),
        regex("a", "i"),
        regex("b", ""),
        Bson::JavaScriptCode("a".to_owned()),
        Bson::JavaScriptCodeWithScope(bson::JavaScriptCodeWithScope { code: "a".to_owned(), scope: doc! {} }),
        Bson::MaxKey,
    ];
    for (index, one) in ordered.iter().enumerate() {
        assert_eq!(compare(one, one), Ordering::Equal, "{one}");
        for two in &ordered[index + 1..] {
            assert_eq!(compare(one, two), Ordering::Less, "{one:?} {two:?}");
            assert_eq!(compare(two, one), Ordering::Greater, "{two:?} {one:?}");
        }
    }
}

/// FILT-14: numbers of the four types are equal if their values are; a document's order of fields counts.
#[test]
fn equal_values_of_different_types_are_equal() {
    for (one, two) in [
        (Bson::Int32(1), Bson::Int64(1)),
        (Bson::Int32(1), Bson::Double(1.0)),
        (Bson::Double(-0.0), Bson::Int64(0)),
        (Bson::Double(0.5), decimal("0.50")),
        (decimal("1E+2"), Bson::Int32(100)),
        (decimal("0E+10"), decimal("-0")),
        (decimal("NaN"), Bson::Double(f64::NAN)),
        (decimal("-Infinity"), Bson::Double(f64::NEG_INFINITY)),
        (decimal("18446744073709551616"), Bson::Double(18_446_744_073_709_551_616.0)),
        (Bson::Symbol("a".to_owned()), bson!("a")),
        (bson!({ "a": 1 }), Bson::Document(doc! { "a": 1.0 })),
    ] {
        assert_eq!(compare(&one, &two), Ordering::Equal, "{one:?} {two:?}");
    }
    assert_ne!(compare(&bson!({ "a": 1, "b": 1 }), &bson!({ "b": 1, "a": 1 })), Ordering::Equal);
}
