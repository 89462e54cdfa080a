//! What becomes of the lines of an import, batch by batch.

use std::sync::Arc;

use bson::raw::RawDocumentBuf;
use bson::{Bson, Document};
use serde_json::Value;
use shared::store::StoreError;

use super::extended_json::{self, LineError};
use super::import::{ImportError, Refused};
use super::lines::Line;
use super::record::Record;
use crate::app::App;
use crate::auth::Caller;
use crate::domain::validate::Issues;
use crate::domain::{Resource, Settings, convert};
use crate::endpoints::{Insertion, Settled, Vacancy, late_duplicate};
use crate::error::ApiError;
use crate::etag::etag;
use crate::query::Filter;
use crate::representation::json::JsonStyle;
use crate::store::{Candidate, Each, LeftOut};

/// Lines that were looked at.
pub struct Parsed {
    documents: Vec<Incoming>,
    refused: Vec<Refused>,
    /// The last line's number.
    pub last: u64,
    /// Bytes of the file that are read.
    pub position: u64,
    /// There are no more.
    pub finished: bool,
}

/// A document on its way in.
struct Incoming {
    line: u64,
    text: Vec<u8>,
    document: Document,
    brought: Brought,
}

/// What a document that was stored before brings along, which no client could send.
#[derive(Default)]
struct Brought {
    /// Where `_id` is not the resource's own id.
    id: Option<Bson>,
    created: Option<Bson>,
    updated: Option<Bson>,
    /// With the document it was the ETag of.
    etag: Option<(Bson, Document)>,
}

/// Where a document comes from.
struct Origin {
    line: u64,
    text: Vec<u8>,
    vacancies: Vec<Vacancy>,
}

pub enum Failure {
    Api(ApiError),
    Running,
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Api(error.into())
    }
}

impl Failure {
    pub fn behind(self, line: u64) -> ImportError {
        match self {
            Self::Api(source) => ImportError::Insert { line, source },
            Self::Running => ImportError::Running,
        }
    }
}

#[derive(Clone)]
pub struct Importer {
    resource: Arc<Resource>,
    settings: Arc<Settings>,
    trust: bool,
    /// As it was at the beginning: for ids and dates.
    record: Record,
}

impl Importer {
    pub fn new(app: &App, resource: Arc<Resource>, trust: bool, record: Record) -> Self {
        Self { resource, settings: Arc::new(app.domain.settings.clone()), trust, record }
    }

    pub fn parse(&self, lines: Vec<Line>) -> Parsed {
        let last = lines.last().map_or(0, |line| line.number);
        let mut parsed = Parsed {
            documents: Vec::with_capacity(lines.len()),
            refused: Vec::new(),
            last,
            position: 0,
            finished: false,
        };
        for Line { number, text } in lines {
            let Some(text) = text else {
                parsed.refused.push(Refused::new(number, Vec::new(), "it is longer than any document"));
                continue;
            };
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match self.document(&text, number) {
                Ok((document, brought)) => parsed.documents.push(Incoming { line: number, text, document, brought }),
                Err(reason) => parsed.refused.push(Refused::new(number, text, reason)),
            }
        }
        parsed
    }

    fn document(&self, text: &[u8], line: u64) -> Result<(Document, Brought), String> {
        let mut document = extended_json::parse(text).map_err(|error: LineError| error.to_string())?;
        if matches!(document.get("_id"), Some(Bson::Array(_) | Bson::RegularExpression(_) | Bson::Undefined)) {
            return Err("an _id can't be an array, a regular expression or undefined".to_owned());
        }
        if self.trust {
            return Ok((self.complete(document, Brought::default(), line), Brought::default()));
        }
        let mut brought = Brought::default();
        let names = &self.settings.names;
        if self.resource.id_field != "_id" && !self.resource.schema.contains_key("_id") {
            brought.id = document.remove("_id");
        }
        brought.created = self.date(&mut document, &names.date_created)?;
        brought.updated = self.date(&mut document, &names.last_updated)?;
        let tag = match document.remove(&names.etag) {
            Some(Bson::String(tag)) => Some(Bson::String(tag)),
            Some(_) => return Err(format!("{} is no text", names.etag)),
            None => None,
        };
        let document = convert::typed(document, &self.resource, &self.settings).map_err(|error| error.to_string())?;
        brought.etag = tag.map(|tag| (tag, document.clone()));
        Ok((document, brought))
    }

    fn date(&self, document: &mut Document, name: &str) -> Result<Option<Bson>, String> {
        match document.remove(name) {
            None => Ok(None),
            Some(Bson::DateTime(date)) => Ok(Some(Bson::DateTime(date))),
            Some(Bson::String(text)) => match self.settings.date_format.parse(&text) {
                Some(date) => Ok(Some(Bson::DateTime(date))),
                None => Err(format!("{name} is no date: {text}")),
            },
            Some(_) => Err(format!("{name} is no date")),
        }
    }

    /// What every stored document has: an id, dates and an ETag (POST-07, POST-09, ETAG-03), unless it brings them.
    fn complete(&self, mut document: Document, brought: Brought, line: u64) -> Document {
        let names = &self.settings.names;
        let now = Bson::DateTime(self.record.started);
        for (name, date) in [(&names.last_updated, brought.updated), (&names.date_created, brought.created)] {
            if !document.contains_key(name) {
                document.insert(name, date.unwrap_or_else(|| now.clone()));
            }
        }
        let tag = match brought.etag {
            Some((tag, before)) => {
                let dates = [&names.last_updated, &names.date_created];
                let same = before.len() + dates.len() == document.len()
                    && before.iter().all(|(name, value)| document.get(name) == Some(value));
                Some(tag).filter(|_| same)
            }
            None => None,
        };
        if self.settings.if_match && !document.contains_key(&names.etag) {
            let tag = tag.unwrap_or_else(|| Bson::String(etag(&document, &self.resource.etag_ignore_fields)));
            document.insert(&names.etag, tag);
        }
        if let Some(id) = brought.id {
            document.insert("_id", id);
        }
        if document.keys().next().is_some_and(|first| first == "_id") {
            return document;
        }
        let id = document.remove("_id").unwrap_or_else(|| Bson::ObjectId(self.record.object_id(line)));
        let mut complete = Document::new();
        complete.insert("_id", id);
        complete.extend(document);
        complete
    }

    /// Stores what is good and says what is not; the record as it is after that is in the same commit, if `recorded`.
    pub async fn store(
        &self,
        app: &App,
        batch: Parsed,
        before: &Record,
        recorded: bool,
        resumed: bool,
    ) -> Result<(Record, Vec<Refused>), Failure> {
        let Parsed { documents, mut refused, last, finished, .. } = batch;
        let (candidates, origins) = self.checked(app, documents, &mut refused).await?;
        let early = refused.iter().map(|refused| (refused.line, refused.reason.clone())).collect();
        let account =
            Arc::new(Account { importer: self.clone(), before: before.clone(), origins, early, last, finished });
        let also = {
            let account = Arc::clone(&account);
            let record = move |left: &[LeftOut]| account.after(left).behind(account.before.line);
            Box::new(move |left: &[LeftOut]| if recorded { vec![record(left)] } else { Vec::new() })
        };
        let source = &self.resource.datasource.source;
        let left = match app.documents.insert_each(source, candidates, also).await? {
            Each::Done(left) => left,
            Each::Refused(_) => return Err(Failure::Running),
        };
        let mut record = account.after(&left);
        for left in left {
            let Some(late) = account.refused(&left) else { continue };
            if resumed && left.field == "_id" && self.is_stored(app, &left.document).await? {
                // A store without transactions had kept it of the batch that was interrupted.
                (record.inserted, record.refused) = (record.inserted + 1, record.refused - 1);
                record.untold.retain(|(line, _)| *line != late.line);
                continue;
            }
            refused.push(late);
        }
        refused.sort_by_key(|refused| refused.line);
        Ok((record, refused))
    }

    /// The documents as they are to be stored, and where each comes from.
    async fn checked(
        &self,
        app: &App,
        documents: Vec<Incoming>,
        refused: &mut Vec<Refused>,
    ) -> Result<(Vec<Candidate>, Vec<Origin>), ApiError> {
        if self.trust {
            let trusted = |Incoming { line, text, document, .. }| {
                (Candidate { document, vacancies: Vec::new() }, Origin { line, text, vacancies: Vec::new() })
            };
            return Ok(documents.into_iter().map(trusted).unzip());
        }
        let mut about = Vec::with_capacity(documents.len());
        let mut values = Vec::with_capacity(documents.len());
        for Incoming { line, text, document, brought } in documents {
            about.push((line, text, brought));
            values.push(Ok(document));
        }
        let caller = Caller::default();
        let insertion = Insertion {
            app,
            resource: &self.resource,
            caller: &caller,
            forced: Document::new(),
            by_put: false,
            trusting: false,
        };
        let checked = insertion.settle(values, self.record.started, None).await?;
        let mut good = (Vec::with_capacity(about.len()), Vec::with_capacity(about.len()));
        for (checked, (line, text, brought)) in checked.into_iter().zip(about) {
            match checked {
                Ok(Settled { document, vacancies }) => {
                    let document = self.complete(document, brought, line);
                    good.0.push(Candidate { document, vacancies: insertion.still_vacant(&vacancies) });
                    good.1.push(Origin { line, text, vacancies });
                }
                Err(issues) => refused.push(Refused::new(line, text, self.told(&issues))),
            }
        }
        Ok(good)
    }

    async fn is_stored(&self, app: &App, document: &RawDocumentBuf) -> Result<bool, Failure> {
        let Some(id) = document.get("_id").map_err(ApiError::from)? else { return Ok(false) };
        let id = Bson::try_from(id).map_err(ApiError::from)?;
        let stored = app.documents.get(&self.resource.datasource.source, &id, &Filter::All).await?;
        Ok(stored.is_some_and(|stored| stored == *document))
    }

    fn told(&self, issues: &Issues) -> Value {
        let mut text = Vec::new();
        let style = JsonStyle { dates: &self.settings.date_format };
        style.write_document(&issues.to_document(self.settings.validation_error_as_list), &mut text);
        serde_json::from_slice(&text).unwrap_or(Value::Null)
    }
}

/// What is to be said of a batch when it is stored.
struct Account {
    importer: Importer,
    before: Record,
    /// Of each document that was to be stored.
    origins: Vec<Origin>,
    /// Lines that were refused before, with the reasons.
    early: Vec<(u64, Value)>,
    last: u64,
    finished: bool,
}

impl Account {
    /// The record, where these documents were left out.
    fn after(&self, left: &[LeftOut]) -> Record {
        let mut after = self.before.clone();
        (after.line, after.finished) = (self.last, self.finished);
        after.inserted += (self.origins.len() - left.len()) as u64;
        after.refused += (self.early.len() + left.len()) as u64;
        let late = left.iter().filter_map(|left| self.refused(left)).map(|refused| (refused.line, refused.reason));
        after.untold = self.early.iter().cloned().chain(late).collect();
        after.untold.sort_by_key(|(line, _)| *line);
        after
    }

    fn refused(&self, left: &LeftOut) -> Option<Refused> {
        let origin = self.origins.get(left.index)?;
        let issues = match left.vacancy {
            Some(vacancy) => origin.vacancies.get(vacancy).map(Vacancy::issues),
            None => {
                let document = Document::try_from(left.document.as_ref()).unwrap_or_default();
                late_duplicate(&self.importer.resource, &left.field, &document)
            }
        };
        let reason = match issues {
            Some(issues) => self.importer.told(&issues),
            None => Value::String(ApiError::Duplicate(left.field.clone()).to_string()),
        };
        Some(Refused::new(origin.line, origin.text.clone(), reason))
    }
}
