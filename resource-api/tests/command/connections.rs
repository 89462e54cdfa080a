//! Commands on resources whose documents are in further stores.

use serde_json::json;

use crate::place::Place;

fn place(more: serde_json::Value) -> Place {
    let mut domain = json!({ "DOMAIN": {
        "people": { "schema": { "name": { "type": "string", "unique": true } } },
        "old": { "mongo_prefix": "ARCHIVE", "datasource": { "source": "people" }, "schema": { "name": { "type": "string", "unique": true } } },
    } });
    domain.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Place::new(domain)
}

fn name_store(place: &Place, prefix: &str) {
    let file = place.at(&format!("{prefix}.db"));
    let stores = format!("log = \"warn\"\n[stores]\n{prefix} = \"sqlite:{}\"\n", file.display());
    let config = place.read("config.toml").replace("log = \"warn\"\n", &stores);
    place.write("config.toml", &config);
}

/// An import, its record, an export, a check of data and a backup are where the resource's prefix leads.
#[actix_rt::test]
async fn commands_go_where_the_prefix_leads() {
    let place = place(json!({}));
    place.run(&["check"]).is(1).says("mongo_prefix ARCHIVE: nothing says where it leads");
    place.run(&["check", "--against-data"]).is(1).says("mongo_prefix ARCHIVE: nothing says where it leads");
    name_store(&place, "archive");
    place.run(&["check"]).is(0).says("2 resources, no faults");
    place.run(&["check", "--against-data"]).is(1).says("there is no store");
    let file = place.write("people.ndjson", "{\"name\":\"ada\"}\n{\"name\":\"bob\"}\n");
    place.run(&["import", "old", &file]).is(0).says("2 documents inserted");
    place.run(&["import", "old", &file]).is(1).says("this file is in already");
    place.run(&["import", "people", &file]).is(0).says("2 documents inserted");
    assert!(place.run(&["export", "old", "-"]).is(0).out.contains("\"ada\""));
    place.run(&["check", "--against-data"]).is(0).says("old: of 2 documents none").says("people: of 2 documents none");
    let copy = place.path("copy.db");
    place.run(&["backup", &copy, "--connection", "other"]).is(1).says("the configuration has no stores.other");
    place.run(&["backup", &copy, "--connection", "ARCHIVE"]).is(0).says("bytes, checked");
    place.write("more.ndjson", "{\"name\":\"cid\"}");
    place.run(&["import", "old", &place.path("more.ndjson")]).is(0);
    place.run(&["restore", &copy, "--connection", "archive", "--overwrite"]).is(0).says("2 documents restored");
    assert!(!place.run(&["export", "old", "-"]).is(0).out.contains("\"cid\""));
    assert!(place.run(&["export", "people", "-"]).is(0).out.contains("\"ada\""));
}

/// Where callers choose, a command is told whose documents are meant.
#[actix_rt::test]
async fn commands_take_the_connection_that_callers_name() {
    let place = place(json!({ "AUTH_MONGO_PREFIX_CLAIM": "tenant" }));
    name_store(&place, "ARCHIVE");
    let config = place.read("config.toml").replace("mode = \"none\"", "mode = \"introspection\"");
    let who = "issuer = \"https://127.0.0.1:5001\"\nclient_id = \"api\"\nclient_secret = \"x\"\n";
    place.write("config.toml", &format!("{who}{config}"));
    let file = place.write("people.ndjson", "{\"name\":\"ada\"}\n");
    place.run(&["import", "people", &file, "--connection", "gone"]).is(1).says("there is no connection gone");
    place.run(&["import", "people", &file, "--connection", "archive"]).is(0).says("1 documents inserted");
    assert_eq!(place.run(&["export", "people", "-"]).is(0).out, "");
    assert!(place.run(&["export", "people", "-", "--connection", "ARCHIVE"]).is(0).out.contains("\"ada\""));
    let told = place.run(&["check", "--against-data", "--connection", "ARCHIVE"]).is(0);
    told.says("people: of 1 documents none");
    place.run(&["export", "people", "-", "--connection", "MONGO"]).is(0);
}
