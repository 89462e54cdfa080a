//! Introspection while a crowd signs in: 50 browsers try passwords, each time from another address and for another name, so that
//! no throttle spares the server the hashing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::sync::watch;

use crate::Fault;
use crate::connection::{Connection, Target};
use crate::load::{Latency, Request, open_loop};
use crate::process::Usage;
use crate::stage::Running;

const BROWSERS: usize = 50;
/// Introspections a second.
pub const RATE: u32 = 2000;

pub struct Crowd {
    pub latency: Latency,
    /// Answers to sign-ins, by status.
    pub sign_ins: BTreeMap<u16, u64>,
    /// The most the auth-server held, in KiB: with, and without, the pages of its file that it has mapped.
    pub resident: u64,
    pub own: u64,
}

/// Fails when an introspection is answered by anything but 200, or a sign-in by anything but a refusal of the password (401), of one
/// try too many (429) or of one more than can wait (503).
pub async fn measure(running: &Running, introspection: &Request, time: Duration) -> Result<Crowd, Fault> {
    let (stop, stopped) = watch::channel(false);
    let crowd = try_join_all((0..BROWSERS).map(|number| sign_in(&running.auth, number, stopped.clone())));
    let measured = async {
        // All are at it.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let latency = open_loop(&running.auth, introspection, RATE, time).await;
        stop.send_replace(true);
        latency
    };
    let most = async {
        let (mut stopped, mut most) = (stopped.clone(), 0);
        while !*stopped.borrow_and_update() {
            most = most.max(Usage::of(running.auth_id)?.own);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(most)
    };
    let (counts, latency, own) = tokio::try_join!(crowd, measured, most)?;
    let mut sign_ins = BTreeMap::new();
    for status in counts.into_iter().flatten() {
        *sign_ins.entry(status).or_insert(0) += 1;
    }
    Ok(Crowd { latency, sign_ins, resident: Usage::of(running.auth_id)?.peak, own })
}

/// One browser: opens the page once, then tries one password after the other.
async fn sign_in(target: &Target, number: usize, mut stopped: watch::Receiver<bool>) -> Result<Vec<u16>, Fault> {
    let page = Request::new("GET", "/oauth/login", &[], "", 200);
    let mut connection = Connection::open(target).await?;
    let (head, body) = page.once(&mut connection).await?;
    let between = |text: &str, before: &str, after: char| -> Option<String> {
        Some(text.split_once(before)?.1.split_once(after)?.0.to_owned())
    };
    let cookie = between(&head, "set-cookie: ", ';').ok_or("the sign-in page sets no cookie")?;
    let page = String::from_utf8(body)?;
    let csrf = between(&page, "name=\"csrf\" value=\"", '"').ok_or("the sign-in page has no form")?;
    let mut statuses = Vec::new();
    let begun = Instant::now();
    while !*stopped.borrow_and_update() {
        let round = statuses.len();
        let body = format!("csrf={csrf}&username=nobody-{number}-{round}&password=not+the+right+one");
        let request = format!(
            "POST /oauth/login HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: {cookie}\r\nx-forwarded-for: 198.18.{number}.{}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            round % 250,
            body.len(),
        );
        let status = connection.exchange(request.as_bytes()).await?.status;
        if !matches!(status, 401 | 429 | 503) {
            return Err(format!("a sign-in was answered {status} after {:?}", begun.elapsed()).into());
        }
        statuses.push(status);
    }
    Ok(statuses)
}
