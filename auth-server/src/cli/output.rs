//! What a command tells, on standard output for scripts and people, and how it fails.

#![allow(clippy::print_stderr, reason = "a command line talks to its user")]

use std::fmt::Display;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;

use serde::Serialize;
use shared::Secret;
use zeroize::Zeroizing;

/// Text that is read without growing, which would leave copies of a secret behind; more may come.
const LARGEST_INPUT: usize = 64 * 1024;

/// Why a command did not do what it was asked to; not an error itself, so that any error becomes one.
#[derive(Debug)]
pub struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// The command can't be meant like this: exit code 2, as the parser of arguments has it.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }

    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// Says why on standard error.
    pub fn tell(self) -> ExitCode {
        if self.code == 0 {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {}", self.message);
        ExitCode::from(self.code)
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let source: &(dyn std::error::Error + 'static) = &error;
        // Whoever reads the output has seen enough of it: `audit export | head`.
        if source.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return Self { message: String::new(), code: 0 };
        }
        Self::new(error.to_string())
    }
}

/// One line on standard output.
pub fn line(text: impl Display) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    writeln!(output, "{text}")?;
    Ok(output.flush()?)
}

/// One value on standard output, as JSON on one line.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string(value)?)
}

/// Columns as wide as their widest value.
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Result<(), Failure> {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default());
    let lines = rows.iter().map(|row| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(value, width)| format!("{value:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    });
    line(lines.collect::<Vec<_>>().join("\n"))
}

/// Names and values of one thing, a line each; what has no value is left out.
pub fn fields(fields: &[(&str, Option<String>)]) -> Result<(), Failure> {
    let told: Vec<(&str, &str)> = fields.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    let width = told.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines: Vec<String> =
        told.iter().map(|(name, value)| format!("{name:width$}  {value}").trim_end().to_owned()).collect();
    line(lines.join("\n"))
}

/// `1 user`, `2 users`.
pub fn number(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// Epoch seconds as people read them, in UTC.
pub fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// All of standard input.
pub fn read_input() -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(LARGEST_INPUT));
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(format!("can't read standard input: {error}")))?;
    Ok(text)
}

/// The first line of standard input.
pub fn read_password() -> Result<Secret, Failure> {
    let typed = read_input()?;
    match typed.lines().next().unwrap_or_default() {
        "" => Err(Failure::new("no password on standard input")),
        password => Ok(Secret::new(password)),
    }
}

/// Whether a person meant it. Asked at a terminal; a script says so beforehand by `--yes`.
pub fn confirm(yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{question} Nobody is there to be asked: say --yes")));
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Failure::new("nothing was done")) }
}

/// An argument that is not repeated, whatever is wrong with it.
#[allow(clippy::unnecessary_wraps, reason = "as the parser of arguments wants it")]
pub fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// Seconds from `90s`, `15m`, `24h`, `7d`.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let span: jiff::Span = text.parse().map_err(|_| "give a number with a unit: 90s, 15m, 24h or 7d".to_owned())?;
    let duration = span
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .map_err(|_| "give days or smaller units: 90s, 15m, 24h or 7d".to_owned())?;
    if duration.is_negative() { Err("must not be negative".to_owned()) } else { Ok(duration.as_secs()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn durations_are_numbers_with_a_unit() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800), ("1h 30m", 5400)]
        {
            assert_eq!(parse_duration(text), Ok(seconds), "{text}");
        }
        for bad in ["", "24", "soon", "-5s", "2 months"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
