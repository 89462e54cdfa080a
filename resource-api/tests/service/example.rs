//! The example API and its data, the import, and the command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use resource_api::config::AuthMode;
use resource_api::{App, Config};
use serde_json::json;

use crate::support::{Api, encoded};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn lines(file: &str) -> impl Iterator<Item = std::io::Result<String>> {
    let text = std::fs::read_to_string(examples().join(file)).unwrap();
    text.lines().map(|line| Ok(line.to_owned())).collect::<Vec<_>>().into_iter()
}

fn config(folder: &Path) -> Config {
    let mut config = Config { store: crate::support::store_in(folder), ..Config::default() };
    config.auth.mode = AuthMode::None;
    config
}

/// The shipped slice is valid by the shipped rules, and the README's first question has an answer.
#[actix_rt::test]
async fn the_example_data_satisfy_the_example_domain() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let domain = || resource_api::domain::load(&examples().join("domain.toml")).unwrap();
    let app = App::open(&config(folder.path()), domain(), "127.0.0.1:1".parse().unwrap()).await.unwrap();
    // A city without its country is refused.
    let early = resource_api::import(&app, "cities", lines("cities.ndjson").take(1)).await.unwrap();
    assert_eq!((early.inserted, early.left_out), (0, 1));
    let countries = resource_api::import(&app, "countries", lines("countries.ndjson")).await.unwrap();
    assert_eq!((countries.inserted, countries.refused.as_slice()), (252, &[][..]));
    let cities = resource_api::import(&app, "cities", lines("cities.ndjson")).await.unwrap();
    assert_eq!(cities.refused, []);
    let count = cities.inserted;
    drop(app);

    let mut config = config(folder.path());
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.tls = shared::serve::Tls::Switch(false);
    let listener = shared::serve::bind(&config.server).unwrap();
    let server = resource_api::start_with(config, domain(), listener).await.unwrap();
    let filter = encoded(&json!({ "country": "AT" }));
    let embedded = encoded(&json!({ "country": 1 }));
    let url =
        format!("http://{}/cities?where={filter}&sort=-population&max_results=5&embedded={embedded}", server.address());
    let page: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!(page["_items"][0]["name"], "Vienna");
    assert_eq!(page["_items"][0]["country"]["capital"], "Vienna");
    assert_eq!(page["_items"].as_array().unwrap().len(), 5);
    let all: serde_json::Value =
        reqwest::get(format!("http://{}/cities", server.address())).await.unwrap().json().await.unwrap();
    assert_eq!(all["_meta"]["total"], count);
    server.stop().await;
}

/// An import leaves out what is bad, says why by line, and stores the rest.
#[actix_rt::test]
async fn an_import_tells_what_it_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let domain = resource_api::domain::parse(
        resource_api::domain::Format::Json,
        &json!({ "DOMAIN": { "people": { "schema": { "name": { "type": "string", "unique": true } } } } }).to_string(),
    )
    .unwrap();
    let app = App::open(&config(folder.path()), domain, "127.0.0.1:1".parse().unwrap()).await.unwrap();
    let text = ["{\"name\": \"a\"}", "", "{\"nam\": 1}", "{", "{\"name\": \"a\"}", "5", "{\"name\": \"b\"}"];
    let lines = text.iter().map(|line| Ok((*line).to_owned()));
    let done = resource_api::import(&app, "people", lines).await.unwrap();
    assert_eq!(done.inserted, 2);
    assert_eq!(done.refused.iter().map(|refused| refused.line).collect::<Vec<_>>(), [3, 4, 5, 6]);
    assert_eq!(done.refused[0].told(), "{\"nam\":\"unknown field\"}");
    assert!(done.refused[2].told().contains("not unique"));
    assert!(resource_api::import(&app, "nothing", std::iter::empty()).await.is_err());
}

/// POST-10, VAL-43: what is taken, by an id, an index or a rule, in the store or in the file, is left out and told too.
#[actix_rt::test]
async fn an_import_leaves_out_what_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let domain = json!({ "DOMAIN": { "people": {
        "mongo_indexes": { "code": [[["code", 1]], { "unique": true, "sparse": true }] },
        "schema": { "_id": { "type": "integer" }, "code": { "type": "string" }, "name": { "type": "string", "unique": true } }
    } } });
    let domain = resource_api::domain::parse(resource_api::domain::Format::Json, &domain.to_string()).unwrap();
    let app = App::open(&config(folder.path()), domain, "127.0.0.1:1".parse().unwrap()).await.unwrap();
    let lines = || {
        let lines = [
            r#"{"_id": 1, "name": "ada"}"#,
            r#"{"_id": 2, "code": "x"}"#,
            r#"{"_id": 1}"#,
            r#"{"_id": 3, "code": "x"}"#,
            r#"{"_id": 4, "name": "ada"}"#,
            r#"{"_id": 5, "code": "y", "name": "eve"}"#,
        ];
        lines.into_iter().map(|line| Ok(line.to_owned()))
    };
    let done = resource_api::import(&app, "people", lines()).await.unwrap();
    let refused = [(3, "_id"), (4, "code"), (5, "name")];
    assert_eq!((done.inserted, done.refused.len()), (3, refused.len()), "{done:?}");
    for (left_out, (line, word)) in done.refused.iter().zip(refused) {
        assert!(left_out.line == line && left_out.told().contains(word), "{done:?}");
    }
    let again = resource_api::import(&app, "people", lines()).await.unwrap();
    assert_eq!((again.inserted, again.refused.len()), (0, 6), "{again:?}");
    let empty = resource_api::import(&app, "people", std::iter::empty()).await.unwrap();
    assert_eq!((empty.inserted, empty.refused.len()), (0, 0));
}

fn command(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_resource-api")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// CFG-18: `check` tells every fault, by resource, field and rule.
#[test]
fn check_tells_every_fault_of_a_domain_file() {
    let good = examples().join("domain.toml");
    let (done, told, _) = command(&["check", good.to_str().unwrap()]);
    assert!(done && told.contains("4 resources, no faults"), "{told}");
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.json");
    let text = json!({ "DOMAIN": {
        "people": { "item_methods": ["POST"], "schema": { "name": { "type": "strin" } } },
        "works": { "schema": { "owner": { "type": "objectid", "data_relation": {} } } },
    } });
    std::fs::write(&bad, text.to_string()).unwrap();
    let (done, _, told) = command(&["check", bad.to_str().unwrap()]);
    assert!(!done);
    for part in ["people", "name", "strin", "works", "owner", "data_relation"] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
}

/// Decisions 20: the scopes of a domain file, in the form the auth-server takes.
#[test]
fn scopes_are_printed_for_the_auth_server() {
    let (done, told, _) = command(&["scopes", examples().join("domain.toml").to_str().unwrap()]);
    assert!(done);
    let scopes: toml::Table = told.parse().unwrap();
    let first = &scopes["scopes"][0];
    assert_eq!((first["name"].as_str(), first["text"].as_str()), (Some("people:read"), Some("Read people")));
    assert_eq!(scopes["scopes"].as_array().unwrap().len(), 8);
}

/// X-034: a configuration with faults stops the start, all told at once.
#[test]
fn a_bad_configuration_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "isuer = \"x\"\n[limits]\nbody = 0\n").unwrap();
    let (done, _, told) = command(&["serve", "--config", file.to_str().unwrap()]);
    assert!(
        !done && told.contains("isuer") && told.contains("limits.body") && told.contains("client_secret"),
        "{told}"
    );
}

/// The imported file by the command, with its bad lines on standard error.
#[test]
fn the_import_command_says_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("domain.toml"), "[DOMAIN.people.schema]\nname = { type = \"string\" }\n").unwrap();
    let config = format!(
        "domain = {:?}\nstore = \"sqlite:{}\"\nlog = \"warn\"\n[server]\ntls = false\n[auth]\nmode = \"none\"\n",
        at("domain.toml"),
        at("api.db")
    );
    std::fs::write(at("config.toml"), config).unwrap();
    std::fs::write(at("people.ndjson"), "{\"name\": \"a\"}\n{\"name\": 5}\n").unwrap();
    let (done, told, errors) = command(&["import", "people", &at("people.ndjson"), "--config", &at("config.toml")]);
    assert!(!done);
    assert!(told.contains("1 documents inserted, 1 left out"), "{told}");
    assert!(errors.contains("people.ndjson:2: {\"name\":\"must be of string type\"}"), "{errors}");
}

/// Every test file's server starts on its own port and stops.
#[actix_rt::test]
async fn a_stopped_server_lets_go_of_its_store() {
    let domain = json!({ "DOMAIN": { "people": {} } });
    let api = Api::open(domain.clone()).await;
    let folder = api.stop().await;
    let api = Api::start_in(folder, domain, |config| config.auth.mode = AuthMode::None).await;
    api.get("/people").await.is(200);
}
