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
    let user = json!({
        "id": "u_1", "username": "alice", "roles": ["admin"], "disabled": false, "must_change": true,
        "created": "2026-01-01T00:00:00Z", "created_day": "2026-01-01",
    });
    let client = json!({
        "id": "c_1", "name": "Shop", "public": false, "grants": ["authorization_code"], "scopes": "read",
        "disabled": true, "weaknesses": ["no PKCE"],
    });
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
        ("management_client_created.html", frame("clients", json!({"client": client, "secret": "s"}))),
        (
            "management_client_list.html",
            frame(
                "clients",
                json!({
                    "q": "x", "clients": [client], "first": "/a", "next": "/b",
                }),
            ),
        ),
        (
            "management_client_new.html",
            frame(
                "clients",
                json!({
                    "form": form, "faults": {"client_name": "is missing", "grant_types": "are empty", "require_pkce": "no"},
                    "scopes_known": "", "default_resource": "urn:x", "confirm": ["no PKCE"],
                }),
            ),
        ),
        (
            "management_overview.html",
            frame(
                "overview",
                json!({
                    "issuer": "https://a", "metadata": "m", "authorization_endpoint": "a", "token_endpoint": "t", "warnings": ["w"],
                }),
            ),
        ),
        ("management_parts.html", json!({})),
        (
            "management_scopes.html",
            frame(
                "scopes",
                json!({
                    "scopes": [{"name": "read", "text": "Read", "role": null}],
                }),
            ),
        ),
        ("management_user_created.html", frame("users", json!({"user": user, "password": "p"}))),
        ("management_user_list.html", frame("users", json!({"q": "", "users": [user], "first": "", "next": ""}))),
        (
            "management_user_new.html",
            frame(
                "users",
                json!({
                    "form": {"username": "a", "roles": "b"}, "faults": {"roles": "bad"},
                }),
            ),
        ),
        ("signed_out.html", json!({})),
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
