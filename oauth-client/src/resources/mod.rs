//! Pages over the API's resources, whatever its home lists: a table of items, one item in full, forms to change them.
//!
//! `catalog` finds the resource of a path, `table`, `shown`, `form` and `entered` turn data into views and back without any
//! I/O, the endpoints here and in `writing` ask the API and answer with a page.

mod catalog;
mod entered;
mod form;
mod shown;
mod table;
mod writing;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::{Value, json};
use shared::form::Parameters;
use shared::session::Session;

use self::catalog::{Catalog, Listed, Place, segments};
use self::shown::{Field, Related, fields, is_meta, is_scalar, pretty, title};
use self::table::{Table, Wish};
use crate::account::Account;
use crate::api::{Answer, Call, CallError, call};
use crate::app::App;
use crate::error::SiteError;
use crate::refresh::usable_tokens;

pub use self::writing::{create, delete, delete_form, edit_form, new_form, update};

/// Resources whose items are counted on the home page.
const COUNTED: usize = 24;

/// A signed-in visitor at a path of the API.
struct Visit {
    session: Session<Account>,
    resources: Vec<Listed>,
    place: Place,
    /// Whether the granted scopes let this resource be changed, as far as their names tell.
    writable: bool,
}

impl Visit {
    /// Asks the API's home what there is; it may be that only now the sign-in turns out to be over.
    async fn begin(app: &Arc<App>, request: &HttpRequest, mut session: Session<Account>) -> Result<Self, SiteError> {
        let path = segments(request.path())?;
        let catalog = catalog(app, &mut session).await?;
        let place = catalog.place(&path).ok_or(SiteError::NotFound)?;
        let writable = is_writable(app, &session, &place);
        Ok(Self { resources: catalog.listed(), session, place, writable })
    }

    fn page(&self, app: &App, status: StatusCode, template: &str, data: impl Serialize) -> HttpResponse {
        let here = self.place.resource_href("data");
        app.account_page(status, template, &self.session, &self.resources, &here, data)
    }

    async fn call(&mut self, app: &Arc<App>, request: &Call<'_>) -> Result<Answer, SiteError> {
        call(app, &mut self.session, request).await
    }
}

async fn catalog(app: &Arc<App>, session: &mut Session<Account>) -> Result<Catalog, SiteError> {
    let home = call(app, session, &Call::get(&[], &[])).await?.data()?;
    Ok(Catalog::read(app.api.home(), &home, app.config.schema_endpoint.as_deref()))
}

/// `people:write` lets people be changed (D-012). Scopes of other names tell nothing, and the API has the last word.
fn is_writable(app: &App, session: &Session<Account>, place: &Place) -> bool {
    let Some(tokens) = app.tokens(session) else { return false };
    let name = place.scope_name();
    let about = |action: &str| tokens.scopes.contains(&format!("{name}:{action}"));
    about("write") || !about("read")
}

/// `GET /`: what one can do here, or, signed in, the API's resources.
pub async fn home(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, SiteError> {
    #[derive(Serialize)]
    struct Tile {
        #[serde(flatten)]
        listed: Listed,
        items: Option<u64>,
        /// Why there is no number.
        problem: Option<&'static str>,
    }
    let session = app.accounts.load(&request).await?;
    let Some(mut session) = session.filter(|session| session.data.tokens.is_some()) else {
        return Ok(app.page(StatusCode::OK, "welcome.html", json!({})));
    };
    let resources = catalog(&app, &mut session).await?.listed();
    let tokens = usable_tokens(&app, &mut session, None).await?;
    let query = [("max_results", "1".to_owned())];
    let counts = join_all(resources.iter().take(COUNTED).map(async |listed| {
        match app.api.send(&tokens.access_token, &Call::get(&listed.path, &query)).await {
            Ok(answer) if answer.status == 200 => (answer.body["_meta"]["total"].as_u64(), None),
            Err(CallError::Site(SiteError::MissingScope(_) | SiteError::Forbidden)) => (None, Some("not permitted")),
            Ok(_) | Err(_) => (None, Some("not available")),
        }
    }))
    .await;
    let counts = counts.into_iter().chain(std::iter::repeat((None, None)));
    let tiles: Vec<Tile> = resources
        .iter()
        .zip(counts)
        .map(|(listed, (items, problem))| Tile { listed: listed.clone(), items, problem })
        .collect();
    Ok(app.account_page(StatusCode::OK, "home.html", &session, &resources, "/", json!({ "tiles": tiles })))
}

/// `GET /data/{path}`: a resource's items, or one item in full.
pub async fn show(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, SiteError> {
    let session = app.session(&request).await?;
    let query = Parameters::parse(request.query_string().as_bytes())?;
    let visit = Visit::begin(&app, &request, session).await?;
    match visit.place.item {
        None => table(&app, visit, &query).await,
        Some(_) => item(&app, visit, &query).await,
    }
}

async fn table(app: &Arc<App>, mut visit: Visit, query: &Parameters) -> Result<HttpResponse, SiteError> {
    let wish = Wish::read(query)?;
    let path = visit.place.path();
    let answer = visit.call(app, &Call::get(&path, &wish.api_query())).await?;
    // A refused wish (a field that may not be asked for, say) is told on the page that it was made on.
    let refusal = (answer.status == 400).then(|| answer.message());
    let (status, answer) = match refusal {
        Some(_) => (StatusCode::BAD_REQUEST, json!({})),
        None => (StatusCode::OK, answer.data()?),
    };
    let nothing = answer["_items"].as_array().is_none_or(Vec::is_empty);
    let mut known = None;
    if nothing && (wish.filters() || wish.sort.is_some()) {
        let plain = visit.call(app, &Call::get(&path, &[("max_results", "1".to_owned())])).await?.data()?;
        known = plain["_items"].as_array().and_then(|items| items.first().cloned());
    }
    let mut table = Table::new(app.api.home(), &visit.place, wish, &answer, known.as_ref());
    table.refusal = refusal;
    table.new = visit.writable.then(|| visit.place.resource_href("new"));
    table.done = (query.one("done")? == Some("deleted")).then_some("The item was deleted.");
    Ok(visit.page(app, status, "table.html", table))
}

async fn item(app: &Arc<App>, mut visit: Visit, query: &Parameters) -> Result<HttpResponse, SiteError> {
    #[derive(Serialize)]
    struct Item {
        title: String,
        resource: String,
        resource_href: String,
        fields: Vec<Field>,
        meta: Vec<(String, String)>,
        json: String,
        edit: Option<String>,
        delete: Option<String>,
        done: Option<&'static str>,
    }
    let path = visit.place.path();
    let document = visit.call(app, &Call::get(&path, &[])).await?.data()?;
    let Value::Object(own) = &document else {
        return Err(SiteError::ApiUnusable("It is not a document.".to_owned()));
    };
    let related = Related::of(app.api.home(), &document);
    let meta = own.iter().filter(|(name, value)| is_meta(name) && is_scalar(value));
    let page = Item {
        title: title(&document),
        resource: visit.place.title.clone(),
        resource_href: visit.place.resource_href("data"),
        fields: fields(own, &related),
        meta: meta
            .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect(),
        json: pretty(&document),
        edit: visit.writable.then(|| visit.place.item_href("edit")),
        delete: visit.writable.then(|| visit.place.item_href("delete")),
        done: match query.one("done")? {
            Some("created") => Some("The item was created."),
            Some("saved") => Some("Your changes were saved."),
            Some("unchanged") => Some("There was nothing to save."),
            _ => None,
        },
    };
    Ok(visit.page(app, StatusCode::OK, "item.html", page))
}
