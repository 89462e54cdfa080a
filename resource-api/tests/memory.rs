//! No request takes more memory than it is given: the real program as a process of its own, watched from outside.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

const DOMAIN: &str = r#"
    RESOURCE_METHODS = ["GET", "POST"]
    PAGINATION = false
    BANDWIDTH_SAVER = false
    [DOMAIN.notes]
    allow_unknown = true
    [DOMAIN.notes.schema]
    text = { type = "string" }
    number = { type = "integer" }
    pattern = { type = "string", regex = "(?:.(?=.*x))*" }
    refs = { type = "list", schema = { type = "objectid", data_relation = { resource = "notes", embeddable = true } } }
"#;

/// What a request may take, in KiB.
const MOST: u64 = 64 << 10;

struct Running {
    child: Child,
    url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn start(folder: &Path) -> Running {
    std::fs::write(folder.join("domain.toml"), DOMAIN).unwrap();
    let config = format!(
        "domain = '{0}/domain.toml'\nstore = 'sqlite:{0}/api.db'\n[server]\nlisten = '127.0.0.1:0'\ntls = false\nworkers = 1\n[auth]\nmode = 'none'\n",
        folder.display()
    );
    std::fs::write(folder.join("config.toml"), config).unwrap();
    let config = folder.join("config.toml");
    let mut child = Command::new(env!("CARGO_BIN_EXE_resource-api"))
        .args(["serve", "--config", config.to_str().unwrap()])
        // What is freed is given back at once, and not when the allocator next finds the time: otherwise what an earlier request
        // has left hides what this one takes, and on a busy machine what this one has freed is counted, too.
        .env("MIMALLOC_PURGE_DELAY", "0")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines
        .find_map(|line| {
            let line = line.unwrap();
            Some(line.split_once(" listens on ")?.1.split_whitespace().next()?.to_owned())
        })
        .expect("the program starts and says where it listens");
    std::thread::spawn(move || lines.for_each(drop));
    Running { child, url: format!("http://{address}/notes") }
}

impl Running {
    /// KiB of memory that is the process's own; pages of the store's file are the system's.
    fn memory(process: u32) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// What all threads of the process have used so far: on a busy machine everything takes longer.
    fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Behind the name, which is in brackets, user and system time are the 12th and 13th, in hundredths of a second.
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        Duration::from_millis(fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
    }

    /// The status and the error's message, and by how much the process grew meanwhile, in KiB.
    async fn ask(&self, request: reqwest::RequestBuilder) -> (u16, String, u64) {
        let process = self.child.id();
        let (done, peak) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let before = Self::memory(process);
        let watching = {
            let (done, peak) = (done.clone(), peak.clone());
            std::thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    peak.fetch_max(Self::memory(process), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(1));
                }
            })
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        done.store(true, Ordering::Relaxed);
        watching.join().unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let message = body["_error"]["message"].as_str().unwrap_or_default().to_owned();
        (status, message, peak.load(Ordering::Relaxed).saturating_sub(before))
    }
}

/// Lists of large documents, long sort keys, large bodies, answers that grow when they are written: within 64 MiB and the
/// time limit, or refused with the reason.
#[actix_rt::test]
async fn no_request_takes_more_than_its_memory_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path());
    // The requests are long in the making, and the server ends idle connections.
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let post = |body: Value| client.post(&running.url).json(&body);
    let text = "x".repeat(20_000);
    let mut ids = Vec::new();
    for _ in 0..6 {
        let notes: Vec<Value> = (0..600).map(|number| json!({ "text": text, "number": number % 7 })).collect();
        let answer = post(json!(notes)).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        ids.extend(body["_items"].as_array().unwrap().iter().map(|item| item["_id"].as_str().unwrap().to_owned()));
    }
    let url = |query: &str| client.get(format!("{}?{query}", running.url));
    let limit = "The query took too long or too much memory. Please make it narrower, ask for smaller pages, or filter and sort by indexed fields.";
    let values = |text: &str, count: usize| format!("[{}]", vec![text; count].join(","));
    let raw = |body: String| client.post(&running.url).header("content-type", "application/json").body(body);
    let refs: Vec<&String> = ids.iter().take(1000).collect();
    let cases: Vec<(&str, reqwest::RequestBuilder, &[u16])> = vec![
        ("all documents", url(""), &[503]),
        ("all by a long key", url("sort=text"), &[503]),
        ("all by a number", url("sort=-number"), &[503]),
        ("a filter", url("where={%22number%22:%20{%22$lt%22:5}}"), &[503]),
        ("a page of many", url("max_results=1000&sort=text"), &[200, 503]),
        ("an indented page", url("max_results=1000&pretty"), &[200, 503]),
        ("one document", url("max_results=1"), &[200]),
        ("a bulk of large documents", post(json!(vec![json!({ "text": "x".repeat(500_000) }); 30])), &[201]),
        ("one of fifteen megabytes", post(json!({ "text": "x".repeat(15 << 20) })), &[201]),
        ("text that grows", post(json!({ "text": "\u{1}".repeat(2 << 20) })), &[201]),
        ("text that grows twice", post(json!({ "text": "\u{e9}".repeat(3 << 20) })), &[201]),
        ("many numbers", raw(format!("{{\"a\": {}}}", values("0", 900_000))), &[413]),
        ("many dicts", raw(format!("{{\"a\": {}}}", values("{\"a\":0}", 450_000))), &[201, 413]),
        ("as many values as there may be", raw(format!("{{\"a\": {}}}", values("0", 249_000))), &[201]),
        ("many small documents", raw(values("{}", 10_000)), &[201, 503]),
        (
            "long texts for a slow pattern",
            post(json!(vec![json!({ "pattern": "a".repeat(16_000) }); 900])),
            &[422, 503],
        ),
        ("a text too long for a pattern", post(json!({ "pattern": "a".repeat(15 << 20) })), &[422]),
        ("references", post(json!({ "refs": refs })), &[201]),
    ];
    for (name, request, expected) in cases {
        let before = running.processor_time();
        let (status, message, grown) = running.ask(request).await;
        let took = running.processor_time() - before;
        assert!(expected.contains(&status), "{name}: {status} {message}");
        if status == 503 {
            assert_eq!(message, limit, "{name}");
        }
        assert!(grown < MOST, "{name}: {grown} KiB");
        assert!(took < Duration::from_secs(10), "{name}: {took:?}");
    }
}
