//! PATCH, PUT and DELETE of one document. The order of refusals is that of REQ-03; races are decided by the store, which
//! writes only what still has the ETag that was read here (ETAG-10).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web;
use bson::raw::RawDocumentBuf;
use bson::{Bson, DateTime, Document};
use shared::clock;

use super::context::Context;
use super::create::{create, status_tail};
use super::payload::{self, PayloadError};
use super::reply::Reply;
use super::rules::{Questions, Settled, Vacancy, late_duplicate};
use crate::domain::validate::{Circumstances, Issues, Mode, validate};
use crate::domain::{Event, convert};
use crate::error::ApiError;
use crate::etag::etag;
use crate::hooks::typed;
use crate::preconditions::{Conditions, PreconditionError};
use crate::query::{Fields, Filter, Query};
use crate::representation::document::{View, default_dates};
use crate::store::{Guard, Outcome, Write};

/// Merges what was sent into the stored document (PATCH-01 to PATCH-13).
pub async fn patch(context: &Context<'_>, body: web::Payload) -> Result<HttpResponse, ApiError> {
    let sent = payload::read(context, body).await?;
    let filter = context.own(context.domain_filter()?)?;
    let original = context.find(&filter).await?.ok_or(ApiError::Missing)?;
    let original = Document::try_from(original)?;
    permit_edit(context, &original)?;
    let query = context.answer_query()?;
    // Whoever loses a race for a value has another look at what there is now.
    let again = context.app.plain(context.resource).vacancies.then(|| sent.clone());
    match (patch_once(context, &query, &original, filter.clone(), sent).await?, again) {
        (Err(_), Some(sent)) => patch_once(context, &query, &original, filter, sent).await?,
        (done, _) => done,
    }
}

/// The inner error: what was free is taken by now.
async fn patch_once(
    context: &Context<'_>,
    query: &Query,
    original: &Document,
    filter: Filter,
    sent: Bson,
) -> Result<Result<HttpResponse, ApiError>, ApiError> {
    let now = DateTime::from_millis(clock::now().saturating_mul(1000));
    let Settled { document: mut sent, vacancies } = validated(context, sent, Mode::Update { original }, now).await?;
    keep_id(context, &mut sent, original)?;
    // URRA-04: nobody gives his documents away.
    if let Some(owner) = &context.caller.owner
        && sent.contains_key(&owner.field)
    {
        sent.insert(&owner.field, owner.value.clone());
    }
    let resource = context.resource;
    let settings = &context.app.domain.settings;
    let names = &settings.names;
    sent.insert(&names.last_updated, now);
    if let Some(listeners) = context.listeners(Event::Update) {
        sent = listeners.change("updates", sent, original, names, &resource.id_field).await?;
        if !sent.contains_key(&names.last_updated) {
            sent.insert(&names.last_updated, now);
        }
    }
    let mut changes = Document::new();
    for (field, value) in sent {
        let stored = original.get(&field).filter(|_| resource.merge_nested_documents);
        changes.insert(field, merge(stored, value));
    }
    // What the projection hides is neither hashed nor shown, unless it was sent.
    let mut merged = original.clone();
    Fields::of(resource, settings).apply(&mut merged);
    default_dates(&mut merged, names);
    merged.extend(changes.clone());
    if settings.if_match {
        // ETAG-03: with the previous ETag.
        let digest = etag(&merged, &resource.etag_ignore_fields);
        changes.insert(&names.etag, digest.clone());
        merged.insert(&names.etag, digest);
    }
    let mut updated = original.clone();
    updated.extend(changes.clone());
    let guard = guard(context, original, filter)?;
    let listeners = context.listeners(Event::Updated);
    let told = listeners.as_ref().map(|_| typed(&changes));
    let write = Write::Set { source: context.source().to_owned(), guard, fields: changes };
    if let Err(refused) = commit(context, write, vacancies, original, &updated).await? {
        return Ok(Err(refused));
    }
    if let (Some(listeners), Some(told)) = (listeners, told) {
        listeners.tell(&[("updates", told), ("original", typed(original))]);
    }
    Ok(Ok(answer(context, query, &merged, false).await?))
}

/// Replaces the document, or creates it (PUT-01 to PUT-09).
pub async fn put(context: &Context<'_>, body: web::Payload) -> Result<HttpResponse, ApiError> {
    let sent = payload::read(context, body).await?;
    let settings = &context.app.domain.settings;
    let resource = context.resource;
    // PUT-07: whose document it is comes after its ETag.
    let filter = context.domain_filter()?;
    let Some(original) = context.find(&filter).await? else {
        let id = context.upserted().filter(|_| settings.upsert_on_put).ok_or(ApiError::Missing)?;
        if sent.as_document().is_none() {
            return Err(PayloadError::NotADocument.into());
        }
        return create(context, vec![sent], None, Some(&id), None).await;
    };
    let original = Document::try_from(original)?;
    permit_edit(context, &original)?;
    if let Some(owner) = &context.caller.owner
        && original.get(&owner.field) != Some(&owner.value)
    {
        return Err(ApiError::Forbidden);
    }
    let query = context.answer_query()?;
    let again = context.app.plain(resource).vacancies.then(|| sent.clone());
    match (put_once(context, &query, &original, filter.clone(), sent).await?, again) {
        (Err(_), Some(sent)) => put_once(context, &query, &original, filter, sent).await?,
        (done, _) => done,
    }
}

/// The inner error: what was free is taken by now.
async fn put_once(
    context: &Context<'_>,
    query: &Query,
    original: &Document,
    filter: Filter,
    sent: Bson,
) -> Result<Result<HttpResponse, ApiError>, ApiError> {
    let settings = &context.app.domain.settings;
    let resource = context.resource;
    let now = DateTime::from_millis(clock::now().saturating_mul(1000));
    let Settled { document: mut replacement, vacancies } =
        validated(context, sent, Mode::Replace { original }, now).await?;
    keep_id(context, &mut replacement, original)?;
    let names = &settings.names;
    let mut document = Document::new();
    if let Some(id) = original.get(&resource.id_field) {
        document.insert(&resource.id_field, id.clone());
    }
    document.extend(replacement);
    document.insert(&names.last_updated, now);
    let created = original.get(&names.date_created).cloned();
    document.insert(&names.date_created, created.unwrap_or(Bson::DateTime(DateTime::from_millis(0))));
    if let Some(owner) = &context.caller.owner {
        document.insert(&owner.field, owner.value.clone());
    }
    if let Some(listeners) = context.listeners(Event::Replace) {
        document = listeners.change("document", document, original, names, &resource.id_field).await?;
        if resource.id_field != "_id" {
            document.remove("_id");
        }
        if let Some(id) = original.get(&resource.id_field) {
            document.insert(&resource.id_field, id.clone());
        }
    }
    if settings.if_match {
        let digest = etag(&document, &resource.etag_ignore_fields);
        document.insert(&names.etag, digest);
    }
    if resource.id_field != "_id"
        && let Some(id) = original.get("_id")
    {
        // ETAG-03: the store's own id is not part of what was sent.
        let mut whole = Document::new();
        whole.insert("_id", id.clone());
        whole.extend(document);
        document = whole;
    }
    let guard = guard(context, original, context.own(filter)?)?;
    let write = Write::replace(context.source(), guard, &document)?;
    if let Err(refused) = commit(context, write, vacancies, original, &document).await? {
        return Ok(Err(refused));
    }
    if let Some(listeners) = context.listeners(Event::Replaced) {
        listeners.tell(&[("document", typed(&document)), ("original", typed(original))]);
    }
    Ok(Ok(answer(context, query, &document, true).await?))
}

/// DEL-01 to DEL-03: what is not there is gone already.
pub async fn delete(context: &Context<'_>) -> Result<HttpResponse, ApiError> {
    let gone = || Ok(Reply::new(StatusCode::NO_CONTENT).cached(context, false).no_content());
    let filter = context.own(context.domain_filter()?)?;
    let Some(original) = context.find(&filter).await? else { return gone() };
    let original = Document::try_from(original)?;
    permit_edit(context, &original)?;
    if let Some(listeners) = context.listeners(Event::DeleteItem) {
        listeners.permit(&[("original", &typed(&original)?)]).await?;
    }
    let source = context.source().to_owned();
    let mut writes = vec![Write::Delete { source: source.clone(), guard: guard(context, &original, filter.clone())? }];
    if let Some((field, value)) = context.item()
        && field != "_id"
    {
        // DEL-03: all that share the value of the URL.
        writes.push(Write::DeleteMany { source, filter: Filter::equal(field, value.clone()).and(filter) });
    }
    match context.documents().commit(writes).await? {
        Outcome::Changed { .. } => Err(PreconditionError::Failed.into()),
        Outcome::Done(_) => {
            if let Some(listeners) = context.listeners(Event::DeletedItem) {
                listeners.tell(&[("original", typed(&original))]);
            }
            gone()
        }
        Outcome::Missing { .. } | Outcome::Conflict { .. } => gone(),
    }
}

/// ETAG-06 to ETAG-08.
fn permit_edit(context: &Context<'_>, original: &Document) -> Result<(), ApiError> {
    let settings = &context.app.domain.settings;
    let conditions = Conditions::new(context.request.headers());
    let required = settings.if_match && settings.enforce_if_match;
    let computed;
    let tag = match original.get_str(&settings.names.etag) {
        Ok(stored) => stored,
        Err(_) => {
            // ETAG-04: somebody else stored it without.
            let mut document = original.clone();
            Fields::of(context.resource, settings).apply(&mut document);
            default_dates(&mut document, &settings.names);
            computed = etag(&document, &context.resource.etag_ignore_fields);
            &computed
        }
    };
    Ok(conditions.permit_edit(tag, required)?)
}

/// The document as it was read: this, in this state, is to be written.
fn guard(context: &Context<'_>, original: &Document, filter: Filter) -> Result<Guard, ApiError> {
    let name = &context.app.domain.settings.names.etag;
    let etag = original.get_str(name).ok().map(|etag| (name.clone(), etag.to_owned()));
    let id = original.get("_id").cloned().ok_or(ApiError::Missing)?;
    Ok(Guard { id, filter, etag })
}

async fn validated(context: &Context<'_>, sent: Bson, mode: Mode<'_>, now: DateTime) -> Result<Settled, ApiError> {
    let (app, resource) = (context.app, context.resource);
    let settings = &app.domain.settings;
    let mut document = convert::document(sent, resource, settings)
        // ERR-05.
        .map_err(|error| ApiError::Invalid(Issues::single("validator exception", &error.to_string())))?;
    if let Mode::Replace { .. } = mode {
        context.force_captured(&mut document);
    }
    let subject = context.caller.token.as_ref().map(|token| token.subject.as_str());
    let validation = validate(document, &Circumstances { resource, settings, mode, subject, now });
    let original = match mode {
        Mode::Update { original } | Mode::Replace { original } => Some(original),
        Mode::Insert => None,
    };
    let questions = Questions { app, resource, caller: &context.caller, original, seen_only: true, trusting: false };
    let settled = questions.settle(vec![validation]).await?.pop().unwrap_or_else(|| Err(Issues::default()));
    settled.map_err(ApiError::Invalid)
}

/// PATCH-08, PUT-06: the id may be sent as it is.
fn keep_id(context: &Context<'_>, sent: &mut Document, original: &Document) -> Result<(), ApiError> {
    for field in ["_id", context.resource.id_field.as_str()] {
        if let Some(id) = sent.remove(field)
            && original.get(field) != Some(&id)
        {
            return Err(ApiError::Immutable(field.to_owned()));
        }
    }
    Ok(())
}

/// PATCH-06: documents are merged at every depth, everything else is replaced.
fn merge(stored: Option<&Bson>, sent: Bson) -> Bson {
    match (stored, sent) {
        (Some(Bson::Document(stored)), Bson::Document(sent)) => {
            let mut merged = stored.clone();
            for (field, value) in sent {
                let value = merge(stored.get(&field), value);
                merged.insert(field, value);
            }
            Bson::Document(merged)
        }
        (_, sent) => sent,
    }
}

/// The inner error: a value that was free when it was looked for is taken.
async fn commit(
    context: &Context<'_>,
    write: Write,
    vacancies: Vec<Vacancy>,
    original: &Document,
    document: &Document,
) -> Result<Result<(), ApiError>, ApiError> {
    let (app, resource) = (context.app, context.resource);
    let questions = Questions {
        app,
        resource,
        caller: &context.caller,
        original: Some(original),
        seen_only: true,
        trusting: false,
    };
    let mut writes: Vec<Write> = vacancies.iter().map(|vacancy| questions.still_vacant(vacancy)).collect();
    writes.push(write);
    match context.documents().commit(writes).await? {
        Outcome::Done(_) => Ok(Ok(())),
        // PATCH-11: somebody was faster.
        Outcome::Changed { .. } | Outcome::Missing { .. } => Err(PreconditionError::Failed.into()),
        Outcome::Conflict { index, field } => match vacancies.get(index) {
            Some(vacancy) => Ok(Err(ApiError::Invalid(vacancy.issues()))),
            None => Err(match late_duplicate(resource, &field, document) {
                Some(issues) => ApiError::Invalid(issues),
                None => ApiError::DuplicateInEdit(field),
            }),
        },
    }
}

/// PATCH-01, PUT-01.
async fn answer(
    context: &Context<'_>,
    query: &Query,
    document: &Document,
    replaced: bool,
) -> Result<HttpResponse, ApiError> {
    let app = context.app;
    let stored = RawDocumentBuf::try_from(document)?;
    let shape = context.answer_shape(query);
    let documents = std::slice::from_ref(&stored);
    let embedded = context.embed_answer(query, &shape, documents).await.pop().unwrap_or_default();
    let tail = status_tail(app);
    let view = View::new(&app.domain, context.resource, &shape, context.path).with_tail(&tail);
    let mut out = Vec::with_capacity(512);
    let seen = view.write(&stored, &embedded, &mut out)?;
    let mut reply = Reply::new(StatusCode::OK).cached(context, false).etag(seen.etag.as_deref());
    if replaced {
        reply = reply.last_modified(seen.stored);
    }
    Ok(reply.json(app.lay_out(out, false)))
}
