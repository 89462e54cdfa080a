//! POST (POST-01 to POST-12) and the other half of PUT (PUT-04).

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web;
use bson::raw::RawDocumentBuf;
use bson::{Bson, Document};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::context::Context;
use super::idempotency::{self, Answer, Attempt};
use super::insertion::{Insertion, Stored};
use super::payload::{self, Body, PayloadError};
use super::reply::Reply;
use crate::app::App;
use crate::domain::Event;
use crate::error::ApiError;
use crate::hooks::{raw, typed_list};
use crate::query::Query;
use crate::representation::document::{Embedded, View};
use crate::representation::json::write_string;
use crate::representation::links::push_text;

/// What a path of a URL can't hold as it is (RFC 3986, 3.3).
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

pub async fn post(context: &Context<'_>, body: web::Payload) -> Result<HttpResponse, ApiError> {
    // What is wrong with the URL is told first.
    context.answer_query()?;
    let body = payload::body(context, body).await?;
    let attempt = match idempotency::begin(context, &body).await? {
        None => None,
        Some(idempotency::Begun::Done(answer)) => return Ok(created(context, answer)),
        Some(idempotency::Begun::New(attempt)) => Some(attempt),
    };
    let values = documents(body.value(context).await?)?;
    if values.len() > 1 && !context.resource.bulk_enabled {
        return Err(PayloadError::BulkNotAllowed.into());
    }
    if values.len() > context.app.limits.bulk {
        return Err(PayloadError::TooMany(context.app.limits.bulk).into());
    }
    // To be read again is cheaper than to be kept twice; not so for the many of a bulk.
    let source = (values.len() == 1).then_some(body);
    let Some(attempt) = attempt else { return create(context, values, source, None, None).await };
    match create(context, values, source, None, Some(&attempt)).await {
        // Another server may have come first, with the same request.
        Err(refused) => match attempt.kept(context).await? {
            Some(answer) => Ok(created(context, answer)),
            None => Err(refused),
        },
        done => done,
    }
}

/// The documents of a body (POST-02).
fn documents(value: Bson) -> Result<Vec<Bson>, PayloadError> {
    match value {
        Bson::Array(values) if values.is_empty() => Err(PayloadError::EmptyBulk),
        Bson::Null => Err(PayloadError::EmptyBulk),
        Bson::Array(values) => Ok(values),
        document @ Bson::Document(_) => Ok(vec![document]),
        _ => Err(PayloadError::NotADocument),
    }
}

/// Stores all of `values` or none and answers with 201. `source` is the body they can be read from again; `id` is the id that the
/// URL of a PUT forces.
pub async fn create(
    context: &Context<'_>,
    values: Vec<Bson>,
    source: Option<Body>,
    id: Option<&Bson>,
    attempt: Option<&Attempt<'_>>,
) -> Result<HttpResponse, ApiError> {
    let vacancies = context.app.plain(context.resource).vacancies;
    // One document whose unique values an index keeps apart is stored without asking first: most are new. A hook hears of valid
    // ones only.
    let trusting = values.len() == 1
        && !vacancies
        && context.resource.indexes.iter().any(|index| index.unique)
        && context.listeners(Event::Insert).is_none();
    // Whoever loses a race for a value has another look at what there is now.
    let may_again = trusting || vacancies;
    let kept = (may_again && source.is_none()).then(|| values.clone());
    // As large as what is made of it: it goes where it is not needed.
    let source = source.filter(|_| may_again);
    let refused = match create_once(context, values, id, attempt, trusting).await? {
        Ok(response) => return Ok(response),
        Err(refused) => refused,
    };
    let values = match (source, kept) {
        (Some(source), _) if may_again => documents(source.value(context).await?)?,
        (_, Some(values)) => values,
        _ => return Err(refused),
    };
    create_once(context, values, id, attempt, false).await?
}

/// The inner error: what was free is taken by now, or, `trusting`, there is something wrong and another look tells all of it.
async fn create_once(
    context: &Context<'_>,
    values: Vec<Bson>,
    id: Option<&Bson>,
    attempt: Option<&Attempt<'_>>,
    trusting: bool,
) -> Result<Result<HttpResponse, ApiError>, ApiError> {
    let query = context.answer_query()?;
    let mut forced = Document::new();
    context.force_captured(&mut forced);
    if let Some(id) = id {
        forced.insert(&context.resource.id_field, id.clone());
    }
    let (app, resource) = (context.app, context.resource);
    // Which documents bring their id.
    let brought = |value: &Bson| value.as_document().is_some_and(|document| document.contains_key("_id"));
    let mut given: Vec<bool> = values.iter().map(|value| forced.contains_key("_id") || brought(value)).collect();
    let insertion = Insertion { app, resource, caller: &context.caller, forced, by_put: id.is_some(), trusting };
    let mut checked = insertion.check(values).await?;
    if checked.iter().any(Result::is_err) {
        let refused = ApiError::NotInserted(checked.into_iter().map(Result::err).collect());
        return if trusting { Ok(Err(refused)) } else { Err(refused) };
    }
    if let Some(listeners) = context.listeners(Event::Insert) {
        // POST-08: between validation and ETag.
        let documents = checked.iter_mut().flatten().map(|settled| std::mem::take(&mut settled.document)).collect();
        let documents = listeners.insert(documents, &app.domain.settings.names).await?;
        given = documents.iter().map(|document| document.contains_key("_id")).collect();
        checked.iter_mut().flatten().zip(documents).for_each(|(settled, document)| settled.document = document);
    }
    let mut stored = Vec::with_capacity(checked.len());
    let mut vacancies = Vec::with_capacity(checked.len());
    for settled in checked.into_iter().flatten() {
        stored.push(Arc::new(insertion.seal(settled.document)?));
        vacancies.push(settled.vacancies);
    }
    let answer = answer(context, &query, &stored, &given).await?;
    let more = attempt.map(|attempt| attempt.keep(context, &answer)).transpose()?.unwrap_or_default();
    Ok(match insertion.store(&stored, vacancies, more).await {
        Ok(Stored::Done) => {
            if let Some(listeners) = context.listeners(Event::Inserted) {
                listeners.tell(&[("documents", typed_list(stored.iter().map(|document| raw(document))))]);
            }
            Ok(created(context, answer))
        }
        Ok(Stored::Taken(refused)) => Err(refused),
        Ok(Stored::Refused) => Err(ApiError::Duplicate("Idempotency-Key".to_owned())),
        Err(refused @ (ApiError::NotInserted(_) | ApiError::Duplicate(_))) if trusting => Err(refused),
        Err(error) => return Err(error),
    })
}

/// What 201 says of these documents.
async fn answer(
    context: &Context<'_>,
    query: &Query,
    stored: &[Arc<RawDocumentBuf>],
    given: &[bool],
) -> Result<Answer, ApiError> {
    let (app, resource) = (context.app, context.resource);
    let shape = context.answer_shape(query);
    let embedded = context.embed_answer(query, &shape, stored).await;
    let tail = status_tail(app);
    let view = View::new(&app.domain, resource, &shape, context.path).with_tail(&tail);
    let nothing = Embedded::new();
    // Whole documents are written as they grow: by doubling a large answer would be there three times.
    let whole: usize = match app.domain.settings.bandwidth_saver {
        true => 0,
        false => stored.iter().map(|document| document.as_bytes().len()).sum(),
    };
    let mut out = Vec::with_capacity(256 * stored.len() + whole + 64);
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
        let embedded = embedded.get(index).unwrap_or(&nothing);
        match given.get(index) {
            Some(true) => view.write(document, embedded, &mut out)?,
            _ => view.write_new(document, embedded, &mut out)?,
        };
    }
    if !single {
        out.extend_from_slice(b"]}");
    }
    let location = stored.first().map(|first| location(context, first)).transpose()?;
    Ok(Answer { body: app.lay_out(out, false), location })
}

fn created(context: &Context<'_>, answer: Answer) -> HttpResponse {
    let reply = Reply::new(StatusCode::CREATED).cached(context, false);
    let reply = match answer.location {
        Some(url) => reply.location(&url),
        None => reply,
    };
    reply.json(answer.body)
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
