//! Creating, changing and deleting items. A change carries the version it was made for, so that nobody overwrites what
//! somebody else has done meanwhile.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use shared::form::{Parameters, encode};
use shared::session::{Saved, Session};

use super::Visit;
use super::catalog::{href, relative};
use super::entered::{Difference, Entered, Issues, issues};
use super::form::Form;
use super::shown::{Field, Related, fields, title};
use crate::account::{Account, KeptForm};
use crate::api::{Answer, Call};
use crate::app::App;
use crate::error::{SiteError, see_other};
use crate::forms::{self, PostedForm};

/// Items that a new one's fields are guessed from.
const SAMPLES: &str = "5";

/// `GET /new/{resource}`.
pub async fn new_form(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, SiteError> {
    form_page(&app, &request, false).await
}

/// `GET /edit/{resource}/{id}`.
pub async fn edit_form(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, SiteError> {
    form_page(&app, &request, true).await
}

async fn form_page(app: &Arc<App>, request: &HttpRequest, of_item: bool) -> Result<HttpResponse, SiteError> {
    let session = app.session(request).await?;
    let mut visit = Visit::begin(app, request, session).await?;
    if visit.place.item.is_some() != of_item {
        return Err(SiteError::NotFound);
    }
    let mut form = blank_form(app, &mut visit).await?;
    if let Some(kept) = take_kept(app, &mut visit.session, request.path()).await? {
        form.fill(&kept);
        form.resumed = true;
    }
    Ok(visit.page(app, StatusCode::OK, "form.html", form))
}

/// The form as it is before anything is entered.
async fn blank_form(app: &Arc<App>, visit: &mut Visit) -> Result<Form, SiteError> {
    let path = visit.place.path();
    let rules = rules(app, visit).await?;
    let mut form = if visit.place.item.is_some() {
        let document = visit.call(app, &Call::get(&path, &[])).await?.data()?;
        Form::new(title(&document), Some(&document), rules.as_ref(), &[])
    } else {
        // Who may only write gets a form all the same.
        let query = [("max_results", SAMPLES.to_owned())];
        let answer = match visit.call(app, &Call::get(&path, &query)).await {
            Err(SiteError::MissingScope(_) | SiteError::Forbidden) => Value::Null,
            answer => answer?.data()?,
        };
        let samples = answer["_items"].as_array().map_or(&[][..], Vec::as_slice);
        Form::new(format!("New in {}", visit.place.title), None, rules.as_ref(), samples)
    };
    (form.action, form.cancel) = match visit.place.item {
        Some(_) => (visit.place.item_href("edit"), visit.place.item_href("data")),
        None => (visit.place.resource_href("new"), visit.place.resource_href("data")),
    };
    Ok(form)
}

/// The resource's schema, where the API has an endpoint for it (HOME-05) and lets this account read it.
async fn rules(app: &Arc<App>, visit: &mut Visit) -> Result<Option<Value>, SiteError> {
    let Some(endpoint) = &app.config.schema_endpoint else { return Ok(None) };
    let path: Vec<String> = endpoint.split('/').chain([visit.place.scope_name()]).map(str::to_owned).collect();
    match visit.call(app, &Call::get(&path, &[])).await {
        Ok(Answer { status: 200, body }) => Ok(Some(body)),
        Ok(_) | Err(SiteError::MissingScope(_) | SiteError::Forbidden) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The form that was kept over a sign-in for this page (E-046); it is shown once.
async fn take_kept(app: &App, session: &mut Session<Account>, path: &str) -> Result<Option<Entered>, SiteError> {
    let Some(sealed) = session.data.kept.take() else { return Ok(None) };
    let Some(kept) = app.vault.open::<KeptForm>(session.id(), &sealed).filter(|kept| kept.path == path) else {
        session.data.kept = Some(sealed);
        return Ok(None);
    };
    match app.accounts.save(session).await? {
        Saved::Done => {}
        // It stays until it is shown again or the session ends, which harms nobody.
        Saved::Changed | Saved::Gone => log::debug!("a kept form was not cleared"),
    }
    let fields = kept.fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    let parameters = Parameters::parse(fields.collect::<Vec<_>>().join("&").as_bytes())?;
    Ok(Some(Entered::read(&parameters)))
}

/// Handles a post: the session must vouch for the form; where the sign-in is over, the form is kept (E-035, E-046).
async fn posted(
    app: &Arc<App>,
    request: &HttpRequest,
    form: &Parameters,
    work: impl AsyncFnOnce(Visit) -> Result<HttpResponse, SiteError>,
) -> Result<HttpResponse, SiteError> {
    let Some(session) = app.accounts.load(request).await? else {
        return forms::keep(app, request, form, false).await;
    };
    session.check_form(request, form)?;
    let result = match Visit::begin(app, request, session).await {
        Ok(visit) => work(visit).await,
        Err(error) => Err(error),
    };
    match result {
        Err(SiteError::SignInNeeded) => forms::keep(app, request, form, true).await,
        result => result,
    }
}

/// `POST /new/{resource}`.
pub async fn create(app: Data<App>, request: HttpRequest, form: PostedForm) -> Result<HttpResponse, SiteError> {
    posted(&app, &request, &form.0, async |mut visit| {
        if visit.place.item.is_some() {
            return Err(SiteError::NotFound);
        }
        let entered = Entered::read(&form.0);
        let document = match entered.document() {
            Ok(document) => Value::Object(document),
            Err(issues) => return corrected(&app, visit, &entered, &issues, StatusCode::UNPROCESSABLE_ENTITY).await,
        };
        let path = visit.place.path();
        let answer = visit.call(&app, &Call::write(Method::POST, &path, None, Some(&document))).await?;
        match answer.status {
            200..=299 => {
                let own = answer.body["_links"]["self"]["href"].as_str();
                let own = own.and_then(|link| relative(app.api.home(), link));
                let id = answer.body["_id"].as_str().map(str::to_owned);
                let item = own.or_else(|| Some(path.into_iter().chain([id?]).collect()));
                Ok(see_other(&match item {
                    Some(item) => format!("{}?done=created", href("data", &item)),
                    None => visit.place.resource_href("data"),
                }))
            }
            _ => refused(&app, visit, &entered, answer).await,
        }
    })
    .await
}

/// `POST /edit/{resource}/{id}`: only what was touched is sent.
pub async fn update(app: Data<App>, request: HttpRequest, form: PostedForm) -> Result<HttpResponse, SiteError> {
    posted(&app, &request, &form.0, async |mut visit| {
        if visit.place.item.is_none() {
            return Err(SiteError::NotFound);
        }
        let entered = Entered::read(&form.0);
        let changes = match entered.document() {
            Ok(changes) => changes,
            Err(issues) => return corrected(&app, visit, &entered, &issues, StatusCode::UNPROCESSABLE_ENTITY).await,
        };
        let item = visit.place.item_href("data");
        if changes.is_empty() {
            return Ok(see_other(&format!("{item}?done=unchanged")));
        }
        let (path, etag) = (visit.place.path(), Some(entered.etag.as_str()).filter(|etag| !etag.is_empty()));
        let changes = Value::Object(changes);
        let call = Call::write(Method::PATCH, &path, etag, Some(&changes));
        let answer = visit.call(&app, &call).await?;
        match answer.status {
            200..=299 => Ok(see_other(&format!("{item}?done=saved"))),
            404 => Err(SiteError::NotFound),
            412 | 428 => conflict(&app, visit, &entered).await,
            _ => refused(&app, visit, &entered, answer).await,
        }
    })
    .await
}

/// The form again, with what the API says against it.
async fn refused(app: &Arc<App>, visit: Visit, entered: &Entered, answer: Answer) -> Result<HttpResponse, SiteError> {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut issues = issues(&answer.body);
    if issues.is_empty() {
        issues.insert("The API refuses this".to_owned(), vec![answer.message()]);
    }
    corrected(app, visit, entered, &issues, status).await
}

async fn corrected(
    app: &Arc<App>,
    mut visit: Visit,
    entered: &Entered,
    issues: &Issues,
    status: StatusCode,
) -> Result<HttpResponse, SiteError> {
    let mut form = blank_form(app, &mut visit).await?;
    form.fill(entered);
    form.blame(issues);
    Ok(visit.page(app, status, "form.html", form))
}

/// Somebody else changed the item meanwhile: both versions, and the choice (412).
async fn conflict(app: &Arc<App>, mut visit: Visit, entered: &Entered) -> Result<HttpResponse, SiteError> {
    #[derive(Serialize)]
    struct Conflict {
        title: String,
        action: String,
        item: String,
        etag: String,
        differences: Vec<Difference>,
    }
    let path = visit.place.path();
    let current = visit.call(app, &Call::get(&path, &[])).await?.data()?;
    let page = Conflict {
        title: title(&current),
        action: visit.place.item_href("edit"),
        item: visit.place.item_href("data"),
        etag: current["_etag"].as_str().unwrap_or_default().to_owned(),
        differences: entered.differences(&current),
    };
    Ok(visit.page(app, StatusCode::PRECONDITION_FAILED, "conflict.html", page))
}

/// `GET /delete/{resource}/{id}`: asks first.
pub async fn delete_form(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, SiteError> {
    let session = app.session(&request).await?;
    let visit = Visit::begin(&app, &request, session).await?;
    delete_page(&app, visit, StatusCode::OK).await
}

async fn delete_page(app: &Arc<App>, mut visit: Visit, status: StatusCode) -> Result<HttpResponse, SiteError> {
    #[derive(Serialize)]
    struct Delete {
        title: String,
        action: String,
        item: String,
        etag: String,
        fields: Vec<Field>,
        changed: bool,
    }
    if visit.place.item.is_none() {
        return Err(SiteError::NotFound);
    }
    let path = visit.place.path();
    let document = visit.call(app, &Call::get(&path, &[])).await?.data()?;
    let own = document.as_object().cloned().unwrap_or_default();
    let page = Delete {
        title: title(&document),
        action: visit.place.item_href("delete"),
        item: visit.place.item_href("data"),
        etag: document["_etag"].as_str().unwrap_or_default().to_owned(),
        fields: fields(&own, &Related::of(app.api.home(), &json!({}))),
        changed: status == StatusCode::PRECONDITION_FAILED,
    };
    Ok(visit.page(app, status, "delete.html", page))
}

/// `POST /delete/{resource}/{id}`.
pub async fn delete(app: Data<App>, request: HttpRequest, form: PostedForm) -> Result<HttpResponse, SiteError> {
    posted(&app, &request, &form.0, async |mut visit| {
        if visit.place.item.is_none() {
            return Err(SiteError::NotFound);
        }
        let (path, etag) = (visit.place.path(), form.0.one("etag")?);
        let answer = visit.call(&app, &Call::write(Method::DELETE, &path, etag, None)).await?;
        match answer.status {
            // Gone is gone, whoever did it.
            200..=299 | 404 => Ok(see_other(&format!("{}?done=deleted", visit.place.resource_href("data")))),
            412 | 428 => delete_page(&app, visit, StatusCode::PRECONDITION_FAILED).await,
            _ => Err(SiteError::ApiRefuses { status: answer.status, message: answer.message() }),
        }
    })
    .await
}
