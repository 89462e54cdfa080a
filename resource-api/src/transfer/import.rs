//! Documents from a file into a resource: each validated like a POST, or trusted. What is wrong with a line is told, and the
//! rest goes in.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use shared::store::StoreError;
use tokio::sync::mpsc;

use super::Progress;
use super::error_file::ErrorFile;
use super::importer::{Importer, Parsed};
use super::lines::{Line, Lines};
use super::record::Record;
use crate::app::App;
use crate::domain::Resource;
use crate::error::ApiError;
use crate::store::Outcome;

/// Lines in one commit, and bytes of them.
const BATCH: usize = 5000;
const BATCH_BYTES: usize = 8 << 20;
/// Batches read ahead while one is stored.
const AHEAD: usize = 2;
/// Between two commits, for the writes of a service that runs beside.
const GAP: Duration = Duration::from_millis(2);
/// Refused lines that are told on the spot; all are in the error file.
const FIRST: usize = 10;
/// Bytes of a reason; a longer one is cut.
const REASON: usize = 64 << 10;

/// How documents go in.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// As they are, without validation; unique rules hold all the same.
    pub trust: bool,
    /// Once more, though the same file went in whole.
    pub again: bool,
    /// Where refused lines are written; the file's name with `.errors.ndjson` behind it when not given.
    pub errors: Option<PathBuf>,
}

/// How an import went.
#[derive(Debug, Default)]
pub struct Import {
    pub inserted: u64,
    /// How many lines were left out.
    pub left_out: u64,
    /// They, or the first of them where all are in an error file.
    pub refused: Vec<Refused>,
    /// Where all of them are.
    pub errors: Option<PathBuf>,
    /// The line behind which an interrupted import was taken up again.
    pub resumed_behind: Option<u64>,
}

/// A line that was left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    pub line: u64,
    /// A text, or issues by field as in the answer to a POST.
    pub reason: Value,
    pub text: Vec<u8>,
}

impl Refused {
    pub(super) fn new(line: u64, text: Vec<u8>, reason: impl Into<Value>) -> Self {
        let mut refused = Self { line, reason: reason.into(), text };
        let told = refused.told();
        if told.len() > REASON {
            refused.reason = Value::String(format!("{}…", &told[..told.floor_char_boundary(REASON)]));
        }
        refused
    }

    /// The reason in one line.
    pub fn told(&self) -> String {
        match &self.reason {
            Value::String(text) => text.clone(),
            issues => issues.to_string(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("there is no resource {0}")]
    Resource(String),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("behind line {line}: {source}")]
    Read { line: u64, source: io::Error },
    #[error("behind line {line}: {source}")]
    Insert { line: u64, source: ApiError },
    #[error("{} exists and is not the error file of an import: name another with --errors", .0.display())]
    ErrorFile(PathBuf),
    #[error("this file is in already: {inserted} documents, {refused} lines left out. --again imports it once more")]
    Done { inserted: u64, refused: u64 },
    #[error(
        "the file has changed since its import began, which stopped behind line {line}. --again begins anew; what is in stays in"
    )]
    Changed { line: u64 },
    #[error("another import of this file is running")]
    Running,
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Insert { line: 0, source: error.into() }
    }
}

/// Puts the lines of a file into a resource; `-` is standard input. An import that was interrupted goes on where it stopped.
pub async fn import_file(
    app: &App,
    resource: &str,
    file: &Path,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<Import, ImportError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| ImportError::File { path, source }
    };
    let resource = find(app, resource)?;
    let standard_input = file == Path::new("-");
    let (lines, mut record) = if standard_input {
        (Lines::standard_input().map_err(at(file))?, Record::unnamed(&resource.key))
    } else {
        let lines = Lines::open(file).map_err(at(file))?;
        (lines, Record::new(&resource.key, file).map_err(at(file))?.beside(&resource))
    };
    let mut result = Import::default();
    if !standard_input {
        let earlier = record.stored(app.documents.as_ref()).await?.filter(|_| !options.again);
        if let Some(earlier) = earlier.map(|earlier| taken_up(earlier, &record)).transpose()?.flatten() {
            result.resumed_behind = Some(earlier.line);
            record = earlier;
        }
    }
    let errors = match &options.errors {
        Some(path) => path.clone(),
        None if standard_input => PathBuf::from("import.errors.ndjson"),
        None => PathBuf::from(format!("{}.errors.ndjson", file.display())),
    };
    let untold = untold(&record, file).map_err(at(file))?;
    let mut errors = ErrorFile::open(errors, untold.first().map_or(record.line, |first| first.line - 1))?;
    errors.add(&untold)?;
    if !standard_input && result.resumed_behind.is_none() {
        record.store(app.documents.as_ref()).await?;
    }
    progress.begin(if standard_input { 0 } else { std::fs::metadata(file).map_err(at(file))?.len() });

    let importer = Importer::new(app, resource, options.trust, record.clone());
    let (sender, mut batches) = mpsc::channel(AHEAD);
    let parser = Parser { lines, importer: importer.clone(), behind: record.line };
    let reading = std::thread::Builder::new().name("import-reader".to_owned()).spawn(move || parser.run(&sender));
    reading.map_err(at(file))?;
    while let Some(batch) = batches.recv().await {
        let batch = batch.map_err(|source| ImportError::Read { line: record.line, source })?;
        let position = batch.position;
        let stored = importer.store(app, batch, &record, !standard_input, result.resumed_behind.is_some()).await;
        let (after, refused) = stored.map_err(|failure| failure.behind(record.line))?;
        record = after;
        errors.add(&refused)?;
        result.refused.extend(refused.into_iter().take(FIRST.saturating_sub(result.refused.len())));
        progress.advance(position, record.inserted);
        tokio::time::sleep(GAP).await;
    }
    if !standard_input && !record.untold.is_empty() {
        record.untold.clear();
        let Outcome::Done(_) = app.documents.commit(vec![record.behind(record.line)]).await? else {
            return Err(ImportError::Running);
        };
    }
    (result.inserted, result.left_out) = (record.inserted, record.refused);
    result.errors = errors.close();
    Ok(result)
}

/// Puts one JSON document a line into a resource, each validated like a POST. Lines that fail are left out and told.
pub async fn import(
    app: &App,
    resource: &str,
    lines: impl Iterator<Item = io::Result<String>>,
) -> Result<Import, ImportError> {
    let resource = find(app, resource)?;
    let mut record = Record::unnamed(&resource.key);
    let importer = Importer::new(app, resource, false, record.clone());
    let mut result = Import::default();
    let mut lines = lines.enumerate().peekable();
    while lines.peek().is_some() {
        let mut batch = Vec::with_capacity(BATCH);
        for (index, text) in lines.by_ref().take(BATCH) {
            let number = index as u64 + 1;
            let text = text.map_err(|source| ImportError::Read { line: number, source })?;
            batch.push(Line { number, text: Some(text.into_bytes()) });
        }
        let parsed = importer.parse(batch);
        let stored = importer.store(app, parsed, &record, false, false).await;
        let (after, refused) = stored.map_err(|failure| failure.behind(record.line))?;
        record = after;
        result.refused.extend(refused);
    }
    (result.inserted, result.left_out) = (record.inserted, record.refused);
    Ok(result)
}

/// The earlier import of a file to go on with, if there is anything to go on with.
fn taken_up(earlier: Record, new: &Record) -> Result<Option<Record>, ImportError> {
    match (earlier.finished, earlier.is_of_the_same_file(new)) {
        (true, true) if !earlier.untold.is_empty() => Ok(Some(earlier)),
        (true, true) => Err(ImportError::Done { inserted: earlier.inserted, refused: earlier.refused }),
        (true, false) => Ok(None),
        (false, _) if earlier.line == 0 => Ok(None),
        (false, true) => Ok(Some(earlier)),
        (false, false) => Err(ImportError::Changed { line: earlier.line }),
    }
}

/// What the error file may lack of the last batch that is in; the lines themselves are read once more.
fn untold(record: &Record, file: &Path) -> io::Result<Vec<Refused>> {
    let mut untold = Vec::with_capacity(record.untold.len());
    let mut waiting = record.untold.iter().peekable();
    if waiting.peek().is_none() {
        return Ok(untold);
    }
    let mut lines = Lines::open(file)?;
    while let Some((number, reason)) = waiting.peek()
        && let Some(line) = lines.next()?
    {
        if line.number == *number {
            untold.push(Refused::new(line.number, line.text.unwrap_or_default(), reason.clone()));
            waiting.next();
        }
    }
    Ok(untold)
}

fn find(app: &App, resource: &str) -> Result<Arc<Resource>, ImportError> {
    app.domain.resource(resource).cloned().ok_or_else(|| ImportError::Resource(resource.to_owned()))
}

/// Reads and parses on a thread of its own.
struct Parser {
    lines: Lines,
    importer: Importer,
    /// Lines up to this one are done with.
    behind: u64,
}

impl Parser {
    fn run(mut self, batches: &mpsc::Sender<io::Result<Parsed>>) {
        loop {
            let batch = self.next();
            let last = match &batch {
                Ok(parsed) => parsed.finished,
                Err(_) => true,
            };
            // Nobody receives when the import has failed.
            if batches.blocking_send(batch).is_err() || last {
                return;
            }
        }
    }

    fn next(&mut self) -> io::Result<Parsed> {
        let (mut lines, mut bytes, mut finished) = (Vec::with_capacity(BATCH), 0, false);
        while lines.len() < BATCH && bytes < BATCH_BYTES {
            match self.lines.next()? {
                Some(line) if line.number <= self.behind => {}
                Some(line) => {
                    bytes += line.text.as_ref().map_or(0, Vec::len);
                    self.behind = line.number;
                    lines.push(line);
                }
                None => {
                    finished = true;
                    break;
                }
            }
        }
        let mut parsed = self.importer.parse(lines);
        (parsed.last, parsed.position, parsed.finished) = (self.behind, self.lines.position(), finished);
        Ok(parsed)
    }
}
