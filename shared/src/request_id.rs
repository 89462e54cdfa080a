//! The id that ties a request's log lines, its response and the requests it causes together.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::header::{HeaderName, HeaderValue};

use crate::random::random_bytes;
use crate::store::waiting::one_request;

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: HeaderValue;
}

/// The id of the request this task serves.
pub fn current() -> Option<String> {
    with_current(|id| id.map(str::to_owned))
}

/// The same without a copy.
pub fn with_current<T>(look: impl FnOnce(Option<&str>) -> T) -> T {
    match CURRENT.try_with(HeaderValue::clone) {
        Ok(id) => look(id.to_str().ok()),
        Err(_) => look(None),
    }
}

/// Runs `work` under `id`, as one request to the stores too.
pub async fn scope<T>(id: HeaderValue, work: impl Future<Output = T>) -> T {
    CURRENT.scope(id, one_request(work)).await
}

/// The caller's id if it is one (1 to 64 of `A-Z a-z 0-9 . _ -`), otherwise a new one, unique but not secret.
pub fn accept_or_mint(sent: Option<&HeaderValue>) -> HeaderValue {
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match sent {
        Some(id) if (1..=64).contains(&id.len()) && id.as_bytes().iter().all(legal) => id.clone(),
        _ => mint(),
    }
}

fn mint() -> HeaderValue {
    static PROCESS: OnceLock<String> = OnceLock::new();
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let process = PROCESS.get_or_init(|| {
        random_bytes::<6>().iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a String succeeds");
            text
        })
    });
    let id = format!("{process}-{:x}", NUMBER.fetch_add(1, Ordering::Relaxed));
    HeaderValue::from_str(&id).expect("hex digits and a hyphen are legal in a header")
}
