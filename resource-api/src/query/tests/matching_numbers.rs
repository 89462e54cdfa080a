use serde_json::json;

use super::matching::check;

/// FILT-14: whole parts divide as in C.
#[test]
fn modulo() {
    check(
        json!({ "a": { "$mod": [4, 3] } }),
        &[json!({ "a": 7 }), json!({ "a": 7.9 }), json!({ "a": [1, 3] })],
        &[json!({ "a": 8 }), json!({ "a": "7" }), json!({})],
    );
    check(json!({ "a": { "$mod": [4, -3] } }), &[json!({ "a": -7 })], &[json!({ "a": 7 })]);
    check(
        json!({ "a": { "$mod": [-1, 0] } }),
        &[json!({ "a": { "$numberLong": "-9223372036854775808" } })],
        &[json!({ "a": { "$numberDouble": "NaN" } }), json!({ "a": 1e300 })],
    );
}

/// FILT-14: bits of whole numbers, in two's complement, and of binary data.
#[test]
fn bits() {
    let binary = json!({ "a": { "$binary": { "base64": "FAA=", "subType": "00" } } });
    check(
        json!({ "a": { "$bitsAllSet": [2, 4] } }),
        &[json!({ "a": 20 }), json!({ "a": 20.0 }), binary.clone()],
        &[json!({ "a": 4 }), json!({ "a": 20.5 }), json!({ "a": "20" }), json!({})],
    );
    check(json!({ "a": { "$bitsAllClear": 3 } }), &[json!({ "a": 20 }), binary.clone()], &[json!({ "a": 21 })]);
    check(json!({ "a": { "$bitsAnySet": 3 } }), &[json!({ "a": 21 })], &[json!({ "a": 20 }), binary.clone()]);
    check(json!({ "a": { "$bitsAnyClear": [2, 3] } }), &[json!({ "a": 20 }), binary], &[json!({ "a": 12 })]);
    check(json!({ "a": { "$bitsAllSet": [63, 40] } }), &[json!({ "a": -1 })], &[json!({ "a": 1 })]);
    check(
        json!({ "a": { "$bitsAllSet": { "$binary": { "base64": "FA==", "subType": "00" } } } }),
        &[json!({ "a": 20 })],
        &[json!({ "a": 4 })],
    );
}

/// FILT-14, MongoDB's manual on bitwise operators: whole numbers of any type that 64 bits hold, and binary data.
#[test]
fn bits_are_those_of_whole_numbers() {
    let decimal = |text: &str| json!({ "a": { "$numberDecimal": text } });
    let binary = json!({ "a": { "$binary": { "base64": "BQ==", "subType": "00" } } });
    check(
        json!({ "a": { "$bitsAllSet": [0, 2] } }),
        &[json!({ "a": 5 }), json!({ "a": 7.0 }), decimal("5"), decimal("50E-1"), json!({ "a": [1, 5] }), binary],
        &[
            json!({ "a": 4 }),
            json!({ "a": 5.5 }),
            decimal("5.5"),
            decimal("NaN"),
            decimal("1E+30"),
            json!({ "a": "5" }),
        ],
    );
    check(json!({ "a": { "$bitsAnyClear": 5 } }), &[decimal("4"), json!({ "a": 0 })], &[decimal("5"), json!({})]);
}
