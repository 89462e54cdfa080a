//! Keys of numbers: all four types on one line.
//!
//! A number is written as the greatest double that is not above it; what lies between two doubles (large 64-bit integers,
//! most decimals) follows digit by digit. So a double is exact at once, and everything else compares exactly too.

use bson::Decimal128;

/// The number is the double that was written.
const EXACT: u8 = 0x00;
/// The number lies above the double; its decimal digits follow.
const ABOVE: u8 = 0x01;
/// Added to a decimal exponent to make it positive: exponents lie between -6176 and 6145.
const EXPONENT_BIAS: i32 = 0x4000;
/// Enough digits for every double written out in full.
const LONGEST_FRACTION: usize = 766;
const LARGEST_COEFFICIENT: u128 = 10_u128.pow(34) - 1;

pub(super) fn append_i64(number: i64, out: &mut Vec<u8>) {
    // Rounds to the nearest double, which 64-bit integers above 2^53 may not be.
    let nearest = number as f64;
    if nearest as i128 == i128::from(number) {
        append_double(nearest, out);
        out.push(EXACT);
    } else {
        let below = if nearest as i128 > i128::from(number) { nearest.next_down() } else { nearest };
        append_above(below, &Decimal::from_integer(u128::from(number.unsigned_abs()), 0, number < 0), out);
    }
}

pub(super) fn append_f64(number: f64, out: &mut Vec<u8>) {
    append_double(number, out);
    out.push(EXACT);
}

pub(super) fn append_decimal(number: Decimal128, out: &mut Vec<u8>) {
    let bits = u128::from_le_bytes(number.bytes());
    let negative = bits >> 127 == 1;
    let decimal = match (bits >> 122) & 0b11111 {
        0b11111 => return append_f64(f64::NAN, out),
        0b11110 => return append_f64(if negative { f64::NEG_INFINITY } else { f64::INFINITY }, out),
        // The long form has a coefficient above the largest one allowed: such a number counts as zero.
        combination if combination >> 3 == 0b11 => Decimal::from_integer(0, 0, negative),
        _ => {
            let exponent = ((bits >> 113) & 0x3fff) as i32 - 6176;
            let coefficient = bits & ((1 << 113) - 1);
            let coefficient = if coefficient > LARGEST_COEFFICIENT { 0 } else { coefficient };
            Decimal::from_integer(coefficient, exponent, negative)
        }
    };
    let nearest = decimal.nearest_double();
    match decimal.partial_cmp_double(nearest) {
        std::cmp::Ordering::Equal => append_f64(nearest, out),
        std::cmp::Ordering::Less => append_above(nearest.next_down(), &decimal, out),
        std::cmp::Ordering::Greater => append_above(nearest, &decimal, out),
    }
}

/// Eight bytes in the order of the doubles. NaN is below all numbers, the two zeros are one.
fn append_double(number: f64, out: &mut Vec<u8>) {
    let number = if number == 0.0 { 0.0 } else { number };
    let bits = number.to_bits();
    let ordered = match () {
        () if number.is_nan() => 0,
        () if bits >> 63 == 1 => !bits,
        () => bits | 1 << 63,
    };
    out.extend_from_slice(&ordered.to_be_bytes());
}

fn append_above(below: f64, number: &Decimal, out: &mut Vec<u8>) {
    append_double(below, out);
    out.push(ABOVE);
    let start = out.len();
    // Positive by the bias, and within 16 bits.
    out.extend_from_slice(&((number.point + EXPONENT_BIAS) as u16).to_be_bytes());
    out.extend(number.digits.iter().map(|digit| digit + 1));
    out.push(0);
    if number.negative {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

/// ±0.d₁d₂d₃… × 10^point, without zeros at either end; zero has no digits.
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    point: i32,
}

impl Decimal {
    fn from_integer(coefficient: u128, exponent: i32, negative: bool) -> Self {
        Self::from_digits(coefficient.to_string().bytes(), exponent, negative)
    }

    /// `digits` in ASCII, the last one standing for 10^`exponent`.
    fn from_digits(digits: impl Iterator<Item = u8>, exponent: i32, negative: bool) -> Self {
        let mut digits: Vec<u8> = digits.map(|digit| digit - b'0').skip_while(|digit| *digit == 0).collect();
        // At most 34 digits, or the 767 of a double.
        let point = exponent + digits.len() as i32;
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let point = if digits.is_empty() { 0 } else { point };
        Self { negative, digits, point }
    }

    /// A finite double, written out in full.
    fn from_double(number: f64) -> Self {
        let text = format!("{:.LONGEST_FRACTION$e}", number.abs());
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let fraction = LONGEST_FRACTION as i32;
        Self::from_digits(digits.bytes().filter(u8::is_ascii_digit), exponent - fraction, number < 0.0)
    }

    fn nearest_double(&self) -> f64 {
        let mut text = String::with_capacity(self.digits.len() + 10);
        text.push_str(if self.negative { "-0." } else { "0." });
        text.extend(self.digits.iter().map(|digit| char::from(digit + b'0')));
        text.push_str(&format!("0e{}", self.point));
        // Text of this form is always a number; beyond the range it is an infinity or a zero.
        text.parse().unwrap_or(0.0)
    }

    fn partial_cmp_double(&self, number: f64) -> std::cmp::Ordering {
        if number.is_infinite() {
            return if number > 0.0 { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
        }
        let other = Self::from_double(number);
        let magnitude = (self.point, &self.digits);
        let other_magnitude = (other.point, &other.digits);
        match (self.sign(), other.sign()) {
            (mine, theirs) if mine != theirs => mine.cmp(&theirs),
            (-1, _) => other_magnitude.cmp(&magnitude),
            (0, _) => std::cmp::Ordering::Equal,
            _ => magnitude.cmp(&other_magnitude),
        }
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}
