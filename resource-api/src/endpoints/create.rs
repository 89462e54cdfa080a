//! POST (POST-01 to POST-12) and the other half of PUT (PUT-04).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web;
use bson::oid::ObjectId;
use bson::raw::RawDocumentBuf;
use bson::{Bson, DateTime, Document};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;
use shared::clock;
use shared::store::StoreError;

use super::context::Context;
use super::payload::{self, PayloadError};
use super::reply::Reply;
use super::rules::{Questions, late_duplicate};
use crate::app::App;
use crate::auth::Caller;
use crate::domain::validate::{Circumstances, Issues, Mode, validate};
use crate::domain::{Resource, convert};
use crate::error::ApiError;
use crate::etag::etag;
use crate::representation::document::{Embedded, View};
use crate::representation::json::write_string;
use crate::representation::links::push_text;
use crate::store::{Outcome, Write};

/// What a path of a URL can't hold as it is (RFC 3986, 3.3).
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

pub async fn post(context: &Context<'_>, body: web::Payload) -> Result<HttpResponse, ApiError> {
    let values = match payload::read(context, body).await? {
        Value::Array(values) if values.is_empty() => return Err(PayloadError::EmptyBulk.into()),
        Value::Null => return Err(PayloadError::EmptyBulk.into()),
        Value::Array(values) => values,
        Value::Object(members) => vec![Value::Object(members)],
        _ => return Err(PayloadError::NotADocument.into()),
    };
    if values.len() > 1 && !context.resource.bulk_enabled {
        return Err(PayloadError::BulkNotAllowed.into());
    }
    if values.len() > context.app.limits.bulk {
        return Err(PayloadError::TooMany(context.app.limits.bulk).into());
    }
    create(context, values, None).await
}

/// Stores all of `values` or none and answers with 201. `id` is the id that the URL of a PUT forces.
pub async fn create(context: &Context<'_>, values: Vec<Value>, id: Option<&Bson>) -> Result<HttpResponse, ApiError> {
    let query = context.item_query()?;
    let mut forced = Document::new();
    context.force_parents(&mut forced);
    if let Some(id) = id {
        forced.insert(&context.resource.id_field, id.clone());
    }
    let (app, resource) = (context.app, context.resource);
    let insertion = Insertion { app, resource, caller: &context.caller, forced };
    let checked = insertion.check(values).await?;
    if checked.iter().any(Result::is_err) {
        return Err(ApiError::NotInserted(checked.into_iter().map(Result::err).collect()));
    }
    let documents: Vec<Document> = checked.into_iter().flatten().collect();
    insertion.store(&documents).await?;

    let stored = documents.iter().map(RawDocumentBuf::try_from).collect::<Result<Vec<_>, _>>()?;
    let shape = context.answer_shape(&query);
    let embedded = context.embed_answer(&query, &shape, &stored).await;
    let tail = status_tail(app);
    let view = View::new(&app.domain, resource, &shape, context.path).with_tail(&tail);
    let nothing = Embedded::new();
    let mut out = Vec::with_capacity(256 * stored.len() + 64);
    let single = stored.len() == 1;
    if !single {
        out.push(b'{');
        out.extend_from_slice(&tail[2..]);
        out.extend_from_slice(b", ");
        write_string(&app.domain.settings.names.items, &mut out);
        out.extend_from_slice(b": [");
    }
    for (index, document) in stored.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        view.write(document, embedded.get(index).unwrap_or(&nothing), &mut out)?;
    }
    if !single {
        out.extend_from_slice(b"]}");
    }
    let reply = Reply::new(StatusCode::CREATED).cached(context, false);
    let reply = match stored.first().map(|first| location(context, first)).transpose()? {
        Some(url) => reply.location(&url),
        None => reply,
    };
    Ok(reply.json(app.lay_out(out, false)))
}

/// `, "_status": "OK"`: what the answer to a write has behind the document.
pub fn status_tail(app: &App) -> Vec<u8> {
    let names = &app.domain.settings.names;
    let mut tail = b", ".to_vec();
    write_string(&names.status, &mut tail);
    tail.extend_from_slice(b": ");
    write_string(&names.status_ok, &mut tail);
    tail
}

/// RESP-08: always from the public URL, whatever the request says it is.
fn location(context: &Context<'_>, document: &RawDocumentBuf) -> Result<String, bson::error::Error> {
    let mut path = format!("{}/{}/", context.app.domain.prefix(), context.path);
    if let Some(id) = document.get(&context.resource.id_field)? {
        push_text(id, &mut path);
    }
    Ok(format!("{}{}", context.app.public_url, utf8_percent_encode(&path, PATH)))
}

/// Documents on their way into a resource.
pub struct Insertion<'a> {
    pub app: &'a App,
    pub resource: &'a Resource,
    pub caller: &'a Caller,
    /// Fields that the URL decides.
    pub forced: Document,
}

impl Insertion<'_> {
    /// POST-08: each document as it will be stored, or what is wrong with it.
    async fn check(&self, values: Vec<Value>) -> Result<Vec<Result<Document, Issues>>, ApiError> {
        let settings = &self.app.domain.settings;
        let now = DateTime::from_millis(clock::now().saturating_mul(1000));
        let convert = |value| {
            // ERR-05.
            convert::document(value, self.resource, settings)
                .map_err(|error| Issues::single("validation exception", &error.to_string()))
        };
        let checked = self.validate(values.into_iter().map(convert).collect(), now).await?;
        Ok(checked.into_iter().map(|checked| checked.map(|document| self.complete(document, now))).collect())
    }

    /// Each document in its normal form, or what is wrong with it; what is wrong already stays so.
    pub async fn validate(
        &self,
        documents: Vec<Result<Document, Issues>>,
        now: DateTime,
    ) -> Result<Vec<Result<Document, Issues>>, ApiError> {
        let circumstances = Circumstances {
            resource: self.resource,
            settings: &self.app.domain.settings,
            mode: Mode::Insert,
            subject: self.caller.token.as_ref().map(|token| token.subject.as_str()),
            now,
        };
        let mut refused = Vec::with_capacity(documents.len());
        let mut validations = Vec::with_capacity(documents.len());
        for document in documents {
            match document {
                Ok(mut document) => {
                    document.extend(self.forced.clone());
                    validations.push(validate(document, &circumstances));
                    refused.push(None);
                }
                Err(issues) => refused.push(Some(issues)),
            }
        }
        let questions = Questions { app: self.app, resource: self.resource, caller: self.caller, original: None };
        let mut settled = questions.settle(validations).await?.into_iter();
        let mut next = || settled.next().unwrap_or_else(|| Err(Issues::default()));
        Ok(refused.into_iter().map(|issues| issues.map_or_else(&mut next, Err)).collect())
    }

    /// Dates, owner, ETag and id (POST-07, POST-09, URRA-01, ETAG-03).
    fn complete(&self, mut document: Document, now: DateTime) -> Document {
        let settings = &self.app.domain.settings;
        let names = &settings.names;
        document.insert(&names.last_updated, now);
        document.insert(&names.date_created, now);
        if let Some(owner) = &self.caller.owner {
            document.insert(&owner.field, owner.value.clone());
        }
        if settings.if_match {
            let digest = etag(&document, &self.resource.etag_ignore_fields);
            document.insert(&names.etag, digest);
        }
        let id = document.remove("_id").unwrap_or_else(|| Bson::ObjectId(ObjectId::new()));
        let mut complete = Document::new();
        complete.insert("_id", id);
        complete.extend(document);
        complete
    }

    /// All or nothing (decisions 18).
    async fn store(&self, documents: &[Document]) -> Result<(), ApiError> {
        let Some((index, field)) = self.insert(documents).await? else { return Ok(()) };
        let bad = documents.get(index).and_then(|document| late_duplicate(self.resource, &field, document));
        let Some(issues) = bad else { return Err(ApiError::Duplicate(field)) };
        let mut all = vec![None; documents.len()];
        all[index] = Some(issues);
        Err(ApiError::NotInserted(all))
    }

    /// Stores all or none. Then one is in the way: its index, and the path at which it has what is taken.
    async fn insert(&self, documents: &[Document]) -> Result<Option<(usize, String)>, ApiError> {
        let source = &self.resource.datasource.source;
        let insert = |document: &Document| Write::Insert { source: source.clone(), document: document.clone() };
        match self.app.documents.commit(documents.iter().map(insert).collect()).await? {
            Outcome::Done(_) => Ok(None),
            Outcome::Conflict { index, field } => Ok(Some((index, field))),
            Outcome::Changed { .. } | Outcome::Missing { .. } => {
                Err(StoreError::Corrupt("an insert was refused for a state it has none of".to_owned()).into())
            }
        }
    }
}
