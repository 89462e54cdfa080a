use std::io::Read as _;

use bson::{Bson, DateTime, Document, doc};
use resource_api::store::{Outcome, Write};
use serde_json::json;

use crate::place::Place;

fn things() -> serde_json::Value {
    json!({ "DOMAIN": {
        "things": { "allow_unknown": true, "datasource": { "filter": { "gone": { "$exists": false } } } },
    } })
}

/// Ids of several types, and more than one piece of a scan.
fn documents() -> Vec<Document> {
    let mut documents = vec![
        doc! { "_id": "text", "_etag": "e", "n": 5_i64, "big": 1_i64 << 40, "small": 5, "float": 5.0 },
        doc! { "_id": 5_i64, "when": DateTime::from_millis(1_352_198_011_120), "before": DateTime::from_millis(-5) },
        doc! { "_id": { "a": 1 }, "list": [1_i64, { "deep": Bson::Null }], "text": "Zürich \u{1F3D4}" },
        doc! { "_id": true, "price": Bson::Decimal128("1.50".parse().unwrap()) },
    ];
    documents.extend((0..2500).map(|number| doc! { "_id": bson::oid::ObjectId::new(), "number": number }));
    documents
}

async fn filled(place: &Place, documents: Vec<Document>) {
    let writes = documents.into_iter().map(|document| Write::insert("things", &document).unwrap());
    let done = place.app().await.documents.commit(writes.collect()).await.unwrap();
    assert!(matches!(done, Outcome::Done(_)));
}

/// All types, through a plain file, a gzipped one and a pipe; what is read back and written again is the same to the byte.
#[actix_rt::test]
async fn what_is_exported_and_imported_is_the_same_documents() {
    let place = Place::new(things());
    filled(&place, documents()).await;
    let out = place.run(&["export", "things"]).is(0).out;
    assert_eq!(out.lines().count(), documents().len());
    place.run(&["export", "things", &place.path("all.ndjson")]).is(0).says("2504 documents written");
    assert_eq!(place.read("all.ndjson"), out);
    place.run(&["export", "things", &place.path("all.ndjson.gz")]).is(0);
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(place.at("all.ndjson.gz")).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, out);
    assert!(out.contains(r#""n":{"$numberLong":"5"},"big":1099511627776,"small":5,"float":5.0}"#), "{}", &out[..2000]);

    let other = Place::new(things());
    let dated: String = out
        .lines()
        .map(|line| format!("{},\"_updated\":1,\"_created\":1,\"_etag\":\"e\"}}\n", &line[..line.len() - 1]))
        .collect();
    let dated = dated.replace("\"_etag\":\"e\",\"n\"", "\"n\"");
    let file = other.write("all.ndjson", &dated);
    other.run(&["import", "things", &file, "--trust"]).is(0).says("2504 documents inserted");
    assert_eq!(other.run(&["export", "things"]).is(0).out, dated);
}

#[actix_rt::test]
async fn a_filter_a_file_that_is_there_and_a_resource_that_is_not() {
    let place = Place::new(things());
    filled(&place, vec![doc! { "_id": 1, "n": 1 }, doc! { "_id": 2, "n": 2 }, doc! { "_id": 3, "n": 2, "gone": true }])
        .await;
    assert_eq!(place.run(&["export", "things", "--where", "{\"n\": {\"$gt\": 1}}"]).is(0).out, "{\"_id\":2,\"n\":2}\n");
    place.run(&["export", "things", "--where", "{\"n\": {\"$near\": 1}}"]).is(1).says("--where: ");
    place.write("kept", "precious");
    place.run(&["export", "things", &place.path("kept")]).is(1).says("exists already; --overwrite");
    assert_eq!(place.read("kept"), "precious");
    place.run(&["export", "things", &place.path("kept"), "--overwrite"]).is(0).says("2 documents written");
    assert_eq!(place.read("kept").lines().count(), 2);
    place.run(&["export", "nothing", &place.path("new")]).is(1).says("there is no resource nothing");
    assert!(!place.at("new").exists() && !place.at("new.part").exists());
}

/// A client may have stored an object that looks like an id: its line would come back as an id.
#[actix_rt::test]
async fn an_object_that_looks_like_a_typed_value_is_told() {
    let place = Place::new(things());
    filled(&place, vec![doc! { "_id": 1, "odd": { "$oid": "5f0000000000000000000abc" } }]).await;
    place.run(&["export", "things"]).is(1).says("warning: 1: an object in it looks like a value of Extended JSON");
}
