//! What was acknowledged survives `kill -9`: the real program as a process of its own (decisions 9, 18).
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

const DOMAIN: &str = r#"
    RESOURCE_METHODS = ["GET", "POST"]
    PAGINATION_LIMIT = 100000
    [DOMAIN.notes.schema]
    number = { type = "integer", unique = true }
    bulk = { type = "integer" }
"#;
const BULK: u64 = 10;

struct Running {
    child: Child,
    url: String,
}

/// Starts the program, under `wrapper` if that is not empty, and waits until it listens.
fn start(folder: &Path, wrapper: &[&str]) -> Running {
    std::fs::write(folder.join("domain.toml"), DOMAIN).unwrap();
    let config = format!(
        "domain = '{0}/domain.toml'\nstore = 'sqlite:{0}/api.db'\n[server]\nlisten = '127.0.0.1:0'\ntls = false\n[auth]\nmode = 'none'\n",
        folder.display()
    );
    std::fs::write(folder.join("config.toml"), config).unwrap();
    let program = env!("CARGO_BIN_EXE_resource-api");
    let config = folder.join("config.toml");
    let arguments: Vec<&str> =
        wrapper.iter().copied().chain([program, "serve", "--config", config.to_str().unwrap()]).collect();
    let mut child = Command::new(arguments[0]).args(&arguments[1..]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines
        .find_map(|line| {
            let line = line.unwrap();
            Some(line.split_once(" listens on ")?.1.split_whitespace().next()?.to_owned())
        })
        .expect("the program starts and says where it listens");
    // Its log goes on; a full pipe would stop it.
    std::thread::spawn(move || lines.for_each(drop));
    Running { child, url: format!("http://{address}/notes") }
}

impl Running {
    fn kill(mut self) {
        // Under a wrapper the program is the child's child, and would outlive it.
        let process = self.child.id();
        let inner = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap();
        for inner in inner.split_whitespace() {
            assert!(Command::new("kill").args(["-9", inner]).status().unwrap().success());
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

async fn stored(url: &str) -> Vec<Value> {
    let answer = reqwest::get(format!("{url}?max_results=100000")).await.unwrap();
    let mut body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    serde_json::from_value(body["_items"].take()).unwrap()
}

/// DB-06, POST-03 with decision 18.
#[actix_rt::test]
async fn after_ten_kills_under_load_every_acknowledged_document_is_there_and_no_bulk_is_half() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let next = Arc::new(AtomicU64::new(0));
    let client = reqwest::Client::new();
    for _ in 0..10 {
        let running = start(folder.path(), &[]);
        let before = acknowledged.lock().unwrap().len();
        let posters: Vec<_> = (0..16)
            .map(|poster| {
                let (url, acknowledged, next) = (running.url.clone(), acknowledged.clone(), next.clone());
                let client = client.clone();
                actix_rt::spawn(async move {
                    loop {
                        let first = next.fetch_add(BULK, Ordering::SeqCst);
                        let numbers: Vec<u64> =
                            if poster % 4 == 0 { (first..first + BULK).collect() } else { vec![first] };
                        let body: Vec<Value> =
                            numbers.iter().map(|number| json!({ "number": number, "bulk": first })).collect();
                        match client.post(&url).json(&body).send().await {
                            Ok(answer) if answer.status() == 201 => acknowledged.lock().unwrap().extend(numbers),
                            Ok(answer) => panic!("{}: {}", answer.status(), answer.text().await.unwrap()),
                            Err(_) => return,
                        }
                    }
                })
            })
            .collect();
        // All sixteen are at it; then at a random moment.
        while acknowledged.lock().unwrap().len() < before + 32 {
            actix_rt::time::sleep(Duration::from_millis(5)).await;
        }
        let random = u64::from(shared::random::random_bytes::<1>()[0]);
        actix_rt::time::sleep(Duration::from_millis(random)).await;
        running.kill();
        for poster in posters {
            poster.await.unwrap();
        }
    }
    let running = start(folder.path(), &[]);
    let documents = stored(&running.url).await;
    let numbers: BTreeSet<u64> = documents.iter().map(|document| document["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers.len(), documents.len(), "a unique number is stored twice");
    let lost: Vec<_> = acknowledged.lock().unwrap().difference(&numbers).copied().collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let bulks: BTreeSet<u64> = documents.iter().map(|document| document["bulk"].as_u64().unwrap()).collect();
    for first in bulks {
        let size = numbers.range(first..first + BULK).count() as u64;
        assert!(size == 1 || size == BULK, "bulk {first} is half stored: {size}");
    }
    running.kill();
}

/// X-025, decision 9: in a trace of the system calls, the write to the log and its sync stand before the answer.
#[actix_rt::test]
async fn the_sync_comes_before_the_acknowledgement() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let calls = "trace=pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg";
    let strace = ["strace", "-f", "-y", "-s", "64", "-e", calls, "-o", trace.to_str().unwrap()];
    let running = start(folder.path(), &strace);
    let client = reqwest::Client::new();
    for number in 0..20 {
        let answer = client.post(&running.url).json(&json!({ "number": number })).send().await.unwrap();
        assert_eq!(answer.status(), 201);
    }
    running.kill();
    let text = std::fs::read_to_string(&trace).unwrap();
    let (mut written, mut synced, mut answers) = (false, false, 0);
    // Threads whose sync is still running where strace shows another thread's call first.
    let mut syncing = BTreeSet::new();
    for line in text.lines() {
        let thread = line.split_whitespace().next().unwrap_or_default();
        let log = line.contains("api.db-wal>");
        if line.contains("pwrite64(") && log {
            (written, synced) = (true, false);
        } else if line.contains("sync(") && log {
            if line.contains("<unfinished") {
                syncing.insert(thread);
            } else {
                synced = written;
            }
        } else if line.contains("sync resumed>") && syncing.remove(thread) {
            synced = written;
        } else if line.contains("HTTP/1.1 201") {
            assert!(written && synced, "an answer left before its sync:\n{line}");
            (written, synced) = (false, false);
            answers += 1;
        }
    }
    assert_eq!(answers, 20, "{text}");
}
