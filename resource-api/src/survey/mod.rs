//! What stored documents would break if a domain file came into force: every rule is asked of every document as it is stored.
//!
//! `unique` counts values over all documents first, as no single document shows a duplicate; `relations` asks the store for
//! targets; `report` is what comes out.

mod relations;
mod report;
mod unique;

use std::sync::Arc;

use bson::raw::RawDocumentBuf;
use bson::{Bson, DateTime, Document};
use shared::clock;
use shared::store::StoreError;

pub use report::{Example, Problem, Report, Surveyed};

use crate::domain::validate::{Finding, Lookup, Validation, inspect};
use crate::domain::{Domain, Resource};
use crate::query::Find;
use crate::representation::links::push_text;
use crate::routes::converter::Converter;
use crate::store::DocumentStore;
use crate::transfer::Progress;
use relations::Relations;
use unique::Counted;

/// Documents read at a time.
const PIECE: usize = 1000;

#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    #[error("documents: {0}")]
    Store(#[from] StoreError),
    #[error("a stored document is malformed: {0}")]
    Malformed(#[from] bson::error::Error),
}

/// Looks at every document of every resource. `examples`: how many documents to name for each broken rule.
pub async fn survey(
    domain: &Domain,
    documents: &dyn DocumentStore,
    examples: usize,
    progress: &dyn Progress,
) -> Result<Report, SurveyError> {
    let mut all = 0;
    for resource in domain.resources.values() {
        all += count(documents, resource).await?;
    }
    progress.begin(all);
    let mut report = Report::default();
    let mut done = 0;
    for resource in domain.resources.values() {
        let mut survey = Survey {
            domain,
            resource,
            documents,
            counted: Counted::count(resource, documents).await?,
            relations: Relations::default(),
            item_url: item_url(resource),
            now: DateTime::from_millis(clock::now().saturating_mul(1000)),
        };
        let mut surveyed = Surveyed::new(&resource.key, examples);
        let mut pieces = Pieces::new(documents, resource);
        while let Some(piece) = pieces.next().await? {
            done += piece.len() as u64;
            let filter = resource.datasource.filter.for_operator();
            survey.look(piece.into_iter().filter(|document| filter.matches_raw(document)), &mut surveyed).await?;
            progress.advance(done, done);
        }
        report.resources.push(surveyed);
    }
    Ok(report)
}

/// The documents of a resource's collection, piece by piece; those of its neighbours in the same collection are among them.
struct Pieces<'a> {
    documents: &'a dyn DocumentStore,
    source: &'a str,
    after: Option<Bson>,
}

impl<'a> Pieces<'a> {
    fn new(documents: &'a dyn DocumentStore, resource: &'a Resource) -> Self {
        Self { documents, source: &resource.datasource.source, after: None }
    }

    async fn next(&mut self) -> Result<Option<Vec<RawDocumentBuf>>, SurveyError> {
        let piece = self.documents.scan(self.source, self.after.as_ref(), PIECE).await?;
        let Some(last) = piece.last() else { return Ok(None) };
        self.after = last.get("_id")?.map(Bson::try_from).transpose()?;
        Ok(Some(piece))
    }
}

async fn count(documents: &dyn DocumentStore, resource: &Resource) -> Result<u64, StoreError> {
    let find = Find { limit: Some(0), count: true, ..Find::default() };
    Ok(documents.find(&resource.datasource.source, &find).await?.total.unwrap_or_default())
}

/// What an item's URL must look like, where items have one.
fn item_url(resource: &Resource) -> Option<Converter> {
    Converter::parse(&resource.item_url).ok().filter(|_| resource.item_lookup && !resource.internal)
}

struct Survey<'a> {
    domain: &'a Domain,
    resource: &'a Arc<Resource>,
    documents: &'a dyn DocumentStore,
    counted: Counted,
    relations: Relations,
    item_url: Option<Converter>,
    now: DateTime,
}

impl Survey<'_> {
    async fn look(
        &mut self,
        piece: impl Iterator<Item = RawDocumentBuf>,
        surveyed: &mut Surveyed,
    ) -> Result<(), SurveyError> {
        let mut looked_at = Vec::new();
        for raw in piece {
            let mut document = Document::try_from(&*raw)?;
            let id = document.get("_id").cloned().unwrap_or(Bson::Null);
            let mut findings = self.counted.index_findings(&raw)?;
            findings.extend(self.own_findings(&document));
            let owner = self.resource.auth_field.as_ref().and_then(|field| document.get(field)).cloned();
            self.take_out_own_fields(&mut document);
            let validation = inspect(&document, self.resource, &self.domain.settings, self.now);
            looked_at.push((id, owner, findings, validation));
        }
        let lookups = looked_at.iter().flat_map(|(_, _, _, validation)| validation.lookups());
        self.relations.ask(lookups, self.domain, self.documents).await?;
        for (id, owner, mut findings, validation) in looked_at {
            let failed = self.failed(&validation, owner.as_ref())?;
            findings.extend(validation.findings(&failed));
            surveyed.add(&id, &findings);
        }
        Ok(())
    }

    fn failed(&self, validation: &Validation, owner: Option<&Bson>) -> Result<Vec<bool>, SurveyError> {
        let answers = validation.lookups().iter().map(|lookup| match lookup {
            Lookup::Unique { path, value, within } => self.counted.is_repeated(path, *within, owner, value),
            Lookup::Relation { resource, field, value } => {
                Ok(!self.relations.exists(self.domain, resource, field, value)?)
            }
        });
        Ok(answers.collect::<Result<_, StoreError>>()?)
    }

    /// Fields that no schema has, as the service keeps them itself.
    fn take_out_own_fields(&self, document: &mut Document) {
        let names = &self.domain.settings.names;
        for name in [
            &names.last_updated,
            &names.date_created,
            &names.etag,
            &names.deleted,
            &names.version,
            &names.latest_version,
        ] {
            document.remove(name);
        }
        if self.resource.id_field != "_id" && !self.resource.schema.contains_key("_id") {
            document.remove("_id");
        }
        if let Some(owner) = &self.resource.auth_field
            && !self.resource.schema.contains_key(owner)
        {
            document.remove(owner);
        }
    }

    /// What no rule of the schema says.
    fn own_findings(&self, document: &Document) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(owner) = self.resource.auth_field.as_ref().filter(|owner| !document.contains_key(*owner)) {
            let message = "has no owner, so that nobody sees it".to_owned();
            findings.push(Finding { field: owner.clone(), rule: "auth_field", message });
        }
        let field = &self.resource.item_lookup_field;
        if let (Some(converter), Some(value)) = (&self.item_url, document.get(field)) {
            let mut text = String::new();
            let shown =
                bson::RawBson::try_from(value.clone()).map(|value| push_text(value.as_raw_bson_ref(), &mut text));
            if shown.is_ok() && converter.take(&text).is_none() {
                let message = format!("'{text}' fits no URL: {}", self.resource.item_url);
                findings.push(Finding { field: field.clone(), rule: "item_url", message });
            }
        }
        findings
    }
}
