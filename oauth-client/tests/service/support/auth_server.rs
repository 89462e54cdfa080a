//! A small authorization server on a real socket that keeps the RFCs, counts what it is asked, and can be made to fail.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use actix_web::web::{self, Data, Form, Query};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shared::form::encode;
use shared::random::random_token;

pub const CLIENT: &str = "c_app:1";
pub const SECRET: &str = "s e+c/r=et";

/// What it does next, and what it has seen.
#[derive(Default)]
pub struct State {
    // How it behaves.
    pub metadata: HashMap<&'static str, Value>,
    pub metadata_down: bool,
    /// Sent instead of a code.
    pub authorize_error: Option<&'static str>,
    /// `iss` in callbacks: `None` the issuer, `Some(None)` none, `Some(Some(x))` x.
    pub iss: Option<Option<String>>,
    pub expires_in: Option<u64>,
    pub scope: Option<String>,
    /// Who signs in, where it tells.
    pub person: Option<&'static str>,
    pub token_delay: Duration,
    /// Token requests are counted, and then wait until this is false again.
    pub holds_tokens: bool,
    /// Status and body instead of a token answer.
    pub token_answer: Option<(u16, Value)>,
    pub refresh_answer: Option<(u16, Value)>,
    pub keep_refresh_token: bool,
    pub revoke_status: Option<u16>,
    pub revoke_delay: Duration,
    // What it knows and has seen.
    codes: HashMap<String, HashMap<String, String>>,
    refresh_tokens: HashSet<String>,
    pub access_tokens: HashSet<String>,
    pub last_authorize: HashMap<String, String>,
    pub exchanges: usize,
    pub refreshes: usize,
    pub revoked: Vec<String>,
    /// Everything secret that was given out.
    pub secrets: Vec<String>,
}

#[derive(Clone)]
pub struct AuthServer {
    pub issuer: String,
    state: Arc<Mutex<State>>,
}

impl AuthServer {
    pub async fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener)
    }

    pub fn on(listener: std::net::TcpListener) -> Self {
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { issuer, state: Arc::default() };
        server.state().person = Some("u_ada");
        let data = Data::new(server.clone());
        let run = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/.well-known/oauth-authorization-server", web::get().to(metadata))
                .route("/authorize", web::get().to(authorize))
                .route("/token", web::post().to(token))
                .route("/revoke", web::post().to(revoke))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        actix_rt::spawn(run);
        server
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Waits until the condition holds.
    pub async fn until(&self, holds: impl Fn(&State) -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !holds(&self.state()) {
            assert!(Instant::now() < end, "it never comes to that");
            actix_rt::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Makes every access token that is out there invalid.
    pub fn expire_access_tokens(&self) {
        self.state().access_tokens.clear();
    }

    fn authenticates(&self, request: &HttpRequest) -> bool {
        let expected = STANDARD.encode(format!("{}:{}", encode(CLIENT), encode(SECRET)));
        let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        header == Some(&format!("Basic {expected}"))
    }

    fn issue(state: &mut State, refresh: Option<String>) -> Value {
        let access = random_token("oat_");
        let refresh = refresh.unwrap_or_else(|| random_token("ort_"));
        state.access_tokens.insert(access.clone());
        state.refresh_tokens.insert(refresh.clone());
        state.secrets.extend([access.clone(), refresh.clone()]);
        let scope = state.scope.clone().unwrap_or_else(|| "people:read people:write countries:read".to_owned());
        let mut answer = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": state.expires_in.unwrap_or(900), "scope": scope,
        });
        if !state.keep_refresh_token || state.refreshes == 0 {
            answer["refresh_token"] = refresh.into();
        }
        answer
    }
}

async fn metadata(server: Data<AuthServer>) -> HttpResponse {
    let state = server.state();
    if state.metadata_down {
        return HttpResponse::ServiceUnavailable().finish();
    }
    let issuer = &server.issuer;
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize?kept=1"),
        "token_endpoint": format!("{issuer}/token"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    });
    for (key, value) in &state.metadata {
        document[*key] = value.clone();
    }
    HttpResponse::Ok().json(document)
}

async fn authorize(server: Data<AuthServer>, query: Query<HashMap<String, String>>) -> HttpResponse {
    let mut state = server.state();
    state.last_authorize = query.0.clone();
    let iss = match &state.iss {
        None => Some(server.issuer.clone()),
        Some(iss) => iss.clone(),
    };
    let mut location = format!("{}?state={}", query["redirect_uri"], encode(&query["state"]));
    if let Some(iss) = iss {
        location.push_str(&format!("&iss={}", encode(&iss)));
    }
    match state.authorize_error {
        Some(error) => {
            location.push_str(&format!("&error={error}&error_description=%3Cscript%3Ealert(1)%3C/script%3E"))
        }
        None => {
            let code = random_token("oac_");
            location.push_str(&format!("&code={code}"));
            state.secrets.push(code.clone());
            state.codes.insert(code, query.0.clone());
        }
    }
    HttpResponse::SeeOther().insert_header(("location", location)).finish()
}

async fn token(server: Data<AuthServer>, request: HttpRequest, form: Form<HashMap<String, String>>) -> HttpResponse {
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let delay = server.state().token_delay;
    let refuse = |error: &str| HttpResponse::BadRequest().json(json!({ "error": error }));
    if !server.authenticates(&request) {
        return HttpResponse::Unauthorized().json(json!({ "error": "invalid_client" }));
    }
    let is_refresh = field("grant_type") == "refresh_token";
    let dialled = {
        let mut state = server.state();
        if is_refresh {
            state.refreshes += 1;
            state.refresh_answer.clone()
        } else {
            state.exchanges += 1;
            state.token_answer.clone()
        }
    };
    actix_rt::time::sleep(delay).await;
    while server.state().holds_tokens {
        actix_rt::time::sleep(Duration::from_millis(5)).await;
    }
    if let Some((status, body)) = dialled {
        return HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).json(body);
    }
    let mut state = server.state();
    if is_refresh {
        let old = field("refresh_token");
        let known = if state.keep_refresh_token {
            state.refresh_tokens.contains(&old)
        } else {
            state.refresh_tokens.remove(&old)
        };
        if !known {
            return refuse("invalid_grant");
        }
        let kept = state.keep_refresh_token.then_some(old);
        return HttpResponse::Ok().json(AuthServer::issue(&mut state, kept));
    }
    let Some(asked) = state.codes.remove(&field("code")) else { return refuse("invalid_grant") };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier")));
    if challenge != asked["code_challenge"] || field("redirect_uri") != asked["redirect_uri"] {
        return refuse("invalid_grant");
    }
    let mut answer = AuthServer::issue(&mut state, None);
    if let Some(person) = state.person {
        answer["sub"] = person.into();
    }
    HttpResponse::Ok().json(answer)
}

async fn revoke(server: Data<AuthServer>, request: HttpRequest, form: Form<HashMap<String, String>>) -> HttpResponse {
    let (delay, dialled) = {
        let state = server.state();
        (state.revoke_delay, state.revoke_status)
    };
    actix_rt::time::sleep(delay).await;
    if !server.authenticates(&request) {
        return HttpResponse::Unauthorized().json(json!({ "error": "invalid_client" }));
    }
    if let Some(status) = dialled {
        return HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).finish();
    }
    let mut state = server.state();
    let token = form["token"].clone();
    state.access_tokens.remove(&token);
    state.refresh_tokens.remove(&token);
    state.revoked.push(token);
    HttpResponse::Ok().finish()
}
