//! What `mongoexport` writes: a document a line, or one array of them with `--jsonArray`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde_json::Value;

use super::{Found, ImportError, Source};

/// Documents of one file.
pub struct JsonLines {
    place: String,
    lines: BufReader<File>,
    number: usize,
    /// The documents of an array, the last first.
    array: Option<Vec<Value>>,
}

impl JsonLines {
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let place = path.display().to_string();
        let fault = |source| ImportError::File { place: place.clone(), source };
        let mut lines = BufReader::new(File::open(path).map_err(fault)?);
        let begins = lines.fill_buf().map_err(fault)?;
        let mut array = None;
        if begins.trim_ascii_start().first() == Some(&b'[') {
            let mut text = String::new();
            lines.read_to_string(&mut text).map_err(fault)?;
            let read: Vec<Value> = serde_json::from_str(&text).map_err(|error| fault(error.into()))?;
            array = Some(read.into_iter().rev().collect());
        }
        Ok(Self { place, lines, number: 0, array })
    }
}

impl Source for JsonLines {
    async fn next(&mut self) -> Result<Option<Found>, ImportError> {
        if let Some(array) = &mut self.array {
            self.number += 1;
            let place = format!("{}, document {}", self.place, self.number);
            return Ok(array.pop().map(|document| Found { place, document: Ok(document) }));
        }
        loop {
            let mut line = Vec::new();
            let fault = |source| ImportError::File { place: self.place.clone(), source };
            if self.lines.read_until(b'\n', &mut line).map_err(fault)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            // Without the text itself: it holds a hash.
            let document = serde_json::from_slice(&line).map_err(|_| "is no JSON document".to_owned());
            return Ok(Some(Found { place: format!("{}, line {}", self.place, self.number), document }));
        }
    }
}
