//! What the audit log tells of a start: that it was one, and what is not as it was at the last (F-062).

use serde_json::{Value, json};
use shared::store::StoreError;

use crate::app::App;
use crate::audit::{Author, Event, EventKind};
use crate::config::Config;

/// Under which the last start is remembered.
const NOTE: &str = "last_start";

/// Notes a start, in one write with what is remembered of it. What the log does not take is no start.
pub async fn note(app: &App) -> Result<(), StoreError> {
    let corrupt = |error: serde_json::Error| StoreError::Corrupt(format!("the note of the last start: {error}"));
    let now = json!({
        "version": env!("CARGO_PKG_VERSION"), "settings": settings(&app.config), "schema": app.schema,
    });
    let before =
        app.notes.get(NOTE).await?.map(|text| serde_json::from_str::<Value>(&text)).transpose().map_err(corrupt)?;
    let text = serde_json::to_string(&now).map_err(corrupt)?;
    app.notes.put(NOTE, &text, &events(before.as_ref(), &now)).await
}

fn events(before: Option<&Value>, now: &Value) -> Vec<Event> {
    let event = |kind| Event::new(kind).by(&Author::server());
    let mut events = Vec::new();
    if let Some(before) = before {
        for (part, kind) in [("schema", EventKind::Migrated), ("settings", EventKind::SettingsChanged)] {
            let event = event(kind).changing(&before[part], &now[part]);
            if event.changes_anything() {
                events.push(event);
            }
        }
    }
    events.push(event(EventKind::Started).detail(json!({ "version": now["version"] })));
    events
}

/// Every setting by its name, as it prints: secrets don't.
fn settings(config: &Config) -> Value {
    let text = format!("{config:#?}");
    let mut path: Vec<&str> = Vec::new();
    let mut told = serde_json::Map::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some((name, value)) = line.split_once(": ").filter(|(name, _)| is_name(name)) {
            if value.ends_with('{') || value.ends_with('(') || value.ends_with('[') {
                path.push(name);
            } else {
                let name = path.iter().filter(|part| !part.is_empty()).chain([&name]).copied().collect::<Vec<_>>();
                told.insert(name.join("."), value.trim_end_matches(',').into());
            }
        } else if matches!(line.trim_end_matches(','), "}" | ")" | "]") {
            path.pop();
        } else if line.ends_with('{') || line.ends_with('(') || line.ends_with('[') {
            path.push("");
        } else {
            let name = path.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(".");
            let value = line.trim_end_matches(',');
            let longer = match told.get(&name).and_then(Value::as_str) {
                Some(before) => format!("{before}, {value}"),
                None => value.to_owned(),
            };
            told.insert(name, longer.into());
        }
    }
    Value::Object(told)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::app;
    use crate::audit::EventFilter;
    use crate::directory::EventPage;

    #[test]
    fn settings_are_told_by_their_names() {
        let text = "server.tls = false\nlifetimes.access = 901\nserver.trusted_proxies = ['10.0.0.1', '10.1.0.0/16']";
        let told = settings(&shared::config::parse(text).unwrap());
        assert_eq!(told["lifetimes.access"], "901");
        assert_eq!(told["password_grant"], "false");
        assert!(told["server.trusted_proxies"].as_str().unwrap().contains("10.0.0.1"), "{told}");
        assert!(told["issuer.text"].as_str().or(told["issuer"].as_str()).unwrap().contains("127.0.0.1"), "{told}");
    }

    /// F-062: start, settings and migration.
    #[actix_rt::test]
    async fn a_start_tells_what_is_not_as_it_was() {
        let (_folder, mut app) = app::for_test();
        note(&app).await.unwrap();
        note(&app).await.unwrap();
        app.config.password_grant = true;
        app.schema.insert("directory".to_owned(), 99);
        note(&app).await.unwrap();
        let page = EventPage { oldest_first: true, ..EventPage::newest(9) };
        let found = app.audit.list(&EventFilter::default(), &page).await.unwrap();
        let kinds: Vec<_> = found.iter().map(|recorded| recorded.event.kind).collect();
        use EventKind::{Migrated, SettingsChanged, Started};
        assert_eq!(kinds, [Started, Started, Migrated, SettingsChanged, Started]);
        let detail = found[3].event.detail.clone().unwrap();
        assert_eq!(detail, json!({"before": {"password_grant": "false"}, "after": {"password_grant": "true"}}));
        assert_eq!(found[2].event.detail.as_ref().unwrap()["after"]["directory"], 99);
    }
}
