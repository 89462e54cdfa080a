//! `HOOKS` and `hooks`: event → webhooks (contract 2.4).

use std::time::Duration;

use bson::{Bson, Document};
use shared::Secret;

use super::section::{Report, Section};
use crate::config::{Rest, checked};
use crate::domain::{Event, Hooks, Webhook, signing_key};

/// What `HOOKS` says, in the file's order.
#[derive(Debug, Default)]
pub struct AppHooks(Vec<(Target, Vec<Webhook>)>);

#[derive(Debug)]
struct Target {
    event: Event,
    /// Only of this resource; `None`: of whatever it happens to.
    resource: Option<String>,
}

impl AppHooks {
    /// Of what happens to no resource: the home page, errors.
    pub fn of_none(&self) -> Hooks {
        self.of(|target| target.resource.is_none())
    }

    fn of(&self, wanted: impl Fn(&Target) -> bool) -> Hooks {
        let mut hooks = Hooks::default();
        for (target, webhooks) in self.0.iter().filter(|(target, _)| wanted(target)) {
            hooks.add(target.event, webhooks.iter().cloned());
        }
        hooks
    }
}

/// `on_insert` is told of every resource, `on_insert_people` of one. `resources`: the keys there are.
pub fn read_app(section: &Section<'_>, resources: &Document) -> AppHooks {
    let Some(written) = section.document("HOOKS") else { return AppHooks::default() };
    let entries = written.iter().filter_map(|(name, value)| {
        let place = Place { report: section.report, resource: None, rule: format!("HOOKS.{name}") };
        let target = target(name, resources).map_err(|message| place.fault(message)).ok()?;
        Some((target, place.webhooks(value)))
    });
    AppHooks(entries.collect())
}

/// All of one resource: those of the whole API, those of the API for this resource, its own.
pub fn read_own(key: &str, section: &Section<'_>, app: &AppHooks) -> Hooks {
    let mut hooks = app.of_none();
    for (target, webhooks) in app.0.iter().filter(|(target, _)| target.resource.as_deref() == Some(key)) {
        hooks.add(target.event, webhooks.iter().cloned());
    }
    for (name, value) in section.document("hooks").into_iter().flatten() {
        let place = Place { report: section.report, resource: section.resource, rule: format!("hooks.{name}") };
        match Event::from_name(name) {
            Some(event) => hooks.add(event, place.webhooks(value)),
            None => place.fault(unknown(name)),
        }
    }
    hooks
}

/// A resource's name may look like the end of another event's: the whole name comes first.
fn target(name: &str, resources: &Document) -> Result<Target, String> {
    if let Some(event) = Event::from_name(name) {
        return Ok(Target { event, resource: None });
    }
    let mut missing = None;
    for (event_name, event) in Event::NAMES {
        let Some(resource) = name.strip_prefix(event_name).and_then(|rest| rest.strip_prefix('_')) else { continue };
        if resources.contains_key(resource) {
            return Ok(Target { event, resource: Some(resource.to_owned()) });
        }
        missing = Some(format!("there is no resource '{resource}'"));
    }
    Err(missing.unwrap_or_else(|| unknown(name)))
}

fn unknown(name: &str) -> String {
    let is = |event: &&&str| name.strip_prefix(*event).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    match Event::UNSERVED.iter().find(is) {
        Some(_) => "not in this version: nothing happens that it would be told of".to_owned(),
        None => "there is no such event".to_owned(),
    }
}

/// An event of the file, for its faults.
struct Place<'a> {
    report: &'a Report,
    resource: Option<&'a str>,
    rule: String,
}

impl Place<'_> {
    fn fault(&self, message: impl Into<String>) {
        self.report.fault(self.resource, None, Some(&self.rule), message);
    }

    /// One, or several in the order to call them.
    fn webhooks(&self, value: &Bson) -> Vec<Webhook> {
        match value {
            Bson::Array(values) => values.iter().filter_map(|value| self.webhook(value)).collect(),
            value => self.webhook(value).into_iter().collect(),
        }
    }

    fn webhook(&self, value: &Bson) -> Option<Webhook> {
        let faulty = |message: String| self.fault(message);
        match value {
            Bson::String(url) => {
                let url = checked(url, Rest::PathAndQuery).map_err(faulty).ok()?;
                Some(Webhook { url, timeout: None, secret: None })
            }
            Bson::Document(written) => {
                let known = |name: &&String| matches!(name.as_str(), "url" | "timeout" | "secret");
                if let Some(name) = written.keys().find(|name| !known(name)) {
                    self.fault(format!("has no part {name}: use url, timeout and secret"));
                }
                let url = written.get_str("url").unwrap_or_default();
                let url = checked(url, Rest::PathAndQuery).map_err(faulty);
                let timeout = written.get("timeout").map(timeout).transpose().map_err(faulty);
                let secret = written.get("secret").map(secret).transpose().map_err(faulty);
                Some(Webhook { url: url.ok()?, timeout: timeout.ok()?, secret: secret.ok()? })
            }
            _ => {
                self.fault("must be a URL, a mapping with a url, or a list of them");
                None
            }
        }
    }
}

fn timeout(value: &Bson) -> Result<Duration, String> {
    let seconds = match value {
        Bson::Int32(seconds) => f64::from(*seconds),
        Bson::Double(seconds) => *seconds,
        _ => 0.0,
    };
    let sane = (0.001..=60.0).contains(&seconds);
    if sane { Ok(Duration::from_secs_f64(seconds)) } else { Err("timeout: from 0.001 to 60 seconds".to_owned()) }
}

/// Never in the file itself, which is read by many.
fn secret(value: &Bson) -> Result<Secret, String> {
    let file =
        value.as_document().filter(|written| written.len() == 1).and_then(|written| written.get_str("file").ok());
    let file = file.ok_or("secret: must be { file = \"path\" }")?;
    let secret: Secret =
        serde_json::from_value(serde_json::json!({ "file": file })).map_err(|error| format!("secret: {error}"))?;
    signing_key(&secret).map_err(|error| format!("secret: {file} {error}"))?;
    Ok(secret)
}
