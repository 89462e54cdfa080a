//! Signing in: `GET /login` sends the browser away, `GET /callback` takes it back.

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use shared::clock;
use shared::expiring::Applied;
use shared::form::{Parameters, encode};
use shared::oauth::{ErrorCode, TokenResponse};
use shared::random::random_token;
use shared::session::{Saved, Session};
use shared::store::StoreError;

use crate::account::{Account, Login, Tokens, Visitor, digest};
use crate::app::App;
use crate::error::{SiteError, see_other};
use crate::forms::{change_visitor, save_visitor};
use crate::metadata::Metadata;
use crate::provider::ProviderError;
use crate::target;

/// How long to wait before a try where the authorization server does not say, in seconds.
const RETRY_AFTER: u64 = 5;
/// How often a step is tried again when another tab of the browser was faster.
const TRIES: usize = 16;

/// `GET /login?target=/path`: begins a login of its own (E-001 to E-008).
pub async fn start(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, SiteError> {
    let parameters = Parameters::parse(request.query_string().as_bytes())?;
    let target = target::safe(&app.config.origin, parameters.one("target")?);
    let metadata = app.provider.metadata().await.map_err(|error| failed(error, &target))?;
    let (state, verifier) = (random_token(""), random_token(""));
    let url = app.provider.authorize_url(&metadata, &state, &digest(&verifier));
    let login = Login {
        state_digest: digest(&state),
        verifier,
        issuer: app.provider.issuer().to_owned(),
        redirect_uri: app.provider.redirect_uri().to_owned(),
        target,
        created_at: clock::now(),
        resumes: parameters.has("resume"),
    };
    let life = life(&app);
    let cookie = change_visitor(&app, &request, |visitor| visitor.begin(login.clone(), life)).await?;
    let mut response = see_other(&url);
    if let Some(cookie) = cookie {
        add_cookie(&mut response, &cookie)?;
    }
    Ok(response)
}

/// `GET /callback`: what the authorization server sends the browser back with (E-010 to E-020).
pub async fn callback(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, SiteError> {
    let parameters = Parameters::parse(request.query_string().as_bytes())?;
    let once = |name| parameters.one(name).map_err(|_| SiteError::AmbiguousCallback(name));
    // The state is used up before anything else is looked at (E-011).
    let (login, session) = take_login(&app, &request, once("state")?).await?;
    let (code, error, issuer) = (once("code")?, once("error")?, once("iss")?);
    let metadata = app.provider.metadata().await.map_err(|error| failed(error, &login.target))?;
    check_issuer(&login, issuer, &metadata)?;
    let code = match (code, error) {
        (Some(code), None) => code,
        (None, Some(error)) => return Err(refused(error, &login.target)),
        (Some(_), Some(_)) => return Err(SiteError::AmbiguousCallback("code and error")),
        (None, None) => return Err(SiteError::AmbiguousCallback("neither code nor error")),
    };
    let answer = app
        .provider
        .exchange(code, &login.verifier, &login.redirect_uri)
        .await
        .map_err(|error| failed(error, &login.target))?;
    finish(&app, &request, &login, session, &answer).await
}

/// `GET /missing-scope`: what was asked for and not granted (E-017).
pub async fn missing_scope(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, SiteError> {
    #[derive(Serialize)]
    struct Missing<'a> {
        scopes: Vec<&'a str>,
        target: &'a str,
    }
    let parameters = Parameters::parse(request.query_string().as_bytes())?;
    let target = target::safe(&app.config.origin, parameters.one("target")?);
    let session = app.session(&request).await?;
    let granted = app.tokens(&session).ok_or(SiteError::SignInNeeded)?.scopes.clone();
    let scopes: Vec<&str> = app.config.scopes.iter().filter(|scope| !granted.contains(scope)).collect();
    if scopes.is_empty() {
        return Ok(see_other(&target));
    }
    let page = Missing { scopes, target: &target };
    Ok(app.account_page(StatusCode::FORBIDDEN, "missing_scope.html", &session, [(); 0], "", page))
}

fn life(app: &App) -> i64 {
    i64::try_from(app.config.lifetimes.login).unwrap_or(i64::MAX)
}

fn add_cookie(response: &mut HttpResponse, cookie: &Cookie<'_>) -> Result<(), SiteError> {
    response
        .add_cookie(cookie)
        .map_err(|error| StoreError::Corrupt(format!("a cookie can't be written: {error}")).into())
}

/// The login of `state`, if it was begun in this browser; exactly one of several callbacks with it gets it.
async fn take_login(
    app: &App,
    request: &HttpRequest,
    state: Option<&str>,
) -> Result<(Login, Session<String>), SiteError> {
    let cookie = request.cookie(app.visitors.cookie_name()).is_some();
    let unknown = || SiteError::UnknownLogin { cookie };
    let state = state.ok_or_else(unknown)?;
    for _ in 0..TRIES {
        let mut session = app.visitors.load(request).await?.ok_or_else(unknown)?;
        let mut visitor = app.visitor(&session);
        let login = visitor.take(state, clock::now(), life(app)).ok_or_else(unknown)?;
        match save_visitor(app, &mut session, &visitor).await? {
            // A login that another issuer was asked for, before the configuration changed, is void (E-013).
            Saved::Done if login.issuer != app.provider.issuer() => return Err(unknown()),
            Saved::Done => return Ok((login, session)),
            Saved::Changed => {}
            Saved::Gone => return Err(unknown()),
        }
    }
    Err(unknown())
}

/// E-012, for codes and errors alike.
fn check_issuer(login: &Login, issuer: Option<&str>, metadata: &Metadata) -> Result<(), SiteError> {
    match issuer {
        Some(issuer) if issuer == login.issuer => Ok(()),
        None if !metadata.promises_iss() => Ok(()),
        _ => Err(SiteError::WrongIssuer),
    }
}

/// An error answer to the authorization request (E-015).
fn refused(error: &str, target: &str) -> SiteError {
    let target = target.to_owned();
    match serde_json::from_value(error.into()) {
        Ok(ErrorCode::AccessDenied) => SiteError::Denied { target },
        Ok(code @ (ErrorCode::TemporarilyUnavailable | ErrorCode::ServerError)) => SiteError::SignInUnavailable {
            reason: format!("it answered with {code}"),
            retry_after: RETRY_AFTER,
            target: Some(target),
        },
        Ok(code) => SiteError::SignInRefused { code: code.as_str(), target },
        Err(_) => SiteError::SignInRefused { code: "unknown", target },
    }
}

/// What the user sees when a login can't go on.
fn failed(error: ProviderError, target: &str) -> SiteError {
    match error {
        ProviderError::Unavailable { reason, retry_after } => SiteError::SignInUnavailable {
            reason,
            retry_after: retry_after.unwrap_or(RETRY_AFTER),
            target: Some(target.to_owned()),
        },
        ProviderError::Refused(Some(ErrorCode::InvalidGrant)) => SiteError::CodeRefused { target: target.to_owned() },
        ProviderError::Unusable(reason) => SiteError::TokensUnusable(reason),
        error @ (ProviderError::Refused(_) | ProviderError::Metadata(_)) => {
            SiteError::Misconfigured(format!("authorization server: {error}"))
        }
    }
}

/// Makes the session, drops what led to it, and sends the browser to its target (E-019).
async fn finish(
    app: &App,
    request: &HttpRequest,
    login: &Login,
    mut visitor_session: Session<String>,
    answer: &TokenResponse,
) -> Result<HttpResponse, SiteError> {
    let tokens = Tokens::new(answer, &app.config.scopes, clock::now());
    let missing = !app.config.scopes.within(&tokens.scopes);
    let issuer = app.provider.issuer();
    let sub = answer.sub.as_deref();
    for _ in 0..TRIES {
        let mut visitor = app.visitor(&visitor_session);
        let old = app.accounts.load(request).await?;
        // Another person's form goes, whatever this login was for; so does the target that was another's (E-048).
        let kept = visitor.kept.take_if(|kept| login.resumes || sub != Some(kept.person.as_str()));
        let before = match &kept {
            Some(kept) if login.resumes => Some(kept.person.clone()),
            _ => old.as_ref().and_then(|old| app.vault.open_person(issuer, old.data.person.as_deref()?)),
        };
        let target = match (before, sub) {
            (Some(before), Some(sub)) if before != sub => "/",
            _ => login.target.as_str(),
        };
        let kept = kept.filter(|kept| sub == Some(kept.person.as_str()));
        let (_, cookie, create) = app.accounts.create_op(
            |id| Account {
                tokens: Some(app.vault.seal(id, &tokens)),
                kept: kept.as_ref().map(|kept| app.vault.seal(id, kept)),
                person: sub.map(|sub| app.vault.seal_person(issuer, sub)),
                ..Account::default()
            },
            Vec::new(),
        )?;
        visitor_session.data = app.vault.seal(visitor_session.id(), &visitor);
        // Refused when the browser was signed out meanwhile: a login under way must not undo that (E-061).
        let mut steps = vec![app.visitors.save_op(&visitor_session)?];
        let last = is_spent(&visitor);
        if last {
            steps.push(app.visitors.end_op(&visitor_session));
        }
        if let Some(old) = old {
            steps.push(app.accounts.end_op(&old));
            if let Some(tokens) = app.tokens(&old) {
                steps.push(app.revocations.queue(&tokens)?.1);
            }
        }
        steps.push(create);
        match app.store.apply(steps).await? {
            Applied::Done => {
                let way = if missing { format!("/missing-scope?target={}", encode(target)) } else { target.to_owned() };
                let mut response = see_other(&way);
                add_cookie(&mut response, &cookie)?;
                if last {
                    add_cookie(&mut response, &app.visitors.expired_cookie())?;
                }
                return Ok(response);
            }
            Applied::Refused { found: Some(_), .. } => match app.visitors.get(visitor_session.id()).await? {
                Some(session) => visitor_session = session,
                None => break,
            },
            Applied::Refused { found: None, .. } => break,
        }
    }
    // Nobody holds these tokens now.
    app.revocations.revoke(&app.provider, &tokens).await?;
    Err(SiteError::UnknownLogin { cookie: true })
}

/// Whether nothing of the pre-login session is needed any more.
fn is_spent(visitor: &Visitor) -> bool {
    visitor.logins.is_empty() && visitor.kept.is_none()
}
