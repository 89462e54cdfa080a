//! Webhooks in the place of Eve's event hooks (HOOK-01 to HOOK-04).

mod events;
mod guide;
mod later;
mod reads;
mod receiver;
mod writes;

use resource_api::config::AuthMode;
use serde_json::{Map, Value, json};

use crate::support::{Api, with};
use receiver::Receiver;

/// Resources with dates, references and rules; `more` goes into the file.
fn domain(more: Value) -> Value {
    let people = json!({
        "name": { "type": "string", "maxlength": 10, "required": true }, "born": { "type": "datetime" },
        "friend": { "type": "objectid" }, "age": { "type": "integer" }, "pet": { "type": "dict", "allow_unknown": true },
    });
    with(
        json!({
            "RESOURCE_METHODS": ["GET", "POST", "DELETE"], "ITEM_METHODS": ["GET", "PATCH", "PUT", "DELETE"],
            "BANDWIDTH_SAVER": false,
            "DOMAIN": {
                "people": { "schema": people, "additional_lookup": { "field": "name", "url": "regex('[a-z]+')" } },
                "plain": { "schema": { "name": { "type": "string" } } },
            },
        }),
        more,
    )
}

/// An API whose resource `people` has hooks: each of these events at the path of its name.
async fn hooked(receiver: &Receiver, events: &[&str]) -> Api {
    let hooks: Map<String, Value> =
        events.iter().map(|event| (format!("{event}_people"), json!(receiver.at(&format!("/{event}"))))).collect();
    Api::start(domain(json!({ "HOOKS": hooks })), |config| {
        config.auth.mode = AuthMode::None;
        // Calls that a test holds are not given up.
        config.hooks.timeout = 60.0;
    })
    .await
}

/// A person, as its answer shows it.
async fn person(api: &Api, name: &str) -> Value {
    api.post("/people", json!({ "name": name })).await.is(201).json()
}

fn path(person: &Value) -> String {
    format!("/people/{}", person["_id"].as_str().unwrap())
}

fn etag(person: &Value) -> &str {
    person["_etag"].as_str().unwrap()
}
