//! The audit log in the console: filtered, paged, and exported as JSON lines (F-063).

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;
use shared::form::{Parameters, encode};
use shared::store::StoreError;

use super::listing::PAGE;
use super::names::{Names, Party};
use super::times::{Time, day_start, length};
use super::{Admin, Faults, Instead, answer, text};
use crate::app::App;
use crate::audit::{Event, EventFilter, EventKind, Outcome};
use crate::browser_form;
use crate::directory::{EventId, EventPage};

/// Entries read at a time for an export.
const BATCH: usize = 500;
const DAY: i64 = 86_400;

/// One entry in words.
#[derive(Serialize)]
pub struct EventLine {
    time: Time,
    kind: &'static str,
    failed: bool,
    reason: String,
    actor: Option<Party>,
    subject: Option<Party>,
    client: Option<Party>,
    ip: String,
    agent: String,
    request_id: String,
    changes: Vec<ChangeLine>,
    /// What else is told, by name.
    details: Vec<(String, String)>,
}

#[derive(Serialize)]
struct ChangeLine {
    field: String,
    before: String,
    after: String,
}

impl EventLine {
    async fn of(event: Event, names: &mut Names<'_>) -> Result<Self, StoreError> {
        let (changes, details) = detail(event.detail.as_ref());
        Ok(Self {
            time: Time::of(event.at),
            kind: event.kind.as_str(),
            failed: event.outcome == Outcome::Failure,
            reason: event.reason.unwrap_or_default(),
            actor: party(names, event.actor.as_deref()).await?,
            subject: party(names, event.subject.as_deref()).await?,
            client: party(names, event.client.as_deref()).await?,
            ip: event.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            agent: event.agent.unwrap_or_default(),
            request_id: event.request_id.unwrap_or_default(),
            changes,
            details,
        })
    }
}

async fn party(names: &mut Names<'_>, id: Option<&str>) -> Result<Option<Party>, StoreError> {
    match id {
        Some(id) => names.of(id).await.map(Some),
        None => Ok(None),
    }
}

/// What differs, field by field, and what else stands in an event's detail.
fn detail(detail: Option<&Value>) -> (Vec<ChangeLine>, Vec<(String, String)>) {
    let part = |name: &str| detail.and_then(|detail| detail.get(name)).and_then(Value::as_object);
    let (before, after) = (part("before"), part("after"));
    let told = |of: Option<&serde_json::Map<String, Value>>, field: &str| {
        of.and_then(|of| of.get(field)).map(plain).unwrap_or_default()
    };
    let fields = before.into_iter().flat_map(|before| before.keys());
    let more = after.into_iter().flat_map(|after| after.keys());
    let more = more.filter(|field| !before.is_some_and(|before| before.contains_key(*field)));
    let changes = fields
        .chain(more)
        .map(|field| ChangeLine { field: field.clone(), before: told(before, field), after: told(after, field) })
        .collect();
    let rest = detail.and_then(Value::as_object).into_iter().flatten();
    let rest = rest.filter(|(name, _)| !matches!(name.as_str(), "before" | "after"));
    (changes, rest.map(|(name, value)| (name.clone(), plain(value))).collect())
}

/// A value without the marks of JSON, where it can do without.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(on) => if *on { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The newest entries that fit a filter, for other pages.
pub async fn newest(app: &App, filter: &EventFilter) -> Result<Vec<EventLine>, StoreError> {
    let found = app.audit.list(filter, &EventPage::newest(10)).await?;
    let mut names = Names::new(app);
    let mut lines = Vec::new();
    for recorded in found {
        lines.push(EventLine::of(recorded.event, &mut names).await?);
    }
    Ok(lines)
}

/// The filter as typed.
#[derive(Serialize)]
struct Typed {
    kind: String,
    /// `success`, `failure`, or empty for both.
    outcome: String,
    /// A user's name or id.
    who: String,
    client: String,
    ip: String,
    from: String,
    to: String,
}

impl Typed {
    fn read(parameters: &Parameters) -> Result<Self, Instead> {
        Ok(Self {
            kind: text(parameters, "kind")?,
            outcome: text(parameters, "outcome")?,
            who: text(parameters, "who")?,
            client: text(parameters, "client")?,
            ip: text(parameters, "ip")?,
            from: text(parameters, "from")?,
            to: text(parameters, "to")?,
        })
    }

    /// What it asks for, and what of it can't be read.
    async fn filter(&mut self, app: &App) -> Result<(EventFilter, Faults), StoreError> {
        let mut faults = Faults::new();
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut filter = EventFilter { client: given(&self.client), ..EventFilter::default() };
        let mut refuse = |field, told: &str| {
            faults.insert(field, told.to_owned());
        };
        if let Some(kind) = given(&self.kind) {
            match kind.parse() {
                Ok(kind) => filter.kind = Some(kind),
                Err(_) => refuse("kind", "choose one of the list"),
            }
        }
        match self.outcome.as_str() {
            "" => {}
            "success" => filter.outcome = Some(Outcome::Success),
            "failure" => filter.outcome = Some(Outcome::Failure),
            _ => refuse("outcome", "choose one of the list"),
        }
        if let Some(ip) = given(&self.ip) {
            match ip.parse() {
                Ok(ip) => filter.ip = Some(ip),
                Err(_) => refuse("ip", "is no IP address"),
            }
        }
        for (field, text, end) in [("from", &mut self.from, false), ("to", &mut self.to, true)] {
            match (given(text), day_start(text)) {
                (None, _) => {}
                (Some(typed), None) => {
                    refuse(field, &format!("{typed:?} is no day, such as 2026-01-31"));
                    // A field of days can't hold what is none: the browser would complain of the page.
                    text.clear();
                }
                (Some(_), Some(start)) if end => filter.until = Some(start.saturating_add(DAY)),
                (Some(_), Some(start)) => filter.since = Some(start),
            }
        }
        if let Some(who) = given(&self.who) {
            // A name that nobody has any more may still be an id.
            let user = app.users.find_by_username(&who).await?;
            filter.who = Some(user.map_or(who, |user| user.id));
        }
        Ok((filter, faults))
    }

    /// The filter as a query, without a mark before it.
    fn query(&self) -> String {
        let pairs = [
            ("kind", &self.kind),
            ("outcome", &self.outcome),
            ("who", &self.who),
            ("client", &self.client),
            ("ip", &self.ip),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
    }
}

#[derive(Serialize)]
struct Log {
    typed: Typed,
    faults: Faults,
    kinds: Vec<&'static str>,
    filtered: bool,
    events: Vec<EventLine>,
    /// Links of this page; empty where there is no such page.
    first: String,
    next: String,
    export: String,
    kept_for: String,
}

/// GET /management/audit.
pub async fn list(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let parameters = browser_form::query(&request)?;
        let mut typed = Typed::read(&parameters)?;
        let filtered = !typed.query().is_empty();
        let (filter, faults) = typed.filter(&app).await?;
        let after = parameters.one("after")?.map(|id| EventId(id.to_owned()));
        let query = typed.query();
        let path = format!("{}/management/audit", app.config.root());
        let link = |path: &str, after: Option<&str>| {
            let after = after.map(|after| format!("after={}", encode(after)));
            let parts: Vec<&str> = [query.as_str(), after.as_deref().unwrap_or_default()]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect();
            if parts.is_empty() { path.to_owned() } else { format!("{path}?{}", parts.join("&")) }
        };
        let mut found = Vec::new();
        if faults.is_empty() {
            let page = EventPage { after: after.clone(), ..EventPage::newest(PAGE + 1) };
            found = app.audit.list(&filter, &page).await?;
        }
        let next = found.get(PAGE).and_then(|_| found.get(PAGE - 1)).map(|last| last.id.0.clone());
        found.truncate(PAGE);
        let mut names = Names::new(&app);
        let mut events = Vec::new();
        for recorded in found {
            events.push(EventLine::of(recorded.event, &mut names).await?);
        }
        let mut kinds: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        kinds.sort_unstable();
        let log = Log {
            filtered,
            first: after.map(|_| link(&path, None)).unwrap_or_default(),
            next: next.map(|next| link(&path, Some(&next))).unwrap_or_default(),
            export: link(&format!("{path}/export"), None),
            kept_for: length(app.config.lifetimes.audit),
            kinds,
            events,
            typed,
            faults,
        };
        let status = if log.faults.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        Ok(admin.page(&app, status, "audit", "management_audit.html", log))
    })
    .await
}

/// An export on its way.
struct Export {
    app: web::Data<App>,
    filter: EventFilter,
    page: EventPage,
    done: bool,
}

/// GET /management/audit/export: the entries that fit the filter, the oldest first, one JSON object a line.
pub async fn export(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, async {
        Admin::visiting(&app, &request).await?;
        let mut typed = Typed::read(&browser_form::query(&request)?)?;
        let (filter, faults) = typed.filter(&app).await?;
        if !faults.is_empty() {
            return Err(Instead::not_found());
        }
        let page = EventPage { oldest_first: true, ..EventPage::newest(BATCH) };
        let export = Export { app: app.clone(), filter, page, done: false };
        Ok(HttpResponse::Ok()
            .content_type("application/x-ndjson")
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"audit.jsonl\""))
            .streaming(stream::try_unfold(export, next_lines)))
    })
    .await
}

/// Some more lines; an error cuts the answer off, so that half of a log is never taken for the whole.
async fn next_lines(mut export: Export) -> Result<Option<(Bytes, Export)>, StoreError> {
    if export.done {
        return Ok(None);
    }
    let found = export.app.audit.list(&export.filter, &export.page).await?;
    export.done = found.len() < BATCH;
    export.page.after = found.last().map(|last| last.id.clone()).or(export.page.after);
    let mut text = Vec::new();
    for recorded in &found {
        serde_json::to_writer(&mut text, &recorded.event)
            .map_err(|error| StoreError::Corrupt(format!("an entry of the audit log: {error}")))?;
        text.push(b'\n');
    }
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some((text.into(), export)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_shown_field_by_field() {
        let told = json!({"scope": "read", "before": {"roles": ["a"], "on": true}, "after": {"roles": ["a", "b"], "name": "x"}});
        let (changes, details) = detail(Some(&told));
        let changes: Vec<_> = changes
            .iter()
            .map(|change| (change.field.as_str(), change.before.as_str(), change.after.as_str()))
            .collect();
        assert_eq!(changes, [("roles", "a", "a, b"), ("on", "yes", ""), ("name", "", "x")]);
        assert_eq!(details, [("scope".to_owned(), "read".to_owned())]);
    }
}
