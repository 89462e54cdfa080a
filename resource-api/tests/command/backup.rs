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
