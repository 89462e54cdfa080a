//! A resource server that follows what ends.

use std::time::{Duration, Instant};

use serde_json::Value;
use shared::revocation_feed::{Handle, Look};

/// An answer that has no end.
pub struct Following {
    response: reqwest::Response,
    read: Vec<u8>,
    number: u64,
}

impl Following {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { response, read: Vec::new(), number: 0 }
    }

    /// The next look; `None` where the server ended the answer.
    pub async fn look(&mut self) -> Option<Look> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                let look: Look = serde_json::from_slice(&line).unwrap();
                self.number += 1;
                assert_eq!(look.number, self.number, "a look is missing");
                return Some(look);
            }
            self.read.extend_from_slice(&self.response.chunk().await.ok()??);
        }
    }

    /// Waits until the end of a token is told, of which introspection said `told`.
    #[track_caller]
    pub fn hears_of(&mut self, told: &Value) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        let names: [Handle; 3] =
            [text("family").parse().unwrap(), Handle::of_user(&text("sub")), Handle::of_client(&text("client_id"))];
        async move {
            let end = Instant::now() + Duration::from_secs(30);
            loop {
                let look = tokio::time::timeout_at(end.into(), self.look()).await;
                let look = look.unwrap_or_else(|_| panic!("{place}: the end is not told")).unwrap();
                if look.ended.iter().any(|ended| names.contains(ended)) {
                    return;
                }
            }
        }
    }
}
