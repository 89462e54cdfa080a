//! Every template, with sample data, and in an operator's own words.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::page::Policy;

use crate::support::Server;

fn samples() -> BTreeMap<&'static str, Value> {
    let frame = |section: &str, own: Value| {
        let mut data = json!({"section": section, "admin_name": "root", "csrf": "c"});
        for (name, value) in own.as_object().unwrap() {
            data[name] = value.clone();
        }
        data
    };
    let moment = json!({"instant": "2026-01-01T09:05:00Z", "text": "1 January 2026, 09:05 UTC"});
    let account = |own: Value| {
        let mut data =
            json!({"section": "overview", "username": "alice", "is_admin": true, "csrf": "c", "done": "It is done."});
        for (name, value) in own.as_object().unwrap() {
            data[name] = value.clone();
        }
        data
    };
    let time = json!({"iso": "2026-01-01T00:00:00Z", "minute": "2026-01-01 00:00", "day": "2026-01-01"});
    let user = json!({
        "id": "u_1", "username": "alice", "roles": ["admin"], "disabled": false, "must_change": true, "created": time,
    });
    let client = json!({
        "id": "c_1", "name": "Shop", "public": false, "grants": ["authorization_code"], "scopes": "read",
        "disabled": true, "weaknesses": ["no PKCE"],
    });
    let party = json!({"name": "Shop", "id": "c_1", "path": "/clients/c_1"});
    let grant = json!({
        "id": "g", "client": party, "user": null, "kind": "client_credentials", "scopes": "", "resources": ["urn:x"],
        "since": time, "used": time, "ends": time, "ip": "::1",
    });
    let event = json!({
        "time": time, "kind": "user_changed", "failed": true, "reason": "why", "actor": party, "subject": null,
        "client": party, "ip": "::1", "agent": "curl", "request_id": "r", "details": [["scope", "read"]],
        "changes": [{"field": "roles", "before": "a", "after": "b"}],
    });
    let links = json!({"first": "/a", "next": "/b"});
    let form = json!({
        "client_name": "", "client_uri": "", "token_endpoint_auth_method": "none", "redirect_uris": "", "grant_types": [],
        "scope": "", "default_scope": "", "resources": "", "introspects": "", "access_ttl": "", "flags": ["first_party"],
    });
    BTreeMap::from([
        ("account.html", account(json!({}))),
        (
            "account_apps.html",
            account(json!({"apps": [{
                "id": "c_1", "name": "Shop", "uri": "https://shop.example/", "scopes": ["Read"], "allowed": moment,
                "grants": [
                    {"id": "g", "device": "Firefox on Linux", "address": "192.0.2.1", "given": moment, "used": moment},
                    {"id": "h", "device": "curl", "address": "", "given": moment, "used": moment},
                ],
            }]})),
        ),
        ("account_notices.html", json!({})),
        (
            "account_overview.html",
            account(json!({
                "browsers": 1, "apps": 2,
                "notices": [{"id": "n", "kind": "refresh_reused", "client_name": "Shop", "at": moment}],
            })),
        ),
        (
            "account_sessions.html",
            account(json!({"sessions": [
                {
                    "id": "s", "is_this": true, "device": "Firefox on Linux", "agent": "Mozilla/5.0", "address": "192.0.2.1",
                    "signed_in": moment, "seen": moment,
                },
                {"id": "t", "is_this": false, "device": "curl", "agent": "", "address": "", "signed_in": moment, "seen": moment},
            ]})),
        ),
        (
            "account_password.html",
            json!({
                "csrf": "c", "tx": null, "next": "/oauth/", "username": "alice", "demanded": true, "minimum": 15,
                "current_error": "", "new_error": "too short",
            }),
        ),
        (
            "consent.html",
            json!({
                "csrf": "c", "tx": "t", "client_name": "Shop", "redirect_host": "shop.example", "username": "alice",
                "scopes": [{"name": "read", "text": "Read"}], "unproven": true,
            }),
        ),
        (
            "error.html",
            json!({
                "title": "No", "message": "It went wrong.", "advice": "Try again.", "detail": "why",
                "ways": [{"href": "/oauth/", "label": "Home"}],
            }),
        ),
        ("home.html", json!({"csrf": "c", "username": "alice", "is_admin": true, "notices": true})),
        (
            "login.html",
            json!({
                "csrf": "c", "tx": "t", "next": null, "client_name": "Shop", "username": "", "error": "no", "wrong": true,
                "throttled": true, "host": "auth.example",
            }),
        ),
        ("logout.html", json!({"csrf": "c", "username": "alice", "apps": ["Shop", "Blog"]})),
        ("management.html", frame("overview", json!({}))),
        (
            "management_audit.html",
            frame(
                "audit",
                json!({
                    "typed": {"kind": "started", "outcome": "", "who": "", "client": "", "ip": "x", "from": "", "to": ""},
                    "faults": {"ip": "is no IP address"}, "kinds": ["started"], "filtered": true, "events": [event],
                    "first": "/a", "next": "/b", "export": "/e", "kept_for": "90 days",
                }),
            ),
        ),
        (
            "management_client.html",
            frame(
                "clients",
                json!({
                    "client": client, "encoded_id": "c_1", "done": "Done.", "uri": "https://a", "auth_methods": ["none"],
                    "redirect_uris": ["https://a/cb"], "default_scopes": "", "resources": [], "introspects": [],
                    "access_life": "1 hour", "flags": ["First party"], "declared": true, "created": time,
                    "secrets": [{
                        "id": "s_1", "current": true, "ended": true, "imported": true, "created": time, "used": null,
                        "until": time,
                    }],
                    "grants": [grant], "more_grants": true, "events": [event],
                }),
            ),
        ),
        (
            "management_client_credentials.html",
            frame("clients", json!({"client": client, "told": "Made.", "secret": "s", "overlap": "2026-01-01 00:00"})),
        ),
        (
            "management_client_form.html",
            frame(
                "clients",
                json!({
                    "form": form, "faults": {"client_name": "is missing", "grant_types": "are empty", "require_pkce": "no"},
                    "scopes_known": "", "default_resource": "urn:x", "confirm": ["no PKCE"], "id": "c_1", "name": "Shop",
                    "version": 2, "declared": true, "overtaken": false,
                }),
            ),
        ),
        (
            "management_client_list.html",
            frame("clients", json!({"q": "x", "done": "", "clients": [client], "links": links})),
        ),
        (
            "management_confirm.html",
            frame(
                "users",
                json!({
                    "needs_password": true, "error": "no",
                    "question": {
                        "title": "Delete?", "consequences": ["It goes."], "button": "Delete", "danger": true,
                        "action": "/a", "cancel": "/b", "hidden": [["version", "1"]],
                        "choice": {"name": "overlap", "label": "How long", "options": [["0", "Now"]]},
                    },
                }),
            ),
        ),
        (
            "management_grant_list.html",
            frame("users", json!({"whose": party, "of_user": true, "grants": [grant], "links": links})),
        ),
        (
            "management_overview.html",
            frame(
                "overview",
                json!({
                    "users": 1, "admins": 1, "clients": 1, "scopes": 1, "warnings": ["w"], "more_weak_clients": 2,
                    "weak_clients": [{"id": "c_1", "name": "Shop", "weaknesses": ["no PKCE"]}], "events": [event],
                    "facts": [["Issuer", "https://a"]], "lifetimes": [["Access token", "1 hour"]],
                }),
            ),
        ),
        ("management_parts.html", json!({})),
        ("management_prove.html", frame("", json!({"action": "/a", "fields": [["version", "1"]], "error": "wrong"}))),
        (
            "management_roles.html",
            frame(
                "roles",
                json!({
                    "roles": [{"name": "admin", "encoded": "admin", "holders": 2, "opens_console": true, "scopes": ["a"]}],
                }),
            ),
        ),
        (
            "management_scope_form.html",
            frame(
                "scopes",
                json!({
                    "form": {"name": "read", "text": "Read", "role": ""}, "new": false, "encoded": "read", "roles": "admin",
                    "faults": {"text": "is missing"},
                }),
            ),
        ),
        (
            "management_scopes.html",
            frame(
                "scopes",
                json!({"done": "", "scopes": [{"name": "read", "encoded": "read", "text": "Read", "role": null}]}),
            ),
        ),
        (
            "management_user.html",
            frame(
                "users",
                json!({
                    "user": user, "encoded_id": "u_1", "done": "Done.", "password_scheme": "bcrypt", "declared": true,
                    "closed": true, "is_self": true, "last_admin": false, "more_sessions": true, "more_grants": true,
                    "sessions": [{"name": "s", "current": true, "since": time, "seen": time, "ip": "::1", "agent": "x"}],
                    "grants": [grant], "events": [event],
                }),
            ),
        ),
        (
            "management_user_form.html",
            frame(
                "users",
                json!({
                    "user": user, "version": 1, "username": "a", "roles": [{"name": "admin", "held": true}],
                    "more_roles": "", "faults": {"more_roles": "bad"}, "overtaken": false,
                }),
            ),
        ),
        (
            "management_user_list.html",
            frame("users", json!({"q": "", "role": "", "done": "", "users": [user], "links": links})),
        ),
        ("management_user_password.html", frame("users", json!({"user": user, "created": true, "password": "p"}))),
        (
            "setup.html",
            json!({
                "csrf": "c", "token": "t", "username": "root", "minimum": 15, "username_error": "is taken",
                "password_error": "",
            }),
        ),
        ("signed_out.html", json!({"username": "alice", "ended": ["Shop"], "kept": ["Blog"]})),
    ])
}

/// G-014, A-059: each template can be rendered, loads nothing and needs no script; a new one needs a sample here.
#[actix_rt::test]
async fn every_template_renders() {
    let server = Server::start().await;
    let samples = samples();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let sample = samples.get(name.as_str()).unwrap_or_else(|| panic!("no sample for {name}"));
        let text = server.app.pages.text(&name, sample, &Policy::default());
        let text = text.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert!(!text.contains("<script") && !text.contains(" style=") && !text.contains("onclick"), "{name}: {text}");
        let labels: Vec<&str> =
            text.split("<label for=\"").skip(1).map(|part| part.split('"').next().unwrap()).collect();
        for label in labels {
            assert!(text.contains(&format!("id=\"{label}\"")), "{name}: no field for the label {label}");
        }
        count += 1;
    }
    assert_eq!(count, samples.len());
}

/// G-014: a file in the operator's folder takes the place of the built-in template.
#[actix_rt::test]
async fn an_operators_template_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let own = "{% extends \"base.html\" %}{% block main %}<h1>Welcome to Acme</h1><input name=\"csrf\" value=\"{{ csrf }}\">{% endblock %}";
    std::fs::write(folder.path().join("login.html"), own).unwrap();
    let server = Server::with(&format!("templates = '{}'", folder.path().display())).await;
    let page = server.get("/oauth/login").await;
    crate::is_page(&page, 200);
    assert!(page.body.contains("Welcome to Acme") && !page.body.contains("Sign in"), "{}", page.body);
}
