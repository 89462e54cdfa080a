//! Numbers of BSON's four types, compared by their exact value.

use std::cmp::Ordering;
use std::fmt::Write;

use bson::Decimal128;

/// A number as stored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Int32(i32),
    Int64(i64),
    Double(f64),
    Decimal(Decimal128),
}

/// 2^63, the first double that no 64-bit integer holds.
const INTEGER_LIMIT: f64 = 9_223_372_036_854_775_808.0;

impl Number {
    /// NaN is below all numbers and equal to itself; both zeros are equal.
    pub(super) fn compare(self, other: Number) -> Ordering {
        use Number::{Decimal, Double, Int32, Int64};
        match (self, other) {
            (Int32(one), Int32(two)) => one.cmp(&two),
            (Double(one), Double(two)) => compare_doubles(one, two),
            (Double(one), Int32(two)) => compare_doubles(one, f64::from(two)),
            (Int32(one), Double(two)) => compare_doubles(f64::from(one), two),
            (Double(one), Int64(two)) => compare_double_to_integer(one, two),
            (Int64(one), Double(two)) => compare_double_to_integer(two, one).reverse(),
            (Decimal(_), _) | (_, Decimal(_)) => self.exact().compare(&other.exact()),
            (Int64(_) | Int32(_), Int64(_) | Int32(_)) => self.integer().cmp(&other.integer()),
        }
    }

    pub(super) fn is_nan(self) -> bool {
        match self {
            Number::Double(number) => number.is_nan(),
            Number::Decimal(number) => matches!(decode(number), Exact::NaN),
            Number::Int32(_) | Number::Int64(_) => false,
        }
    }

    /// The value without its fraction; `None` if a 64-bit integer can't hold it.
    pub(super) fn truncated(self) -> Option<i64> {
        match self {
            Number::Int32(number) => Some(i64::from(number)),
            Number::Int64(number) => Some(number),
            Number::Double(number) => double_to_integer(number.trunc()),
            Number::Decimal(number) => decode(number).truncated(),
        }
    }

    /// The value if it is whole and a 64-bit integer can hold it.
    pub(super) fn integer(self) -> Option<i64> {
        match self {
            Number::Double(number) if number.trunc() != number => None,
            Number::Decimal(number) => {
                let exact = decode(number);
                let whole = exact.truncated()?;
                (exact.compare(&Number::Int64(whole).exact()).is_eq()).then_some(whole)
            }
            number => number.truncated(),
        }
    }

    fn exact(self) -> Exact {
        match self {
            Number::Int32(number) => Exact::from_integer(i64::from(number)),
            Number::Int64(number) => Exact::from_integer(number),
            Number::Double(number) => match double_to_integer(number) {
                Some(whole) if number.trunc() == number => Exact::from_integer(whole),
                _ if number.is_nan() => Exact::NaN,
                _ if number.is_infinite() => Exact::Infinite { negative: number < 0.0 },
                _ => Exact::Double(number),
            },
            Number::Decimal(number) => decode(number),
        }
    }
}

fn double_to_integer(number: f64) -> Option<i64> {
    // The cast is exact in this range, and NaN fails both comparisons.
    (-INTEGER_LIMIT..INTEGER_LIMIT).contains(&number).then_some(number as i64)
}

fn compare_doubles(one: f64, two: f64) -> Ordering {
    one.partial_cmp(&two).unwrap_or_else(|| two.is_nan().cmp(&one.is_nan()))
}

fn compare_double_to_integer(double: f64, integer: i64) -> Ordering {
    if double.is_nan() || double < -INTEGER_LIMIT {
        return Ordering::Less;
    }
    if double >= INTEGER_LIMIT {
        return Ordering::Greater;
    }
    let whole = double.trunc();
    (whole as i64).cmp(&integer).then_with(|| compare_doubles(double, whole))
}

/// A number in a form that compares without rounding.
#[derive(Clone, Copy, Debug)]
enum Exact {
    NaN,
    Infinite {
        negative: bool,
    },
    /// `coefficient` × 10^`exponent`, at most 34 digits.
    Decimal {
        negative: bool,
        coefficient: u128,
        exponent: i32,
    },
    /// Finite and not a 64-bit integer.
    Double(f64),
}

/// Most significant decimal digits a double can have.
const DOUBLE_DIGITS: usize = 767;

impl Exact {
    fn from_integer(number: i64) -> Self {
        Exact::Decimal { negative: number < 0, coefficient: u128::from(number.unsigned_abs()), exponent: 0 }
    }

    /// -2 NaN, -1 negative, 0 zero, 1 positive.
    fn sign(&self) -> i8 {
        match self {
            Exact::NaN => -2,
            Exact::Decimal { coefficient: 0, .. } => 0,
            Exact::Decimal { negative, .. } | Exact::Infinite { negative } => 1 - 2 * i8::from(*negative),
            Exact::Double(number) => 1 - 2 * i8::from(*number < 0.0),
        }
    }

    fn compare(&self, other: &Exact) -> Ordering {
        self.sign().cmp(&other.sign()).then_with(|| match self.sign() {
            1 => self.compare_magnitude(other),
            -1 => other.compare_magnitude(self),
            _ => Ordering::Equal,
        })
    }

    /// Of two numbers of the same sign, neither zero nor NaN.
    fn compare_magnitude(&self, other: &Exact) -> Ordering {
        match (self, other) {
            (Exact::Infinite { .. }, Exact::Infinite { .. }) => Ordering::Equal,
            (Exact::Infinite { .. }, _) => Ordering::Greater,
            (_, Exact::Infinite { .. }) => Ordering::Less,
            (Exact::Double(one), Exact::Double(two)) => compare_doubles(one.abs(), two.abs()),
            (
                Exact::Decimal { coefficient, exponent, .. },
                Exact::Decimal { coefficient: others, exponent: other_exponent, .. },
            ) => compare_decimals((*coefficient, *exponent), (*others, *other_exponent)),
            (Exact::Decimal { coefficient, exponent, .. }, Exact::Double(double)) => {
                compare_decimal_to_double(*coefficient, *exponent, *double)
            }
            (Exact::Double(double), Exact::Decimal { coefficient, exponent, .. }) => {
                compare_decimal_to_double(*coefficient, *exponent, *double).reverse()
            }
            // Excluded above: NaN has its own sign.
            (Exact::NaN, _) | (_, Exact::NaN) => Ordering::Equal,
        }
    }

    fn truncated(&self) -> Option<i64> {
        let Exact::Decimal { negative, coefficient, exponent } = *self else { return None };
        let magnitude = match u32::try_from(exponent) {
            Ok(_) if coefficient == 0 => 0,
            Ok(exponent) => coefficient.checked_mul(10_u128.checked_pow(exponent)?)?,
            Err(_) => 10_u128.checked_pow(exponent.unsigned_abs()).map_or(0, |divisor| coefficient / divisor),
        };
        let magnitude = i128::try_from(magnitude).ok()?;
        i64::try_from(if negative { -magnitude } else { magnitude }).ok()
    }
}

fn digits(coefficient: u128) -> i32 {
    // At most 39, and the logarithm of zero is never asked for.
    coefficient.checked_ilog10().map_or(1, |log| log as i32 + 1)
}

/// Of positive decimals: first by the place of the leading digit, then digit by digit.
fn compare_decimals((one, one_exponent): (u128, i32), (two, two_exponent): (u128, i32)) -> Ordering {
    let (one_digits, two_digits) = (digits(one), digits(two));
    (one_digits + one_exponent).cmp(&(two_digits + two_exponent)).then_with(|| {
        let scale = |number: u128, by: i32| number * 10_u128.pow(by.max(0).unsigned_abs());
        scale(one, two_digits - one_digits).cmp(&scale(two, one_digits - two_digits))
    })
}

/// Digit by digit on the double's full decimal expansion, written into a buffer on the stack.
fn compare_decimal_to_double(coefficient: u128, exponent: i32, double: f64) -> Ordering {
    let mut decimal = Digits::default();
    let mut expansion = Digits::default();
    // Neither can fail: the buffer has room for every digit of both.
    let _ = write!(decimal, "{coefficient}");
    let _ = write!(expansion, "{:.*e}", DOUBLE_DIGITS - 1, double.abs());
    let leading = digits(coefficient) + exponent - 1;
    leading.cmp(&expansion.exponent()).then_with(|| decimal.significant().cmp(expansion.significant()))
}

/// The digits of a number written to it, without sign and point.
struct Digits {
    bytes: [u8; DOUBLE_DIGITS + 8],
    length: usize,
    /// Where the exponent begins.
    mantissa: Option<usize>,
}

impl Default for Digits {
    fn default() -> Self {
        Self { bytes: [0; DOUBLE_DIGITS + 8], length: 0, mantissa: None }
    }
}

impl Digits {
    /// Without trailing zeros.
    fn significant(&self) -> &[u8] {
        let digits = &self.bytes[..self.mantissa.unwrap_or(self.length)];
        let end = digits.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
        &digits[..end]
    }

    fn exponent(&self) -> i32 {
        let start = self.mantissa.unwrap_or(self.length);
        std::str::from_utf8(&self.bytes[start..self.length]).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for byte in text.bytes() {
            match byte {
                b'.' => {}
                b'e' => self.mantissa = Some(self.length),
                _ => {
                    *self.bytes.get_mut(self.length).ok_or(std::fmt::Error)? = byte;
                    self.length += 1;
                }
            }
        }
        Ok(())
    }
}

/// IEEE 754-2008 decimal128 in its binary integer form, which BSON uses.
fn decode(number: Decimal128) -> Exact {
    let bits = u128::from_le_bytes(number.bytes());
    let negative = bits >> 127 == 1;
    let combination = (bits >> 122) & 0b1_1111;
    match combination {
        0b1_1111 => return Exact::NaN,
        0b1_1110 => return Exact::Infinite { negative },
        _ => {}
    }
    let (biased, coefficient) = if combination >> 3 == 0b11 {
        // A coefficient above 34 digits: the standard reads such as zero.
        ((bits >> 111) & 0x3fff, 0)
    } else {
        ((bits >> 113) & 0x3fff, bits & ((1 << 113) - 1))
    };
    let coefficient = if coefficient < 10_u128.pow(34) { coefficient } else { 0 };
    // 14 bits fit.
    Exact::Decimal { negative, coefficient, exponent: biased as i32 - 6176 }
}
