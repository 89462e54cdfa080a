//! Where events begin: the hooks before and after a request (HOOK-01), and whom a context's events are told.

use actix_web::body::{BodySize, MessageBody as _};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use bson::Document;

use super::context::Context;
use crate::app::App;
use crate::auth::Caller;
use crate::domain::{Event, Method, Resource};
use crate::error::ApiError;
use crate::hooks::{About, Listeners};

/// Bytes of an answer that is told as a whole.
const LONGEST_TOLD: u64 = 1 << 20;

/// In a request's extensions: what is known of it when it is answered.
struct Entered {
    caller: Caller,
    resource: Option<String>,
}

/// Remembers who was let in, and where. Only called where there are hooks.
pub fn note(request: &HttpRequest, caller: &Caller, resource: Option<&Resource>) {
    let resource = resource.map(|resource| resource.key.clone());
    request.extensions_mut().insert(Entered { caller: caller.clone(), resource });
}

impl Context<'_> {
    /// Who hears of an event of this request; `None`: nobody.
    pub fn listeners(&self, event: Event) -> Option<Listeners<'_>> {
        let hooks = self.app.hooks.as_ref()?;
        let about = About {
            event,
            resource: Some(&self.resource.key),
            method: self.method,
            path: self.request.path(),
            query: self.request.query_string(),
            token: self.caller.token.as_deref(),
        };
        hooks.listeners(&self.resource.hooks, about)
    }

    /// The hooks between the gate and the endpoint (REQ-02), which may narrow what the endpoint sees.
    pub async fn enter(&mut self) -> Result<(), ApiError> {
        if self.app.hooks.is_none() {
            return Ok(());
        }
        note(self.request, &self.caller, Some(self.resource));
        let Some(listeners) = self.listeners(Event::Pre(self.method)) else { return Ok(()) };
        let narrowed = listeners.narrow(&self.lookup(), self.resource, &self.app.domain.settings).await?;
        self.narrowed = narrowed;
        Ok(())
    }

    /// Fields and values of the URL.
    pub fn lookup(&self) -> Document {
        let parents = self.parents().map(|(field, value)| (field.to_owned(), value));
        parents.chain(self.item().map(|(field, value)| (field.to_owned(), value.clone()))).collect()
    }
}

/// Tells of the answer. `failed`: it is an error, which belongs to no resource. `name`: the method as requested; that of a HEAD
/// is told to nobody.
pub fn answered(app: &App, request: &HttpRequest, name: &str, failed: bool, response: HttpResponse) -> HttpResponse {
    let (Some(hooks), Some(method)) = (&app.hooks, Method::from_name(name)) else { return response };
    let entered = request.extensions_mut().remove::<Entered>();
    let key = entered.as_ref().and_then(|entered| entered.resource.as_ref()).filter(|_| !failed);
    let resource = key.and_then(|key| app.domain.resource(key));
    let about = About {
        event: Event::Post(method),
        resource: resource.map(|resource| resource.key.as_str()),
        method,
        path: request.path(),
        query: request.query_string(),
        token: entered.as_ref().and_then(|entered| entered.caller.token.as_deref()),
    };
    let webhooks = resource.map_or(&app.domain.settings.hooks, |resource| &resource.hooks);
    let Some(listeners) = hooks.listeners(webhooks, about) else { return response };
    let status = response.status().as_u16().to_string().into_bytes();
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let told = json && matches!(response.body().size(), BodySize::Sized(1..=LONGEST_TOLD));
    if !told {
        listeners.tell(&[("status", Ok(status)), ("response", Ok(b"null".to_vec()))]);
        return response;
    }
    let (head, body) = response.into_parts();
    match body.try_into_bytes() {
        Ok(json) => {
            listeners.tell(&[("status", Ok(status)), ("response", Ok(json.to_vec()))]);
            head.set_body(json).map_into_boxed_body()
        }
        Err(streamed) => head.set_body(streamed),
    }
}
