//! The documents of the list rows: real ones from a file, or made ones of the same shape and size.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::Fault;

/// The country whose documents the list rows ask for.
pub const COUNTRY: &str = "MK";
/// How many of them there are, in the small collection as in the large one.
pub const MATCHES: usize = 200;
const FEW: usize = 10_000;
const ALL: usize = 135_233;
const MILLION: usize = 1_000_000;

/// Documents as JSON texts.
pub struct Cities {
    wanted: Vec<String>,
    others: Vec<String>,
}

impl Cities {
    /// One JSON document a line; exactly 200 must be of the country asked for.
    pub fn read(file: &Path) -> Result<Self, Fault> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let (mut wanted, mut others) = (Vec::new(), Vec::new());
        for (number, line) in text.lines().enumerate() {
            let document: Value =
                serde_json::from_str(line).map_err(|error| format!("{}:{}: {error}", file.display(), number + 1))?;
            if !line.starts_with("{\"geonameid\":") {
                return Err(format!("{}:{}: its number must come first", file.display(), number + 1).into());
            }
            let part = if document["country"] == COUNTRY { &mut wanted } else { &mut others };
            part.push(line.to_owned());
        }
        if wanted.len() != MATCHES || others.len() < FEW {
            let found = (wanted.len(), others.len());
            return Err(format!(
                "{}: {MATCHES} documents of {COUNTRY} and {FEW} others are needed, found {found:?}",
                file.display()
            )
            .into());
        }
        Ok(Self { wanted, others })
    }

    pub fn made() -> Self {
        Self::numbered(ALL)
    }

    fn numbered(count: usize) -> Self {
        let document = |number: usize, country: &str| {
            let (longitude, latitude) =
                ((number % 36_000) as f64 / 100.0 - 180.0, (number % 17_000) as f64 / 100.0 - 85.0);
            let document = json!({
                "geonameid": number + 1,
                "name": format!("Place {number} upon Water"),
                "country": country,
                "admin1": format!("{:02}", number % 90),
                "feature": "PPL",
                "population": number * 37 % 90_000,
                "location": { "type": "Point", "coordinates": [longitude, latitude] },
            });
            document.to_string()
        };
        let countries: Vec<String> = (b'A'..=b'L')
            .flat_map(|first| (b'A'..=b'Z').map(move |second| format!("{}{}", first as char, second as char)))
            .collect();
        let wanted = (0..MATCHES).map(|number| document(number, COUNTRY));
        let others = (MATCHES..count).map(|number| document(number, &countries[number % countries.len()]));
        Self { wanted: wanted.collect(), others: others.collect() }
    }

    pub fn write_few(&self, out: &mut dyn Write) -> io::Result<()> {
        self.mixed(FEW).into_iter().try_for_each(|text| writeln!(out, "{text}"))
    }

    pub fn write_all(&self, out: &mut dyn Write) -> io::Result<()> {
        self.mixed(self.wanted.len() + self.others.len()).into_iter().try_for_each(|text| writeln!(out, "{text}"))
    }

    /// The others again and again under new numbers, the wanted ones evenly among them.
    pub fn write_million(&self, out: &mut dyn Write) -> io::Result<()> {
        let gap = MILLION / self.wanted.len();
        for number in 0..MILLION {
            if number.is_multiple_of(gap) {
                writeln!(out, "{}", self.wanted[number / gap])?;
                continue;
            }
            let text = &self.others[number % self.others.len()];
            let rest = text.split_once(',').map_or("", |(_, rest)| rest);
            writeln!(out, "{{\"geonameid\":{},{rest}", 100_000_000 + number)?;
        }
        Ok(())
    }

    /// Each country that a document names.
    pub fn write_countries(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut codes = BTreeSet::from([COUNTRY.to_owned()]);
        for text in &self.others {
            let code = text.split_once("\"country\":\"").and_then(|(_, rest)| rest.get(..2));
            codes.extend(code.map(str::to_owned));
        }
        for (number, iso) in codes.into_iter().enumerate() {
            let country = json!({ "iso": iso, "name": format!("The country {iso}"), "population": number * 10_007, "languages": ["en", "de"] });
            writeln!(out, "{country}")?;
        }
        Ok(())
    }

    /// The wanted ones evenly among the first of the others: they must not lie side by side in the store.
    fn mixed(&self, count: usize) -> Vec<&str> {
        let gap = count / self.wanted.len();
        let (mut wanted, mut others) = (self.wanted.iter(), self.others.iter());
        let pick =
            |at: usize| if at.is_multiple_of(gap) { wanted.next().or_else(|| others.next()) } else { others.next() };
        (0..count).filter_map(pick).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_collections_hold_the_same_200_matches() {
        let cities = Cities::numbered(2 * FEW);
        let written = |write: &dyn Fn(&mut dyn Write) -> io::Result<()>| {
            let mut out = Vec::new();
            write(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let few = written(&|out| cities.write_few(out));
        let all = written(&|out| cities.write_all(out));
        let matches = |text: &str| {
            let wanted = format!("\"country\":\"{COUNTRY}\"");
            text.lines().filter(|text| text.contains(&wanted)).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!((few.lines().count(), all.lines().count()), (FEW, 2 * FEW));
        assert_eq!(matches(&few), matches(&all));
        assert_eq!(matches(&few).len(), MATCHES);
    }
}
