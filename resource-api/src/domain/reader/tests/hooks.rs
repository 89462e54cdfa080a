//! `HOOKS` and `hooks`, good and bad.

use serde_json::{Value, json};

use super::{faults, read};
use crate::domain::{Event, Method};

/// HOOK-02: those of the whole API first, then those for the resource, then its own; each in its order.
#[test]
fn webhooks_are_listed_in_the_order_they_are_called() {
    let domain = read(&json!({
        "HOOKS": {
            "on_insert_people": "https://h.test/2",
            "on_insert": ["https://h.test/0", { "url": "https://h.test/1", "timeout": 1.5 }],
            "on_post_GET": "http://127.0.0.1:8000/hook?key=x",
            "on_delete_resource_originals": "https://h.test/generic",
            "on_delete_resource_other_things": "https://h.test/one",
        },
        "DOMAIN": {
            "people": { "hooks": { "on_insert": "https://h.test/3" } },
            "originals": { "hooks": {} }, "other_things": {},
        },
    }));
    let of = |resource: &str, event| -> Vec<String> {
        domain.resource(resource).unwrap().hooks.of(event).iter().map(|hook| hook.url.to_string()).collect()
    };
    let numbers = |resource| -> Vec<String> {
        of(resource, Event::Insert).iter().map(|url| url.rsplit('/').next().unwrap().to_owned()).collect()
    };
    assert_eq!(numbers("people"), ["0", "1", "2", "3"]);
    assert_eq!(numbers("other_things"), ["0", "1"]);
    // A name that is an event's is that, though there is a resource it may mean.
    assert_eq!(of("people", Event::DeleteResourceOriginals), ["https://h.test/generic"]);
    assert!(of("originals", Event::DeleteResource).is_empty());
    assert_eq!(of("other_things", Event::DeleteResource), ["https://h.test/one"]);
    assert_eq!(domain.settings.hooks.of(Event::Post(Method::Get)).len(), 1);
    assert_eq!(domain.settings.hooks.of(Event::Insert).len(), 2);
    let timeout = domain.settings.hooks.of(Event::Insert)[1].timeout.unwrap();
    assert_eq!(timeout.as_secs_f64(), 1.5);
    // What is logged or printed has nothing that may be secret.
    assert!(!format!("{:?}", domain.settings.hooks).contains("key"));
}

/// CFG-18: every fault at once, with resource and event; addresses that may hold secrets are not repeated.
#[test]
fn every_fault_of_a_hook_names_its_event() {
    let folder = tempfile::tempdir().unwrap();
    let short = folder.path().join("short");
    std::fs::write(&short, "short").unwrap();
    let secret = |secret: Value| json!({ "url": "https://h.test", "secret": secret });
    let found = faults(&json!({
        "HOOKS": {
            "on_insrt": "https://h.test",
            "on_insert_peple": "https://h.test",
            "on_pre_HEAD": "https://h.test",
            "on_oplog_push": "https://h.test",
            "on_fetched_diffs_people": "https://h.test",
            "on_updated": "http://h.test/secret",
            "on_deleted_item": ["not/a/url?secret", 7],
            "on_inserted": { "url": "https://u:secret@h.test", "retries": 3, "timeout": 0 },
            "on_replaced": { "timeout": 1 },
            "on_replace": [secret(json!("inline-secret-text")), secret(json!({ "file": "/nowhere/at/all" })), secret(json!({ "file": short }))],
        },
        "DOMAIN": { "people": { "hooks": {
            "on_insert_people": "https://h.test", "before_aggregation": "https://h.test", "on_update": "ftp://h.test",
        } }, "other": { "hooks": [] } },
    }));
    let short = short.display();
    let expected = [
        "HOOKS.on_insrt: there is no such event".to_owned(),
        "HOOKS.on_insert_peple: there is no resource 'peple'".to_owned(),
        "HOOKS.on_pre_HEAD: there is no such event".to_owned(),
        "HOOKS.on_oplog_push: not in this version: nothing happens that it would be told of".to_owned(),
        "HOOKS.on_fetched_diffs_people: not in this version: nothing happens that it would be told of".to_owned(),
        "HOOKS.on_updated: must be https, or http on a loopback host".to_owned(),
        "HOOKS.on_deleted_item: is not a URL: relative URL without a base".to_owned(),
        "HOOKS.on_deleted_item: must be a URL, a mapping with a url, or a list of them".to_owned(),
        "HOOKS.on_inserted: has no part retries: use url, timeout and secret".to_owned(),
        "HOOKS.on_inserted: must have no user and no fragment".to_owned(),
        "HOOKS.on_inserted: timeout: from 0.001 to 60 seconds".to_owned(),
        "HOOKS.on_replaced: is not a URL: relative URL without a base".to_owned(),
        "HOOKS.on_replace: secret: must be { file = \"path\" }".to_owned(),
        "HOOKS.on_replace: secret: can't read /nowhere/at/all: No such file or directory (os error 2)".to_owned(),
        format!("HOOKS.on_replace: secret: {short} must have at least 16 bytes"),
        "people: hooks.on_insert_people: there is no such event".to_owned(),
        "people: hooks.before_aggregation: not in this version: nothing happens that it would be told of".to_owned(),
        "people: hooks.on_update: must be https, or http on a loopback host".to_owned(),
        "other: hooks: must be a mapping".to_owned(),
    ];
    assert_eq!(found, expected);
}
