//! Real Eve and resource-api tell of the same events in the same order.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oracle::server::{Answer, Caller, Eve, Keeps, ResourceApi};
use oracle::step::Request;
use resource_api::domain::Event;
use serde_json::{Map, Value, json};

use support::given;

/// Whoever is called, and by what paths.
#[derive(Clone)]
struct Receiver {
    url: String,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let receiver = Self { url, paths: Arc::default() };
        let serving = receiver.clone();
        std::thread::spawn(move || listener.incoming().flatten().for_each(|connection| serving.serve(connection)));
        receiver
    }

    fn serve(&self, mut connection: TcpStream) {
        let mut reader = BufReader::new(connection.try_clone().unwrap());
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).unwrap();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        self.paths.lock().unwrap().push(first.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned());
        let _ = connection.write_all(b"HTTP/1.1 204 X\r\nConnection: close\r\n\r\n");
    }

    /// What came since the last time, once it is as much as this.
    async fn take(&self, count: usize) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(60);
        while self.paths.lock().unwrap().len() < count && Instant::now() < end {
            actix_rt::time::sleep(Duration::from_millis(5)).await;
        }
        std::mem::take(&mut *self.paths.lock().unwrap())
    }
}

/// Every event, of all resources and of people.
fn domain(receiver: &Receiver) -> Value {
    let names = Event::NAMES.iter().flat_map(|(name, _)| [(*name).to_owned(), format!("{name}_people")]);
    let hooks: Map<String, Value> =
        names.map(|name| (name.clone(), json!(format!("{}/{name}", receiver.url)))).collect();
    json!({
        "HOOKS": hooks, "SCHEMA_ENDPOINT": "schema",
        "RESOURCE_METHODS": ["GET", "POST", "DELETE"], "ITEM_METHODS": ["GET", "PATCH", "PUT", "DELETE"],
        "DOMAIN": { "people": {
            "schema": { "name": { "type": "string", "maxlength": 5 } },
            "additional_lookup": { "field": "name", "url": "regex(\"[a-z]+\")" },
        } },
    })
}

async fn send(to: &Caller, method: &str, target: &str, etag: &str, body: &Value) -> Answer {
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    if !etag.is_empty() {
        headers.push(("if-match".to_owned(), etag.to_owned()));
    }
    let body = (!body.is_null()).then(|| body.to_string());
    to.send(&Request { method: method.to_owned(), target: target.to_owned(), headers, body }).await.unwrap()
}

/// HOOK-01, HOOK-02, REQ-02: the same requests, the same answers, the same events.
#[actix_rt::test]
async fn events_are_told_in_eves_order() {
    let (Some(python), Some(mongodb)) = (given("TEST_EVE_PYTHON"), given("TEST_MONGODB_URL")) else { return };
    let (theirs, ours) = (Receiver::start(), Receiver::start());
    let database = format!("hooks_{}", std::process::id());
    let eve = Eve::start(Path::new(&python), &mongodb, &database, &domain(&theirs)).unwrap();
    let api = ResourceApi::start(&domain(&ours), &Keeps::Sqlite, None, None).unwrap();
    let (id, none) = ("5f0000000000000000000abc", Value::Null);
    let (item, ann) = (format!("/people/{id}"), json!({ "_id": id, "name": "ann" }));
    let mut etags = [String::new(), String::new()];
    let mut told = 0;
    let mut different = Vec::new();
    for (method, target, tagged, body) in [
        ("GET", "/", false, none.clone()),
        ("HEAD", "/", false, none.clone()),
        ("GET", "/schema", false, none.clone()),
        ("GET", "/schema/people", false, none.clone()),
        ("GET", "/nowhere", false, none.clone()),
        ("PATCH", "/people", false, none.clone()),
        ("POST", "/people", false, ann.clone()),
        ("POST", "/people", false, ann),
        ("POST", "/people", false, json!({ "name": "longer" })),
        ("POST", "/people", false, json!([])),
        ("POST", "/people", false, json!([{ "name": "bo" }, { "name": "cy" }])),
        ("GET", "/people", false, none.clone()),
        ("HEAD", "/people", false, none.clone()),
        ("OPTIONS", "/people", false, none.clone()),
        ("GET", "/people?where=bad", false, none.clone()),
        ("GET", &item, true, none.clone()),
        ("HEAD", &item, false, none.clone()),
        ("GET", "/people/ann", false, none.clone()),
        ("GET", "/people/zoe", false, none.clone()),
        ("PATCH", &item, false, json!({ "name": "eve" })),
        ("PATCH", &item, true, json!({ "name": "longer" })),
        ("PATCH", &item, true, json!({ "name": "eve" })),
        ("PATCH", &item, true, json!({ "name": "late" })),
        ("GET", &item, true, none.clone()),
        ("PUT", &item, true, json!({ "name": "longer" })),
        ("PUT", &item, true, json!({ "name": "ada" })),
        ("GET", &item, true, none.clone()),
        ("DELETE", &item, false, none.clone()),
        ("DELETE", &item, true, none.clone()),
        ("DELETE", &item, true, none.clone()),
        ("PUT", &item, false, json!({ "name": "new" })),
        ("DELETE", "/people", false, none.clone()),
        ("DELETE", "/people", false, none.clone()),
    ] {
        let mut statuses = [0; 2];
        for (side, caller) in [&eve.caller, &api.caller].into_iter().enumerate() {
            let etag = if tagged && method != "GET" { etags[side].clone() } else { String::new() };
            let answer = send(caller, method, target, &etag, &body).await;
            statuses[side] = answer.status;
            if tagged && method == "GET" {
                etags[side] = answer.header("etag").unwrap().trim_matches('"').to_owned();
            }
        }
        assert_eq!(statuses[0], statuses[1], "{method} {target} {body}");
        // Eve's are there before its answer.
        let expected = theirs.take(0).await;
        let found = ours.take(expected.len()).await;
        if found != expected {
            different.push(format!("{} {method} {target}\n  {expected:?}\n  {found:?}", statuses[0]));
        }
        told += expected.len();
    }
    assert!(different.is_empty(), "Eve, and resource-api:\n{}", different.join("\n"));
    assert!(told > 100, "only {told} events");
}
