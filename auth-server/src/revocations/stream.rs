//! POST /revocations: a resource server follows what ends, so as to forget what it remembers of it (D-039). The answer has no end:
//! a line of JSON for each look at the store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use shared::random::random_id;
use shared::revocation_feed::{Handle, Look, MOST_HANDLES};
use shared::store::StoreError;

use super::feed::{FollowError, Follower};
use crate::app::App;
use crate::client::Client;
use crate::error::OAuthError;
use crate::form::MachineForm;
use crate::introspect;

/// How often it is looked whether the caller may still follow.
const CHECKED: Duration = Duration::from_secs(5);

pub async fn endpoint(
    app: web::Data<App>,
    request: HttpRequest,
    MachineForm(form): MachineForm,
) -> Result<HttpResponse, OAuthError> {
    let client = introspect::resource_server(&app, &request, &form).await?;
    let follower = app.feed.follow().await.map_err(|error| match error {
        FollowError::Store(error) => OAuthError::Store(error),
        closed => OAuthError::Store(StoreError::Unavailable(closed.to_string())),
    })?;
    let answer = Following { app, client, checked: Instant::now(), from: random_id(""), number: 0, follower };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/x-ndjson"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // A proxy that collects answers before it passes them on would make every look late.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(stream::unfold(answer, Following::next)))
}

/// One answer.
struct Following {
    app: web::Data<App>,
    client: Arc<Client>,
    checked: Instant,
    from: String,
    number: u64,
    follower: Follower,
}

impl Following {
    /// The next lines; `None` ends the answer, and whoever follows begins anew.
    async fn next(mut self) -> Option<(Result<Bytes, actix_web::Error>, Self)> {
        if self.number == 0 {
            let lately = std::mem::take(&mut self.follower.lately);
            let mut lines = Vec::new();
            lately.chunks(MOST_HANDLES).for_each(|part| self.write(part, &mut lines));
            if lately.is_empty() {
                self.write(&[], &mut lines);
            }
            return Some((Ok(lines.into()), self));
        }
        // Also where it is too late: what it missed it can't be told.
        let found = self.follower.looks.recv().await.ok()?;
        if self.checked.elapsed() >= CHECKED {
            self.checked = Instant::now();
            let now = self.app.clients.find(&self.client.id).await.ok()??;
            // Whatever was changed: it has to prove itself again.
            if now.version != self.client.version {
                return None;
            }
        }
        let mut line = Vec::new();
        self.write(&found, &mut line);
        Some((Ok(line.into()), self))
    }

    fn write(&mut self, ended: &[Handle], lines: &mut Vec<u8>) {
        self.number += 1;
        let look = Look { from: self.from.clone(), number: self.number, ended: ended.to_vec() };
        serde_json::to_writer(&mut *lines, &look).expect("text and numbers can be written as JSON");
        lines.push(b'\n');
    }
}
