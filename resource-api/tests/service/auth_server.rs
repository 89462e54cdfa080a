//! An auth-server on a real socket that says what it is told to.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use shared::revocation_feed::{Handle, Look};

use crate::support::RESOURCE;

/// How the stub answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Mood {
    Fine,
    /// Accepts, waits, then answers.
    Slow(Duration),
    /// Accepts one, makes up its mind, and answers when it is let go; all others are answered at once.
    HoldOne,
    Status(u16),
    Garbage,
    /// Accepts and hangs up.
    HangUp,
}

/// An auth-server that knows only introspection and its metadata.
#[derive(Clone)]
pub struct AuthServer {
    pub url: String,
    inner: Arc<Inner>,
}

struct Inner {
    tokens: Mutex<HashMap<String, Value>>,
    mood: Mutex<Mood>,
    asked: AtomicUsize,
    holds: AtomicBool,
    discovered: AtomicUsize,
    credentials: Mutex<Vec<String>>,
    bodies: Mutex<Vec<String>>,
    telling: Mutex<Telling>,
    /// Everything that has ended.
    ended: Mutex<Vec<Handle>>,
    followed: AtomicUsize,
}

/// How the stub's feed of revocations goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Telling {
    Steadily,
    /// The connection stays, and nothing comes.
    Not,
    /// One look is left out.
    WithAGap,
    /// Connections are ended.
    HangUp,
}

impl AuthServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            tokens: Mutex::default(),
            mood: Mutex::new(Mood::Fine),
            asked: AtomicUsize::new(0),
            holds: AtomicBool::new(false),
            discovered: AtomicUsize::new(0),
            credentials: Mutex::default(),
            bodies: Mutex::default(),
            telling: Mutex::new(Telling::Steadily),
            ended: Mutex::default(),
            followed: AtomicUsize::new(0),
        });
        let server = Self { url, inner };
        let serving = server.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.answer(connection));
            }
        });
        server
    }

    /// A live token of a user with these scopes; `more` replaces members of the answer.
    pub fn token(&self, name: &str, scopes: &str, more: Value) -> &Self {
        let mut answer = json!({
            "active": true, "scope": scopes, "client_id": "shop", "username": name, "sub": format!("u_{name}"),
            "aud": [RESOURCE], "iss": self.url, "exp": 4_000_000_000_i64, "iat": 1, "jti": "j", "token_type": "Bearer",
        });
        answer.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.inner.tokens.lock().unwrap().insert(name.to_owned(), answer);
        self
    }

    pub fn revoke(&self, name: &str) {
        self.inner.tokens.lock().unwrap().remove(name);
    }

    pub fn mood(&self, mood: Mood) {
        *self.inner.mood.lock().unwrap() = mood;
    }

    /// Tells of an ending from now on.
    pub fn ends(&self, handle: Handle) {
        self.end_together([handle]);
    }

    /// Tells of several in one look.
    pub fn end_together<const N: usize>(&self, handles: [Handle; N]) {
        self.inner.ended.lock().unwrap().extend(handles);
    }

    pub fn tell(&self, telling: Telling) {
        *self.inner.telling.lock().unwrap() = telling;
    }

    /// How often somebody began to follow.
    pub fn followed(&self) -> usize {
        self.inner.followed.load(Ordering::SeqCst)
    }

    /// The feed of revocations, until somebody hangs up.
    fn feed(&self, mut connection: TcpStream) {
        if *self.inner.telling.lock().unwrap() == Telling::HangUp {
            return;
        }
        let head = "HTTP/1.1 200 X\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n";
        connection.write_all(head.as_bytes()).unwrap();
        self.inner.followed.fetch_add(1, Ordering::SeqCst);
        let (mut number, mut told) = (0, 0);
        loop {
            match *self.inner.telling.lock().unwrap() {
                Telling::HangUp => return,
                Telling::Not => {}
                telling => {
                    number += if telling == Telling::WithAGap { 2 } else { 1 };
                    let ended = self.inner.ended.lock().unwrap().clone();
                    let look = Look { from: "stub".to_owned(), number, ended: ended[told..].to_vec() };
                    told = ended.len();
                    let line = serde_json::to_string(&look).unwrap();
                    if connection.write_all(format!("{line}\n").as_bytes()).is_err() {
                        return;
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How often introspection was asked.
    pub fn asked(&self) -> usize {
        self.inner.asked.load(Ordering::SeqCst)
    }

    /// Whether an answer is ready and held back.
    pub fn holds(&self) -> bool {
        self.inner.holds.load(Ordering::SeqCst)
    }

    pub fn let_go(&self) {
        self.inner.holds.store(false, Ordering::SeqCst);
    }

    pub fn discovered(&self) -> usize {
        self.inner.discovered.load(Ordering::SeqCst)
    }

    /// The Authorization headers and bodies that came.
    pub fn questions(&self) -> Vec<(String, String)> {
        let credentials = self.inner.credentials.lock().unwrap().clone();
        credentials.into_iter().zip(self.inner.bodies.lock().unwrap().clone()).collect()
    }

    fn answer(&self, connection: TcpStream) {
        let mut reader = BufReader::new(connection.try_clone().unwrap());
        let mut connection = connection;
        loop {
            let mut request = String::new();
            if reader.read_line(&mut request).unwrap_or(0) == 0 {
                return;
            }
            let (mut length, mut authorization) = (0, String::new());
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if lower.starts_with("authorization:") {
                    authorization = line["authorization:".len()..].trim().to_owned();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            if request.starts_with("POST /feed ") {
                return self.feed(connection);
            }
            let (status, answer) = if request.starts_with("GET /.well-known/oauth-authorization-server ") {
                self.inner.discovered.fetch_add(1, Ordering::SeqCst);
                let (ask, feed) = (format!("{}/ask", self.url), format!("{}/feed", self.url));
                let said = json!({
                    "issuer": self.url, "introspection_endpoint": ask, "revocation_feed_endpoint": feed,
                });
                (200, said.to_string())
            } else {
                self.inner.asked.fetch_add(1, Ordering::SeqCst);
                self.inner.credentials.lock().unwrap().push(authorization);
                self.inner.bodies.lock().unwrap().push(body.clone());
                let mood = self.inner.mood.lock().unwrap().clone();
                let fine = || {
                    let token = body.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or_default();
                    let known = self.inner.tokens.lock().unwrap().get(token).cloned();
                    (200, known.unwrap_or_else(|| json!({ "active": false })).to_string())
                };
                match mood {
                    Mood::HangUp => return,
                    Mood::Slow(time) => {
                        std::thread::sleep(time);
                        fine()
                    }
                    Mood::HoldOne => {
                        let answer = fine();
                        self.mood(Mood::Fine);
                        self.inner.holds.store(true, Ordering::SeqCst);
                        while self.holds() {
                            std::thread::sleep(Duration::from_millis(5));
                        }
                        answer
                    }
                    Mood::Status(status) => (status, "{}".to_owned()),
                    Mood::Garbage => (200, "<html>".to_owned()),
                    Mood::Fine => fine(),
                }
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                answer.len()
            );
            if connection.write_all(format!("{head}{answer}").as_bytes()).is_err() {
                return;
            }
        }
    }
}
