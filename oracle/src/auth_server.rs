//! The auth-server that resource-api asks about tokens: a token is its holder's name, and `nobody` holds none. It is to
//! resource-api what the class `Tokens` of serve_eve.py is to Eve.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;

/// Whom its tokens are for.
pub const AUDIENCE: &str = "https://oracle.test";

#[derive(Debug)]
pub struct AuthServer {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl AuthServer {
    /// Every token has these scopes, separated by spaces.
    pub fn start(scopes: String) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let server = Self { address: listener.local_addr()?, ended: Arc::default() };
        let (ended, issuer) = (server.ended.clone(), server.issuer());
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                // Whoever asks and hangs up gets no answer.
                let _ = answer(connection, &issuer, &scopes);
            }
        });
        Ok(server)
    }

    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn introspection_endpoint(&self) -> String {
        format!("{}/introspect", self.issuer())
    }
}

impl Drop for AuthServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // It waits for a connection.
        drop(TcpStream::connect(self.address));
    }
}

fn answer(mut connection: TcpStream, issuer: &str, scopes: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let token = form_urlencoded::parse(&body).find(|(name, _)| name == "token").map(|(_, token)| token);
    let told = match token.as_deref() {
        None | Some("nobody") => json!({ "active": false }),
        Some(name) => json!({
            "active": true, "scope": scopes, "client_id": "oracle", "username": name, "sub": name, "aud": [AUDIENCE],
            "iss": issuer, "exp": 4_000_000_000_i64, "iat": 1, "jti": name, "token_type": "Bearer", "roles": [name],
        }),
    };
    let told = told.to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
    connection.write_all(format!("{head} {}\r\n\r\n{told}", told.len()).as_bytes())
}
