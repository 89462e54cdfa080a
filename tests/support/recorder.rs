//! A proxy on a real socket that passes plain http on and remembers the bearer tokens it saw.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub struct Recorder {
    pub url: String,
    tokens: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    /// `target` may be set later, once the server behind it has a port.
    pub async fn start(target: Arc<Mutex<Option<SocketAddr>>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let tokens = Arc::new(Mutex::new(Vec::new()));
        let seen = tokens.clone();
        actix_rt::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let to = target.lock().unwrap().expect("the target is set before the first request");
                let seen = seen.clone();
                actix_rt::spawn(async move {
                    let server = TcpStream::connect(to).await.unwrap();
                    let (mut from_client, mut to_client) = client.into_split();
                    let (mut from_server, mut to_server) = server.into_split();
                    actix_rt::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
                    let mut buffer = vec![0; 64 * 1024];
                    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                        let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
                        for line in text.lines() {
                            let Some((name, token)) = line.split_once(": Bearer ") else { continue };
                            if name.eq_ignore_ascii_case("authorization") {
                                seen.lock().unwrap().push(token.trim().to_owned());
                            }
                        }
                        if to_server.write_all(&buffer[..read]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, tokens }
    }

    /// Every token that passed, in order, each once.
    pub fn tokens(&self) -> Vec<String> {
        let mut tokens = self.tokens.lock().unwrap().clone();
        tokens.dedup();
        tokens
    }
}
