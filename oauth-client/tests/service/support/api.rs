//! A small API on a real socket that speaks as Eve does, refuses tokens its authorization server does not know, and can be
//! made to fail.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Json, Path, Query};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Map, Value, json};

use super::auth_server::AuthServer;

/// What it holds, how it behaves, what it has seen.
#[derive(Default)]
pub struct State {
    pub people: Vec<Value>,
    /// Status and headers instead of an answer.
    pub refuse: Option<(u16, Vec<(&'static str, String)>)>,
    pub home: Option<Value>,
    pub schema: Option<Value>,
    pub last_query: HashMap<String, String>,
    pub writes: Vec<(String, String, Option<String>, Value)>,
    pub requests: usize,
    /// Bearer values that were sent.
    pub tokens: Vec<String>,
}

#[derive(Clone)]
pub struct Api {
    pub url: String,
    state: Arc<Mutex<State>>,
    auth: AuthServer,
}

impl Api {
    pub async fn start(auth: &AuthServer) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let api = Self { url, state: Arc::default(), auth: auth.clone() };
        api.state().people =
            (1..=60).map(|number| person(&format!("p{number}"), &format!("Person {number}"))).collect();
        let data = Data::new(api.clone());
        let run = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/", web::get().to(home))
                .route("/schema/{resource}", web::get().to(schema))
                .route("/people", web::get().to(list))
                .route("/people", web::post().to(create))
                .route("/people/{id}", web::get().to(item))
                .route("/people/{id}", web::patch().to(change))
                .route("/people/{id}", web::delete().to(delete))
                .route("/countries", web::get().to(countries))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        actix_rt::spawn(run);
        api
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Puts a document in, as somebody else would.
    pub fn put(&self, id: &str, change: Value) {
        let mut state = self.state();
        let document = state.people.iter_mut().find(|document| document["_id"] == id).unwrap();
        merge(document, &change);
    }

    fn refusal(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let token = header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
        let mut state = self.state();
        state.requests += 1;
        state.tokens.extend(token.clone());
        if let Some((status, headers)) = &state.refuse {
            let mut response = HttpResponse::build(StatusCode::from_u16(*status).unwrap());
            for (name, value) in headers {
                response.insert_header((*name, value.as_str()));
            }
            return Some(response.json(json!({"_status": "ERR", "_error": {"code": status, "message": "refused"}})));
        }
        let known = token.is_some_and(|token| self.auth.state().access_tokens.contains(&token));
        (!known).then(|| {
            let challenge = "Bearer realm=\"api\", error=\"invalid_token\"";
            HttpResponse::Unauthorized().insert_header(("www-authenticate", challenge)).json(json!({"_status": "ERR"}))
        })
    }
}

pub fn person(id: &str, name: &str) -> Value {
    json!({
        "_id": id, "_etag": format!("etag-{id}"), "_created": "Tue, 02 Apr 2013 10:29:13 GMT",
        "name": name, "age": 36, "active": true, "friend": "p2", "address": {"city": "London", "tags": ["a", {"b": null}]},
        "_links": {"self": {"title": "Person", "href": format!("people/{id}")},
                   "related": {"friend": {"title": "Person", "href": "people/p2"}}},
    })
}

fn merge(document: &mut Value, change: &Value) {
    let etag = format!("{}+", document["_etag"].as_str().unwrap());
    for (name, value) in change.as_object().unwrap() {
        document[name.as_str()] = value.clone();
    }
    document["_etag"] = etag.into();
}

fn error(status: StatusCode, message: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({"_status": "ERR", "_error": {"code": status.as_u16(), "message": message}}))
}

async fn home(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    if let Some(refusal) = api.refusal(&request) {
        return refusal;
    }
    let home = api.state().home.clone();
    HttpResponse::Ok().json(home.unwrap_or_else(|| {
        json!({"_links": {"child": [
            {"href": "people", "title": "people"}, {"href": "countries", "title": "Countries of the world"},
            {"href": "schema", "title": "schema"},
        ]}})
    }))
}

async fn schema(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    if let Some(refusal) = api.refusal(&request) {
        return refusal;
    }
    match &api.state().schema {
        Some(schema) => HttpResponse::Ok().json(schema),
        None => error(StatusCode::NOT_FOUND, "not found"),
    }
}

async fn list(api: Data<Api>, request: HttpRequest, query: Query<HashMap<String, String>>) -> HttpResponse {
    if let Some(refusal) = api.refusal(&request) {
        return refusal;
    }
    let mut state = api.state();
    let number = |name: &str, default: usize| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (page, size) = (number("page", 1), number("max_results", 25));
    let filter: Map<String, Value> = match query.get("where").map(|text| serde_json::from_str(text)) {
        Some(Ok(filter)) => filter,
        Some(Err(_)) => return error(StatusCode::BAD_REQUEST, "bad where"),
        None => Map::new(),
    };
    if filter.contains_key("secret") {
        return error(StatusCode::BAD_REQUEST, "filter on 'secret' not allowed");
    }
    let fits = |document: &&Value| filter.iter().all(|(name, value)| document[name.as_str()] == *value);
    let found: Vec<&Value> = state.people.iter().filter(fits).collect();
    let items: Vec<Value> = found.iter().skip((page - 1) * size).take(size).map(|item| (*item).clone()).collect();
    let answer =
        json!({"_items": items, "_meta": {"page": page, "max_results": size, "total": found.len()}, "_links": {}});
    state.last_query = query.0;
    HttpResponse::Ok().json(answer)
}

async fn countries(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    if let Some(refusal) = api.refusal(&request) {
        return refusal;
    }
    HttpResponse::Ok().json(json!({"_items": [], "_meta": {"page": 1, "max_results": 25, "total": 0}}))
}

async fn item(api: Data<Api>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    if let Some(refusal) = api.refusal(&request) {
        return refusal;
    }
    match api.state().people.iter().find(|document| document["_id"] == *id.as_str()) {
        Some(document) => HttpResponse::Ok().json(document),
        None => error(StatusCode::NOT_FOUND, "not found"),
    }
}

/// A name is required, an age is a number.
fn issues(document: &Value, whole: bool) -> Map<String, Value> {
    let mut issues = Map::new();
    if whole && document["name"].is_null() {
        issues.insert("name".to_owned(), "required field".into());
    }
    if !document["age"].is_null() && !document["age"].is_number() {
        issues.insert("age".to_owned(), json!(["must be of integer type"]));
    }
    if !document["unknown"].is_null() {
        issues.insert("unknown".to_owned(), "unknown <field>".into());
    }
    issues
}

fn note(api: &Api, request: &HttpRequest, body: Value) -> Option<String> {
    let header = request.headers().get("if-match").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let seen = (request.method().to_string(), request.path().to_owned(), header.clone(), body);
    api.state().writes.push(seen);
    header.map(|etag| etag.trim_matches('"').to_owned())
}

async fn create(api: Data<Api>, request: HttpRequest, body: Json<Value>) -> HttpResponse {
    if let Some(refusal) = api.refusal(&request) {
        return refusal;
    }
    note(&api, &request, body.0.clone());
    let issues = issues(&body, true);
    if !issues.is_empty() {
        return HttpResponse::UnprocessableEntity().json(json!({
            "_status": "ERR", "_issues": issues, "_error": {"code": 422, "message": "Insertion failure"},
        }));
    }
    let mut document = person("new 1", "");
    for (name, value) in body.as_object().unwrap() {
        document[name.as_str()] = value.clone();
    }
    let answer = json!({"_id": "new 1", "_status": "OK", "_links": {"self": {"href": "people/new 1"}}});
    api.state().people.push(document);
    HttpResponse::Created().json(answer)
}

/// The place of the document whose version the request names, or the refusal.
fn guarded(api: &Api, id: &str, etag: Option<String>) -> Result<usize, Box<HttpResponse>> {
    let state = api.state();
    let Some(place) = state.people.iter().position(|document| document["_id"] == id) else {
        return Err(Box::new(error(StatusCode::NOT_FOUND, "not found")));
    };
    match etag {
        None => Err(Box::new(error(StatusCode::PRECONDITION_REQUIRED, "To edit a document its etag must be provided"))),
        Some(etag) if state.people[place]["_etag"] != *etag => {
            Err(Box::new(error(StatusCode::PRECONDITION_FAILED, "Client and server etags don't match")))
        }
        Some(_) => Ok(place),
    }
}

async fn change(api: Data<Api>, request: HttpRequest, id: Path<String>, body: Json<Value>) -> HttpResponse {
    if let Some(refusal) = api.refusal(&request) {
        return refusal;
    }
    let etag = note(&api, &request, body.0.clone());
    let place = match guarded(&api, &id, etag) {
        Ok(place) => place,
        Err(refusal) => return *refusal,
    };
    let issues = issues(&body, false);
    if !issues.is_empty() {
        return HttpResponse::UnprocessableEntity().json(json!({"_status": "ERR", "_issues": issues}));
    }
    merge(&mut api.state().people[place], &body);
    HttpResponse::Ok().json(json!({"_status": "OK"}))
}

async fn delete(api: Data<Api>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    if let Some(refusal) = api.refusal(&request) {
        return refusal;
    }
    let etag = note(&api, &request, Value::Null);
    match guarded(&api, &id, etag) {
        Ok(place) => drop(api.state().people.remove(place)),
        Err(refusal) => return *refusal,
    }
    HttpResponse::NoContent().finish()
}
