//! Two kinds of load: a closed loop, where every connection sends its next request when it has the answer to the last, tells how
//! much a server can do; an open loop, where requests fall due at a stated rate, tells how long people wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::Fault;
use crate::connection::{Connection, Target};
use crate::process::Usage;

pub const CONNECTIONS: u32 = 32;
/// Requests before the measured ones: connections open, caches fill.
const WARM_UP: Duration = Duration::from_secs(1);
/// Stands in a request's bytes where each request, or each document of it, has a number of its own.
pub const SERIAL: &str = "{__serial}";
/// Numbers have the mark's length, so that every request has the same.
static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1_000_000_000);

/// A request to send over and over, and what must come back.
#[derive(Clone)]
pub struct Request {
    bytes: Arc<[u8]>,
    /// Where numbers go, each one of its own.
    serials: Arc<[usize]>,
    pub status: u16,
}

impl Request {
    pub fn new(method: &str, path: &str, headers: &[(&str, &str)], body: &str, status: u16) -> Self {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        if method != "GET" {
            text += &format!("content-length: {}\r\n", body.len());
        }
        text += "\r\n";
        text += body;
        let serials = text.match_indices(SERIAL).map(|(at, _)| at).collect();
        Self { serials, bytes: text.into_bytes().into(), status }
    }

    pub fn reads_body(&self) -> bool {
        self.bytes.starts_with(b"POST")
    }

    /// One exchange; the status must be the expected one.
    pub async fn once(&self, connection: &mut Connection) -> Result<(String, Vec<u8>), Fault> {
        let mut bytes = self.bytes.to_vec();
        self.number(&mut bytes);
        let answer = connection.exchange(&bytes).await?;
        if answer.status != self.status {
            let (request, body) = (String::from_utf8_lossy(&self.bytes), String::from_utf8_lossy(answer.body));
            let line = request.lines().next().unwrap_or_default();
            return Err(format!("{line}: expected {}, got {}: {body}", self.status, answer.status).into());
        }
        Ok((String::from_utf8_lossy(answer.head).into_owned(), answer.body.to_vec()))
    }

    fn number(&self, bytes: &mut [u8]) {
        for at in self.serials.iter().copied() {
            write_serial(&mut bytes[at..at + SERIAL.len()]);
        }
    }
}

/// The next number in the place of a mark.
pub fn write_serial(mark: &mut [u8]) {
    let mut number = NEXT_SERIAL.fetch_add(1, Ordering::Relaxed);
    for digit in mark.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// What a closed loop measured.
#[derive(Debug, Clone, Copy)]
pub struct Throughput {
    /// Answers a second.
    pub rate: f64,
    /// The server's processor time for one answer, in microseconds.
    pub server_cpu: f64,
    /// The same of this program: what the load itself costs.
    pub own_cpu: f64,
}

/// 32 connections, each busy all the time, for `time`.
pub async fn closed_loop(target: &Target, request: &Request, server: u32, time: Duration) -> Result<Throughput, Fault> {
    let begin = Instant::now() + WARM_UP;
    let end = begin + time;
    let watch = async {
        tokio::time::sleep_until(begin.into()).await;
        let (server_before, own_before) = (Usage::of(server)?, Usage::of(std::process::id())?);
        tokio::time::sleep_until(end.into()).await;
        let (server_after, own_after) = (Usage::of(server)?, Usage::of(std::process::id())?);
        Ok((server_after.cpu - server_before.cpu, own_after.cpu - own_before.cpu))
    };
    let connections = try_join_all((0..CONNECTIONS).map(async |_| {
        let mut connection = Connection::open(target).await?;
        let mut bytes = request.bytes.to_vec();
        let mut answers = 0_u64;
        loop {
            request.number(&mut bytes);
            let sent = Instant::now();
            let status = connection.exchange(&bytes).await?.status;
            let now = Instant::now();
            if status != request.status {
                let told = format!(
                    "expected {}, got {status} under load, {:?} after sending; {answers} answers before",
                    request.status,
                    now - sent
                );
                return Err(Fault::from(told));
            }
            if now >= end {
                return Ok(answers);
            }
            if now >= begin {
                answers += 1;
            }
        }
    }));
    let (answers, (server_cpu, own_cpu)) = tokio::try_join!(connections, watch)?;
    let answers = answers.iter().sum::<u64>() as f64;
    let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / answers;
    Ok(Throughput { rate: answers / time.as_secs_f64(), server_cpu: micros(server_cpu), own_cpu: micros(own_cpu) })
}

/// Waiting times under an open loop.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// Requests a second that were due.
    pub rate: u32,
    pub median: Duration,
    pub p99: Duration,
    pub p999: Duration,
}

/// Requests fall due `rate` times a second, in turn over 32 connections (fewer at slow rates: a server closes those that are idle
/// for seconds), for `time`. A request whose connection was still
/// waiting for the last answer counts from when it was due, so a stall is seen by every request that it held up.
pub async fn open_loop(target: &Target, request: &Request, rate: u32, time: Duration) -> Result<Latency, Fault> {
    let start = Instant::now() + WARM_UP;
    let gap = Duration::from_secs(1) / rate;
    let connections = CONNECTIONS.min(rate);
    let rounds = ((time.as_secs_f64() * f64::from(rate) / f64::from(connections)) as u32).max(1);
    let waits = try_join_all((0..connections).map(async |number| {
        let mut connection = Connection::open(target).await?;
        let mut bytes = request.bytes.to_vec();
        let mut waits = Vec::with_capacity(rounds as usize);
        for round in 0..rounds {
            let due = start + gap * (round * connections + number);
            let mut from = due;
            if Instant::now() < due {
                tokio::time::sleep_until(due.into()).await;
                // The timer is late by up to a millisecond, which is not the server's doing.
                from = Instant::now();
            }
            request.number(&mut bytes);
            let status = connection.exchange(&bytes).await?.status;
            if status != request.status {
                return Err(Fault::from(format!("expected {}, got {status} under load", request.status)));
            }
            waits.push(from.elapsed());
        }
        Ok(waits)
    }));
    let mut waits: Vec<Duration> = waits.await?.into_iter().flatten().collect();
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    Ok(Latency { rate, median: at(0.5), p99: at(0.99), p999: at(0.999) })
}
