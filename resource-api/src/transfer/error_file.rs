//! What an import left out, in a file: a line of JSON each, with number, reason and the line itself.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::import::{ImportError, Refused};

/// What a line of it begins with.
const BEGINNING: &str = "{\"line\":";

pub struct ErrorFile {
    path: PathBuf,
    /// Made when there is something to tell.
    file: Option<File>,
}

impl ErrorFile {
    /// Takes out what an earlier import of the file told of lines behind `line`, which are read anew.
    pub fn open(path: PathBuf, line: u64) -> Result<Self, ImportError> {
        match Self::kept(&path, line) {
            Ok(Some(kept)) => {
                let mut errors = Self { path, file: None };
                if kept.is_empty() {
                    fs::remove_file(&errors.path).map_err(|source| errors.fault(source))?;
                } else {
                    errors.write(kept.concat().as_bytes())?;
                }
                Ok(errors)
            }
            Ok(None) => Err(ImportError::ErrorFile(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { path, file: None }),
            Err(source) => Err(ImportError::File { path, source }),
        }
    }

    /// The lines to keep; `None` if it is another kind of file.
    fn kept(path: &PathBuf, line: u64) -> io::Result<Option<Vec<String>>> {
        let mut kept = Vec::new();
        for text in BufReader::new(File::open(path)?).split(b'\n') {
            let text = String::from_utf8_lossy(&text?).into_owned();
            let Some(rest) = text.strip_prefix(BEGINNING) else { return Ok(None) };
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            // The last line may have been cut off.
            if digits.parse().is_ok_and(|number: u64| number <= line) && text.ends_with('}') {
                kept.push(text + "\n");
            }
        }
        Ok(Some(kept))
    }

    /// What is added is on the disk when this returns: the store forgets it with the next batch.
    pub fn add(&mut self, refused: &[Refused]) -> Result<(), ImportError> {
        if refused.is_empty() {
            return Ok(());
        }
        let mut lines = String::new();
        for Refused { line, reason, text } in refused {
            let mut told = json!({ "line": line, "reason": reason });
            told["text"] = Value::String(String::from_utf8_lossy(text).into_owned());
            lines.push_str(&told.to_string());
            lines.push('\n');
        }
        self.write(lines.as_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ImportError> {
        let written = match &mut self.file {
            Some(file) => file.write_all(bytes).and_then(|()| file.sync_data()),
            None => File::create(&self.path).and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_data()?;
                self.file = Some(file);
                Ok(())
            }),
        };
        written.map_err(|source| self.fault(source))
    }

    fn fault(&self, source: io::Error) -> ImportError {
        ImportError::File { path: self.path.clone(), source }
    }

    /// Where it is, if there was something to tell.
    pub fn close(self) -> Option<PathBuf> {
        self.file.map(|_| self.path)
    }
}
