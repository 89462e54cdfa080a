//! Documents on their way into a resource: checked, completed, stored together or not at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::oid::ObjectId;
use bson::raw::{CStr, RawBson, RawDocumentBuf, cstr};
use bson::{Bson, DateTime, Document};
use shared::clock;
use shared::store::StoreError;

use super::rules::{Questions, Settled, Vacancy, late_duplicate};
use crate::app::App;
use crate::auth::Caller;
use crate::domain::validate::{Circumstances, Issues, Mode, validate};
use crate::domain::{Resource, convert};
use crate::error::ApiError;
use crate::etag::etag;
use crate::store::{Outcome, Write};

/// What the documents of one request may take to be validated.
const LONGEST: Duration = Duration::from_secs(2);

/// Bytes that most documents fit into, so that few grow step by step.
const ROOM: usize = 512;

/// Documents on their way into a resource.
pub struct Insertion<'a> {
    pub app: &'a App,
    pub resource: &'a Resource,
    pub caller: &'a Caller,
    /// Fields that the URL decides.
    pub forced: Document,
    /// Whether a PUT makes the document (see [`Questions::seen_only`]).
    pub by_put: bool,
    /// Values that an index keeps apart are not looked for: the commit tells.
    pub trusting: bool,
}

impl Insertion<'_> {
    /// POST-08: each document with all that [`Insertion::seal`] makes the stored one of, or what is wrong with it.
    pub async fn check(&self, values: Vec<Bson>) -> Result<Vec<Result<Settled, Issues>>, ApiError> {
        let settings = &self.app.domain.settings;
        let now = DateTime::from_millis(clock::now().saturating_mul(1000));
        let convert = |value| {
            // ERR-05.
            convert::document(value, self.resource, settings)
                .map_err(|error| Issues::single("validation exception", &error.to_string()))
        };
        let checked = self.settle(values.into_iter().map(convert).collect(), now, Some(LONGEST)).await?;
        let stamp = |settled: Settled| Settled { document: self.stamp(settled.document, now), ..settled };
        Ok(checked.into_iter().map(|checked| checked.map(stamp)).collect())
    }

    /// Each document in its normal form, or what is wrong with it; what is wrong already stays so. `longest`: how long their
    /// rules may take.
    pub async fn settle(
        &self,
        documents: Vec<Result<Document, Issues>>,
        now: DateTime,
        longest: Option<Duration>,
    ) -> Result<Vec<Result<Settled, Issues>>, ApiError> {
        let circumstances = Circumstances {
            resource: self.resource,
            settings: &self.app.domain.settings,
            mode: Mode::Insert,
            subject: self.caller.token.as_ref().map(|token| token.subject.as_str()),
            now,
        };
        let mut refused = Vec::with_capacity(documents.len());
        let mut validations = Vec::with_capacity(documents.len());
        let start = Instant::now();
        for document in documents {
            // Patterns that backtrack are slow on long texts, and a bulk may have thousands of them.
            if !refused.is_empty() && longest.is_some_and(|longest| start.elapsed() > longest) {
                return Err(StoreError::Deadline.into());
            }
            match document {
                Ok(mut document) => {
                    document.extend(self.forced.clone());
                    validations.push(validate(document, &circumstances));
                    refused.push(None);
                }
                Err(issues) => refused.push(Some(issues)),
            }
        }
        let mut settled = self.questions().settle(validations).await?.into_iter();
        let mut next = || settled.next().unwrap_or_else(|| Err(Issues::default()));
        Ok(refused.into_iter().map(|issues| issues.map_or_else(&mut next, Err)).collect())
    }

    /// Dates and owner (POST-07, URRA-01).
    fn stamp(&self, mut document: Document, now: DateTime) -> Document {
        let names = &self.app.domain.settings.names;
        document.insert(&names.last_updated, now);
        document.insert(&names.date_created, now);
        if let Some(owner) = &self.caller.owner {
            document.insert(&owner.field, owner.value.clone());
        }
        document
    }

    /// The document as it will be stored: with ETag and id (POST-09, ETAG-03).
    pub fn seal(&self, mut document: Document) -> Result<RawDocumentBuf, bson::error::Error> {
        let settings = &self.app.domain.settings;
        if settings.if_match {
            let digest = etag(&document, &self.resource.etag_ignore_fields);
            document.insert(&settings.names.etag, digest);
        }
        let id = document.remove("_id").unwrap_or_else(|| Bson::ObjectId(ObjectId::new()));
        let mut empty = Vec::with_capacity(ROOM);
        empty.extend_from_slice(RawDocumentBuf::new().as_bytes());
        let mut sealed = RawDocumentBuf::from_bytes(empty)?;
        sealed.append(cstr!("_id"), RawBson::try_from(id)?);
        for (name, value) in document {
            sealed.append(<&CStr>::try_from(name.as_str())?, RawBson::try_from(value)?);
        }
        Ok(sealed)
    }

    /// All or nothing (decisions 18), with `more` in the same commit. `vacancies` has a place for each document.
    pub async fn store(
        &self,
        documents: &[Arc<RawDocumentBuf>],
        vacancies: Vec<Vec<Vacancy>>,
        more: Vec<Write>,
    ) -> Result<Stored, ApiError> {
        let source = &self.resource.datasource.source;
        let questions = self.questions();
        let mut writes = Vec::with_capacity(documents.len() + more.len());
        // By write, which document it is about.
        let mut about = Vec::with_capacity(documents.len());
        let mut asked = Vec::new();
        for (number, (document, vacancies)) in documents.iter().zip(vacancies).enumerate() {
            for vacancy in vacancies {
                writes.push(questions.still_vacant(&vacancy));
                asked.push((about.len(), vacancy));
                about.push(number);
            }
            writes.push(Write::Insert { source: source.clone(), document: Arc::clone(document) });
            about.push(number);
        }
        writes.extend(more);
        let (index, field) = match self.app.documents_of(self.caller).commit(writes).await? {
            Outcome::Done(_) => return Ok(Stored::Done),
            Outcome::Conflict { index, .. } if index >= about.len() => return Ok(Stored::Refused),
            Outcome::Conflict { index, field } => (index, field),
            Outcome::Changed { .. } | Outcome::Missing { .. } => {
                return Err(StoreError::Corrupt("an insert was refused for a state it has none of".to_owned()).into());
            }
        };
        if let Some((_, vacancy)) = asked.iter().find(|(write, _)| *write == index) {
            return Ok(Stored::Taken(self.issues_of(about[index], vacancy.issues(), documents.len())));
        }
        let document = Document::try_from(documents[about[index]].as_ref())?;
        match late_duplicate(self.resource, &field, &document) {
            Some(issues) => Err(self.issues_of(about[index], issues, documents.len())),
            None => Err(ApiError::Duplicate(field)),
        }
    }

    /// The writes that fail unless these values are still free.
    pub fn still_vacant(&self, vacancies: &[Vacancy]) -> Vec<Write> {
        vacancies.iter().map(|vacancy| self.questions().still_vacant(vacancy)).collect()
    }

    fn issues_of(&self, number: usize, issues: Issues, documents: usize) -> ApiError {
        let mut all = vec![None; documents];
        all[number] = Some(issues);
        ApiError::NotInserted(all)
    }

    fn questions(&self) -> Questions<'_> {
        Questions {
            app: self.app,
            resource: self.resource,
            caller: self.caller,
            original: None,
            seen_only: self.by_put,
            trusting: self.trusting,
        }
    }
}

/// What became of documents that were all right.
pub enum Stored {
    Done,
    /// Nothing is stored: a value that was free when it was looked for is taken. Another look may tell more than this error.
    Taken(ApiError),
    /// Nothing is stored: one of the further writes was refused.
    Refused,
}
