//! The real program over a real socket: its status, its time, its memory, its log.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use crate::grammar::{self, BODY, BOUNDARY, MULTIPART, PROJECTION, SORT, WHERE_MONGO, WHERE_PYTHON};
use crate::random::Random;
use crate::{Case, Target, run};

/// The service's own limit, and what may come to it, of the processor's time: on a busy machine everything takes longer.
const TIME_LIMIT: f64 = 2.0;
const SLACK: Duration = Duration::from_secs(2);
/// Clock ticks of `/proc` in a second.
const TICKS: u64 = 100;
const MEMORY: u64 = 64 << 10;
const CASES: u32 = 300;

struct Service {
    child: Child,
    address: String,
    panicked: Arc<AtomicBool>,
    last: Arc<Mutex<String>>,
    connection: Option<BufReader<TcpStream>>,
    /// Of bodies.
    content_type: String,
    _folder: TempDir,
}

struct Answer {
    status: u16,
    body: String,
}

impl Service {
    /// With three hundred documents.
    fn start() -> Self {
        Self::of(&grammar::domain())
    }

    fn of(domain: &serde_json::Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("domain.json"), domain.to_string()).unwrap();
        let config = format!(
            "domain = {:?}\nstore = \"sqlite:{}\"\n[server]\nlisten = \"127.0.0.1:0\"\ntls = false\nworkers = 2\n[auth]\nmode = \"none\"\n[limits]\nquery_time = {TIME_LIMIT}\n",
            at("domain.json"),
            at("api.db").display()
        );
        std::fs::write(at("config.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_resource-api"));
        let mut child =
            command.arg("serve").arg("--config").arg(at("config.toml")).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .find_map(|line| Some(line.unwrap().split_once(" listens on ")?.1.split_whitespace().next()?.to_owned()))
            .expect("it says where it listens");
        let (panicked, last) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(String::new())));
        let (seen, kept) = (Arc::clone(&panicked), Arc::clone(&last));
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line.contains("panicked") {
                    seen.store(true, Ordering::SeqCst);
                }
                *kept.lock().unwrap() = line;
            }
        });
        let content_type = "application/json".to_owned();
        let mut service = Self { child, address, panicked, last, connection: None, content_type, _folder: folder };
        let mut random = Random::new(3);
        let mut stored = 0;
        while stored < 300 {
            let text = (BODY.generate)(&mut random);
            stored += if text.starts_with('[') { 3 } else { 1 };
            let answer = service.request("POST", "/things", text.as_bytes()).unwrap();
            assert_eq!(answer.status, 201, "{text}: {}", answer.body);
        }
        service
    }

    /// The path of a new document.
    fn item(&mut self) -> String {
        let created = self.request("POST", "/things", b"{}").unwrap();
        let created: serde_json::Value = serde_json::from_str(&created.body).unwrap();
        format!("/things/{}", created["_id"].as_str().unwrap())
    }

    fn request(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Answer, String> {
        // A connection that the service has closed meanwhile is no fault.
        match self.exchange(method, path, body) {
            Err(_) if self.connection.take().is_some() => self.exchange(method, path, body),
            done => done,
        }
    }

    fn exchange(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Answer, String> {
        if self.connection.is_none() {
            let stream = TcpStream::connect(&self.address).map_err(|error| format!("no connection: {error}"))?;
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            self.connection = Some(BufReader::new(stream));
        }
        let connection = self.connection.as_mut().unwrap();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: fuzz\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            self.content_type,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        let done = (|| -> std::io::Result<(u16, Vec<u8>, bool)> {
            connection.get_mut().write_all(&request)?;
            let mut line = String::new();
            connection.read_line(&mut line)?;
            let status = line.get(9..12).and_then(|status| status.parse().ok());
            let status = status.ok_or_else(|| std::io::Error::other(format!("no status in {line:?}")))?;
            let (mut length, mut chunked, mut close) = (0, false, false);
            loop {
                let mut line = String::new();
                connection.read_line(&mut line)?;
                let line = line.trim().to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().map_err(std::io::Error::other)?;
                }
                chunked |= line == "transfer-encoding: chunked";
                close |= line == "connection: close";
            }
            let mut body = vec![0; length];
            connection.read_exact(&mut body)?;
            while chunked {
                let mut line = String::new();
                connection.read_line(&mut line)?;
                let size = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
                let start = body.len();
                body.resize(start + size + 2, 0);
                connection.read_exact(&mut body[start..])?;
                body.truncate(start + size);
                chunked = size > 0;
            }
            Ok((status, body, close))
        })();
        let (status, body, close) = done.map_err(|error| format!("no answer: {error}"))?;
        if close {
            self.connection = None;
        }
        Ok(Answer { status, body: String::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())? })
    }

    /// Sends it and judges the service by what came of it.
    fn judge(&mut self, method: &str, path: &str, body: &[u8], case: &Case) -> Result<(), String> {
        let process = self.child.id();
        std::fs::write(format!("/proc/{process}/clear_refs"), "5").map_err(|error| format!("it is gone: {error}"))?;
        let (before, _) = memory(process)?;
        let begun = processor_time(process)?;
        let answer = self.request(method, path, body)?;
        let took = processor_time(process)?.saturating_sub(begun);
        let (_, peak) = memory(process)?;
        if self.panicked.load(Ordering::SeqCst) {
            return Err(format!("the service panicked: {}", self.last.lock().unwrap()));
        }
        let time_is_up = answer.status == 503 && answer.body.contains("The query took too long");
        if answer.status >= 500 && !time_is_up {
            return Err(format!("{} {}", answer.status, answer.body));
        }
        if took > Duration::from_secs_f64(TIME_LIMIT) + SLACK {
            return Err(format!("it took {took:?}"));
        }
        if peak.saturating_sub(before) > MEMORY {
            return Err(format!("it took {} KiB", peak - before));
        }
        if case.valid && !time_is_up && !(200..300).contains(&answer.status) {
            return Err(format!("refused with {}: {}", answer.status, answer.body));
        }
        // What is refused before it reaches the API is refused in the words of HTTP alone.
        if !answer.body.is_empty() && !matches!(answer.status, 400 | 414 | 431) {
            serde_json::from_str::<serde_json::Value>(&answer.body)
                .map_err(|error| format!("{} with a body that is no JSON: {error}: {}", answer.status, answer.body))?;
        }
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What all threads of the process have used so far.
fn processor_time(process: u32) -> Result<Duration, String> {
    let stat =
        std::fs::read_to_string(format!("/proc/{process}/stat")).map_err(|error| format!("it is gone: {error}"))?;
    // Behind the name, which is in brackets, user and system time are the 12th and 13th.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// What the process holds and what it held at most since it was last asked, in KiB.
fn memory(process: u32) -> Result<(u64, u64), String> {
    let status =
        std::fs::read_to_string(format!("/proc/{process}/status")).map_err(|error| format!("it is gone: {error}"))?;
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Ok((line("VmRSS:").unwrap_or_default(), line("VmHWM:").unwrap_or_default()))
}

fn parameter(target: &Target, name: &str) {
    let mut service = Service::start();
    run(target, CASES, |case| {
        let path = format!("/things?{name}={}", shared::form::encode(&case.lossy()));
        service.judge("GET", &path, b"", case)
    });
}

#[test]
fn the_service_survives_any_filter_in_mongodbs_language() {
    parameter(&WHERE_MONGO, "where");
}

#[test]
fn the_service_survives_any_filter_in_pythons_language() {
    parameter(&WHERE_PYTHON, "where");
}

#[test]
fn the_service_survives_any_sort() {
    parameter(&SORT, "sort");
}

#[test]
fn the_service_survives_any_projection() {
    parameter(&PROJECTION, "projection");
}

#[test]
fn the_service_survives_any_body() {
    let mut service = Service::start();
    let item = service.item();
    run(&BODY, CASES, |case| {
        service.judge("POST", "/things", &case.text, case)?;
        // A list is no edit.
        let edit = Case { valid: case.valid && case.text.starts_with(b"{"), ..case.clone() };
        service.judge("PATCH", &item, &case.text, &edit)?;
        service.judge("PUT", &item, &case.text, &edit)
    });
}

fn multipart(fields_are_json: bool) {
    let mut domain = grammar::domain();
    domain["AUTO_CREATE_LISTS"] = true.into();
    domain["AUTO_COLLAPSE_MULTI_KEYS"] = true.into();
    domain["MULTIPART_FORM_FIELDS_AS_JSON"] = fields_are_json.into();
    let mut service = Service::of(&domain);
    let item = service.item();
    service.content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    run(&MULTIPART, CASES, |case| {
        service.judge("POST", "/things", &case.text, case)?;
        service.judge("PATCH", &item, &case.text, case)
    });
}

/// REQ-06, REQ-07.
#[test]
fn the_service_survives_any_multipart_form() {
    multipart(false);
}

/// REQ-08.
#[test]
fn the_service_survives_any_multipart_form_of_json() {
    multipart(true);
}
