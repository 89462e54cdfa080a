//! Bodies and content types (REQ-04 to REQ-09), method override (REQ-01), limits (decisions 15).

use serde_json::json;

use crate::support::{Api, Ask, with};
use crate::tokens::people;

/// REQ-04, REQ-05: which types are read as what.
#[actix_rt::test]
async fn a_body_is_read_by_its_content_type() {
    let api =
        Api::open(with(people(), json!({ "JSON_REQUEST_CONTENT_TYPES": ["application/json", "application/vnd.api"] })))
            .await;
    let post = async |kind: &str, body: &str| {
        let request = api.request("POST", "/people").body(body.to_owned());
        if kind.is_empty() { request } else { request.header("Content-Type", kind) }.answer().await
    };
    post("application/json; charset=utf-8", "{\"name\": \"x\"}").await.is(201);
    post("Application/JSON", "{\"name\": \"x\"}").await.is(201);
    post("application/vnd.api", "{\"name\": \"x\"}").await.is(201);
    post("application/json", "\u{feff}{\"name\": \"x\"}").await.is(201);
    for kind in ["", "text/plain", "application/xml", "text/json"] {
        assert_eq!(post(kind, "{}").await.refused(400), "Unknown or no Content-Type header supplied", "{kind}");
    }
    for bad in ["", "{", "{\"name\": }", "\u{feff}x", "nul"] {
        post("application/json", bad).await.refused(400);
    }
    let number = post("application/json", "{\"name\": NaN}").await.refused(400);
    assert_eq!(number, "NaN and Infinity are no numbers of JSON");
    let latin = api
        .request("POST", "/people")
        .header("Content-Type", "application/json")
        .body(b"{\"name\": \"\xe4\"}".to_vec());
    latin.answer().await.refused(400);
}

/// REQ-05: of a repeated key the last value.
#[actix_rt::test]
async fn the_last_of_repeated_keys_wins() {
    let api = Api::open(people()).await;
    let body = "{\"name\": \"first\", \"name\": \"last\"}";
    let request = api.request("POST", "/people").header("Content-Type", "application/json").body(body);
    let id = request.answer().await.is(201).id();
    assert_eq!(api.get(&format!("/people/{id}")).await.json()["name"], "last");
}

/// REQ-06, REQ-07: forms.
#[actix_rt::test]
async fn a_form_is_converted_by_the_schema() {
    let mut domain = people();
    domain["AUTO_COLLAPSE_MULTI_KEYS"] = json!(true);
    domain["DOMAIN"]["people"]["schema"] = json!({
        "age": { "type": "integer" }, "born": { "type": "datetime" }, "tags": { "type": "list", "schema": { "type": "string" } },
        "place": { "type": "dict", "schema": { "city": { "type": "string" } } }
    });
    let api = Api::open(domain).await;
    let born = "Tue, 06 Nov 2012 10:33:31 GMT";
    let form = [("age", "3"), ("born", born), ("tags", "a"), ("tags", "b"), ("place.city", "Graz")];
    let id = api.request("POST", "/people").form(&form).answer().await.is(201).id();
    let person = api.get(&format!("/people/{id}")).await.json();
    assert_eq!((&person["age"], &person["born"], &person["tags"]), (&json!(3), &json!(born), &json!(["a", "b"])));
    assert_eq!(person["place"], json!({ "city": "Graz" }));
    let empty = api.request("POST", "/people").header("Content-Type", "application/x-www-form-urlencoded").body("");
    assert_eq!(empty.answer().await.refused(400), "No form-urlencoded data supplied");
}

/// A form of these parts; what stands before a part's body is the end of its Content-Disposition, and more headers.
fn multipart(parts: &[(&str, &str)]) -> (&'static str, String) {
    let parts = parts
        .iter()
        .map(|(head, body)| format!("--frontier\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n"));
    ("multipart/form-data; boundary=frontier", parts.collect::<String>() + "--frontier--\r\n")
}

/// REQ-04, REQ-06, REQ-07: a multipart form is read as any form, by POST, PATCH and PUT.
#[actix_rt::test]
async fn a_multipart_form_is_converted_by_the_schema() {
    let mut domain = people();
    domain["AUTO_COLLAPSE_MULTI_KEYS"] = json!(true);
    domain["DOMAIN"]["people"]["schema"] = json!({
        "name": { "type": "string" }, "age": { "type": "integer" },
        "tags": { "type": "list", "schema": { "type": "string" } }
    });
    let api = Api::open(domain).await;
    let send = async |method: &str, path: &str, etag: &str, (kind, body): (&str, String)| {
        let request = api.request(method, path).header("Content-Type", kind).body(body);
        if etag.is_empty() { request } else { request.header("If-Match", etag) }.answer().await
    };
    let form = multipart(&[
        ("name=\"name\"", "Ada\r\nLövelace"),
        ("name=age\r\nContent-Type: text/plain; charset=utf-8", "36"),
        ("name=\"tags\"", "a"),
        ("name=\"tags\"", "b"),
    ]);
    let created = send("POST", "/people", "", form).await.is(201);
    let item = format!("/people/{}", created.id());
    let ada = api.get(&item).await.json();
    assert_eq!((&ada["name"], &ada["age"]), (&json!("Ada\r\nLövelace"), &json!(36)));
    assert_eq!(ada["tags"], json!(["a", "b"]));
    let patched = send("PATCH", &item, &created.etag(), multipart(&[("name=\"age\"", "37")])).await.is(200);
    assert_eq!(api.get(&item).await.json()["age"], 37);
    send("PUT", &item, &patched.etag(), multipart(&[("name=\"name\"", "")])).await.is(200);
    let ada = api.get(&item).await.json();
    assert_eq!((&ada["name"], ada.get("age")), (&json!(""), None));

    let refused = send("POST", "/people", "", multipart(&[("name=\"age\"", "old"), ("name=x", "1")])).await.is(422);
    assert_eq!(refused.json()["_issues"], json!({ "age": "must be of integer type", "x": "unknown field" }));
    let refused = async |form: (&'static str, String)| send("POST", "/people", "", form).await.refused(400);
    assert_eq!(refused(multipart(&[])).await, "No multipart/form-data supplied");
    let file = multipart(&[("name=\"name\"; filename=\"a.txt\"", "text")]);
    assert_eq!(refused(file).await, "'name' is a file: this version takes none");
    let none = "No multipart/form-data supplied";
    let part = "--frontier\r\nContent-Disposition: form-data; name=name\r\n\r\nx\r\n";
    for (kind, body, told) in [
        ("multipart/form-data", format!("{part}--frontier--\r\n"), none),
        ("multipart/form-data; boundary=frontier", String::new(), none),
        ("multipart/form-data; boundary=frontier", "{}".to_owned(), none),
        ("multipart/form-data; boundary=frontier", "--frontier\r\n\r\n1\r\n--frontier--\r\n".to_owned(), none),
        ("multipart/form-data; boundary=frontier", part.to_owned(), "the multipart body can't be read: "),
        ("multipart/form-data; boundary=frontier", format!("{part}{part}"), "the multipart body can't be read: "),
    ] {
        let refusal = refused((kind, body.clone())).await;
        assert!(refusal.starts_with(told), "{body:?}: {refusal}");
    }
    assert_eq!(api.get("/people").await.json()["_meta"]["total"], 1);
}

/// REQ-08: fields as JSON, or as text where they are none; (F) 400 where even that does not help.
#[actix_rt::test]
async fn the_fields_of_a_multipart_form_can_be_json() {
    let mut domain = with(people(), json!({ "MULTIPART_FORM_FIELDS_AS_JSON": true, "ALLOW_UNKNOWN": true }));
    domain["DOMAIN"]["people"]["schema"] = json!({ "name": { "type": "string" } });
    let api = Api::open(domain.clone()).await;
    let send = async |api: &Api, name: &str, value: &str| {
        let (kind, body) = multipart(&[(&format!("name=\"{name}\""), value)]);
        api.request("POST", "/people").header("Content-Type", kind).body(body).answer().await
    };
    for (text, expected) in [
        ("abc", json!("abc")),
        ("\"abc\"", json!("abc")),
        ("[1, {\"b\": null}]", json!([1, { "b": null }])),
        ("true", json!(true)),
        ("1.5", json!(1.5)),
    ] {
        let id = send(&api, "x", text).await.is(201).id();
        assert_eq!(api.get(&format!("/people/{id}")).await.json()["x"], expected, "{text}");
    }
    let told = send(&api, "x", "a\"b").await.refused(400);
    assert_eq!(told, "'x' is neither JSON nor the inside of a JSON string");
    assert_eq!(send(&api, "name", "1").await.is(422).json()["_issues"], json!({ "name": "must be of string type" }));

    domain["MULTIPART_FORM_FIELDS_AS_JSON"] = json!(false);
    let api = Api::open(domain).await;
    let id = send(&api, "x", "[1]").await.is(201).id();
    assert_eq!(api.get(&format!("/people/{id}")).await.json()["x"], "[1]");
}

/// REQ-09: an edit in a JSON string.
#[actix_rt::test]
async fn an_edit_may_be_a_json_text_in_a_json_string() {
    let api = Api::open(people()).await;
    let created = api.post("/people", json!({ "name": "x" })).await.is(201);
    let item = format!("/people/{}", created.id());
    let patched = api.edit("PATCH", &item, &created.etag(), json!("{\"name\": \"y\"}")).await.is(200);
    api.edit("PUT", &item, &patched.etag(), json!("{\"name\": \"z\"}")).await.is(200);
    assert_eq!(api.get(&item).await.json()["name"], "z");
    api.post("/people", json!("{\"name\": \"y\"}")).await.refused(400);
    // PATCH-03: no JSON in it.
    let refused = api.edit("PUT", &item, &api.get(&item).await.etag(), json!("y")).await.is(422).json();
    assert_eq!(refused["_issues"], json!({ "validator exception": "'y' is not a document, must be a dict" }));
    let refused = api.edit("PATCH", &item, &api.get(&item).await.etag(), json!(null)).await.is(422).json();
    assert_eq!(refused["_issues"], json!({ "validator exception": "document is missing" }));
}

/// REQ-01: the header's method counts, before routing.
#[actix_rt::test]
async fn a_method_can_be_overridden() {
    let api = Api::open(people()).await;
    let created = api.post("/people", json!({ "name": "x" })).await.is(201);
    let item = format!("/people/{}", created.id());
    let send = async |method: &str, path: &str, name: &str| {
        let request =
            api.request(method, path).header("X-HTTP-Method-Override", name).header("If-Match", created.etag());
        request.json(&json!({ "name": "y" })).answer().await
    };
    send("POST", &item, "patch").await.is(200);
    send("POST", "/people", "GET").await.is(200);
    send("GET", "/people", "POST").await.is(201);
    send("POST", "/people", "BREW").await.refused(405);
    send("POST", "/people", "").await.refused(405);
    send("POST", "/nowhere", "GET").await.refused(404);
    api.request("POST", &item).json(&json!({})).answer().await.refused(405);
    assert_eq!(send("POST", "/people", "HEAD").await.is(200).text, "");

    let api = Api::open(with(people(), json!({ "ALLOW_OVERRIDE_HTTP_METHOD": false }))).await;
    let request = api.request("POST", "/people").header("X-HTTP-Method-Override", "GET");
    request.json(&json!({})).answer().await.is(201);
}

/// Decisions 15: 413 in Eve's body, announced or not.
#[actix_rt::test]
async fn a_body_over_the_limit_is_refused() {
    let api = Api::start(people(), |config| {
        config.auth.mode = resource_api::config::AuthMode::None;
        config.limits.body = 1000;
        config.limits.bulk = 3;
    })
    .await;
    api.post("/people", json!({ "name": "x".repeat(900) })).await.is(201);
    api.post("/people", json!({ "name": "x".repeat(1000) })).await.refused(413);
    assert_eq!(chunked(&api, 20), "HTTP/1.1 413 Payload Too Large");
    api.post("/people", json!([{}, {}, {}])).await.is(201);
    assert_eq!(api.post("/people", json!([{}, {}, {}, {}])).await.refused(413), "more than 3 documents in one bulk");
}

/// A body of unknown length, in chunks of 100 bytes; returns the status line.
fn chunked(api: &Api, chunks: usize) -> String {
    use std::io::{BufRead as _, Write as _};
    let mut connection = std::net::TcpStream::connect(api.url.strip_prefix("http://").unwrap()).unwrap();
    let head =
        "POST /people HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.write_all(head.as_bytes()).unwrap();
    for _ in 0..chunks {
        connection.write_all(format!("64\r\n{}\r\n", " ".repeat(100)).as_bytes()).unwrap();
    }
    connection.write_all(b"0\r\n\r\n").unwrap();
    let mut status = String::new();
    std::io::BufReader::new(connection).read_line(&mut status).unwrap();
    status.trim_end().to_owned()
}

/// Nesting as deep as the body allows is a bad request, not a crash.
#[actix_rt::test]
async fn endless_nesting_is_refused() {
    let api = Api::open(with(people(), json!({ "ALLOW_UNKNOWN": true }))).await;
    for (depth, expected) in [(90, 201), (120, 422), (1000, 400), (100_000, 400)] {
        let body = format!("{{\"a\": {}1{}}}", "[".repeat(depth), "]".repeat(depth));
        let request = api.request("POST", "/people").header("Content-Type", "application/json").body(body);
        let status = request.answer().await.status;
        assert_eq!(status, expected, "{depth}");
    }
}
