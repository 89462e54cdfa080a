//! Whoever the webhooks call: a real server that writes down what came and answers as it is told to.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What came.
#[derive(Debug, Clone)]
pub struct Call {
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub text: String,
}

/// What goes back.
pub struct Reply {
    status: u16,
    head: String,
    body: String,
    after: Duration,
}

type Answers = HashMap<String, Box<dyn Fn(&Call) -> Option<Reply> + Send>>;

#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    answers: Arc<Mutex<Answers>>,
}

impl Call {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::of(status, "application/json", &body.to_string())
    }

    pub fn of(status: u16, kind: &str, body: &str) -> Self {
        Self { status, head: format!("Content-Type: {kind}\r\n"), body: body.to_owned(), after: Duration::ZERO }
    }

    pub fn nothing() -> Self {
        Self { status: 204, head: String::new(), body: String::new(), after: Duration::ZERO }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

impl Receiver {
    /// Answers 204 to everything.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let receiver = Self { url, calls: Arc::default(), answers: Arc::default() };
        let serving = receiver.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(connection));
            }
        });
        receiver
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// From now on, calls of `path` are answered so; `None`: the connection is closed without a word.
    pub fn answers(&self, path: &str, answer: impl Fn(&Call) -> Option<Reply> + Send + 'static) {
        self.answers.lock().unwrap().insert(path.to_owned(), Box::new(answer));
    }

    /// The same with what always is the same.
    pub fn says(&self, path: &str, status: u16, body: Value) {
        self.answers(path, move |_| Some(Reply::json(status, &body)));
    }

    /// Answers with the member `name` of what came, changed.
    pub fn changes(&self, path: &str, name: &'static str, change: impl Fn(&mut Value) + Send + 'static) {
        self.answers(path, move |call| {
            let mut value = call.json()[name].take();
            change(&mut value);
            Some(Reply::json(200, &json!({ name: value })))
        });
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// What has come since the last time, once it is as much as this.
    pub async fn take(&self, count: usize) -> Vec<Call> {
        self.has(count).await;
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Returns when so much has come since the last time.
    pub async fn has(&self, count: usize) {
        let end = Instant::now() + Duration::from_secs(60);
        while self.calls.lock().unwrap().len() < count {
            assert!(Instant::now() < end, "{count} calls are missing: {:#?}", self.paths());
            actix_rt::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Where all that has come went.
    pub fn paths(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|call| call.path.clone()).collect()
    }

    fn serve(&self, mut connection: TcpStream) {
        let mut reader = BufReader::new(connection.try_clone().unwrap());
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body).unwrap();
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let call = Call { path, headers, text: String::from_utf8(body).unwrap() };
        self.calls.lock().unwrap().push(call.clone());
        let reply = match self.answers.lock().unwrap().get(&call.path) {
            Some(answer) => answer(&call),
            None => Some(Reply::nothing()),
        };
        let Some(Reply { status, head, body, after }) = reply else { return };
        std::thread::sleep(after);
        let length = if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        // Whoever waited in vain has gone.
        let _ = connection
            .write_all(format!("HTTP/1.1 {status} X\r\n{head}{length}Connection: close\r\n\r\n{body}").as_bytes());
    }
}
