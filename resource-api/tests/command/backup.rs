use serde_json::json;

use crate::place::Place;

/// X-034's neighbour: a copy of a running service's store that passes its checks and can be served.
#[actix_rt::test]
async fn a_backup_holds_everything_and_replaces_nothing_by_mistake() {
    let place =
        Place::new(json!({ "DOMAIN": { "people": { "schema": { "name": { "type": "string", "unique": true } } } } }));
    let file = place.write("people.ndjson", "{\"name\":\"a\"}\n{\"name\":\"b\"}\n");
    place.run(&["import", "people", &file]).is(0);
    let copy = place.path("copy.db");
    place.run(&["backup", &copy]).is(0).says("bytes, checked");
    place.run(&["backup", &copy]).is(1).says("exists already; --overwrite");
    place.run(&["backup", &copy, "--overwrite"]).is(0);
    let before = place.stored("people").await;
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(place.at(&format!("api.db{suffix}"))).ok();
    }
    std::fs::rename(&copy, place.at("api.db")).unwrap();
    assert_eq!(place.stored("people").await, before);
}

fn domain(indexes: serde_json::Value) -> serde_json::Value {
    json!({ "RESOURCE_METHODS": ["GET", "POST"], "ITEM_METHODS": ["GET", "PATCH"], "DOMAIN": {
        "people": { "mongo_indexes": indexes, "schema": { "name": { "type": "string", "unique": true }, "tags": { "type": "list" } } },
        "works": { "schema": { "title": { "type": "string" } } },
    } })
}

/// A running service answers throughout and keeps its own indexes, whatever those of the backup are.
#[actix_rt::test]
async fn a_backup_is_restored_under_a_running_service() {
    let old = Place::new(domain(json!({ "tags": [["tags", 1]] })));
    let lines: String = (0..3000).map(|n| format!("{{\"name\":\"n{n}\",\"tags\":[{n},\"t{}\"]}}\n", n % 7)).collect();
    old.run(&["import", "people", &old.write("people.ndjson", &lines)]).is(0);
    old.run(&["backup", &old.path("copy.db")]).is(0);
    let expected = old.stored("people").await;

    let new = Place::new(domain(json!({ "tags": [["tags", 1]], "by_name": [["name", -1]] })));
    new.run(&["import", "people", &new.write("people.ndjson", "{\"name\":\"later\"}")]).is(0);
    new.run(&["import", "works", &new.write("works.ndjson", "{\"title\":\"later\"}")]).is(0);
    let (mut service, url) = new.serve();
    let get = |path: String| {
        let url = format!("{url}/{path}");
        async move { reqwest::get(url).await.unwrap().json::<serde_json::Value>().await.unwrap() }
    };
    assert_eq!(get("people".to_owned()).await["_meta"]["total"], 1);
    new.run(&["restore", &old.path("copy.db")]).is(1).says("the store holds 2 documents; --overwrite replaces them");
    new.run(&["restore", &old.path("copy.db"), "--overwrite"]).is(0).says("3000 documents restored");
    assert_eq!(get("people".to_owned()).await["_meta"]["total"], 3000);
    assert_eq!(get("works".to_owned()).await["_meta"]["total"], 0);
    let tagged = get("people?where={\"tags\":\"t3\"}&max_results=1".to_owned()).await;
    assert_eq!(tagged["_meta"]["total"], (0..3000).filter(|n| n % 7 == 3).count());
    assert_eq!(get("people?sort=-name&max_results=1".to_owned()).await["_items"][0]["name"], "n999");
    // Unique rules know the restored values, and those that went are free.
    let client = reqwest::Client::new();
    for (name, status) in [("n5", 422), ("later", 201)] {
        let answer = client.post(format!("{url}/people")).json(&json!({ "name": name })).send().await.unwrap();
        assert_eq!(answer.status(), status, "{name}");
    }
    service.kill().unwrap();
    service.wait().unwrap();

    // Into a store that is not there yet.
    let empty = Place::new(domain(json!({})));
    empty.run(&["restore", &old.path("copy.db")]).is(0).says("3000 documents restored");
    assert_eq!(empty.stored("people").await, expected);
    let names: Vec<_> = std::fs::read_dir(empty.at("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_str().unwrap().starts_with(".restore")), "{names:?}");
}

#[actix_rt::test]
async fn what_is_no_backup_is_refused_and_changes_nothing() {
    let place = Place::new(domain(json!({})));
    place.run(&["import", "people", &place.write("people.ndjson", "{\"name\":\"kept\"}")]).is(0);
    let noise = place.write("noise", &"no database at all ".repeat(1000));
    place.run(&["restore", &noise, "--overwrite"]).is(1).says("noise");
    place.run(&["restore", &place.path("gone"), "--overwrite"]).is(1).says("there is no file");
    let other = shared::store::Sqlite::open(place.at("other.db")).unwrap();
    other.migrate("other", &["CREATE TABLE item (name TEXT)"]).unwrap();
    place.run(&["restore", &place.path("other.db"), "--overwrite"]).is(1).says("is no backup of a resource-api");
    assert_eq!(place.stored("people").await.len(), 1);
}
