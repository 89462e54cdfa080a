//! What POST is compared with: callers that put the same documents into the store themselves, without HTTP, JSON or rules.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::oid::ObjectId;
use bson::{DateTime, Document, RawDocumentBuf, doc};
use futures_util::future::try_join_all;
use resource_api::domain;
use resource_api::store::{self, Outcome, Write};
use serde::{Deserialize, Serialize};
use shared::store::StoreUrl;

use crate::Fault;
use crate::load::{CONNECTIONS, SERIAL, Throughput, write_serial};
use crate::process::{Usage, run};
use crate::stage::Stage;

#[derive(clap::Args)]
pub struct Options {
    /// The file of the store.
    #[arg(long)]
    store: PathBuf,
    #[arg(long)]
    domain: PathBuf,
    #[arg(long)]
    seconds: f64,
}

#[derive(Serialize, Deserialize)]
struct Written {
    rate: f64,
    cpu: f64,
}

/// A turn, in a process and a store of its own.
pub fn measure(stage: &Stage, round: u32, seconds: f64) -> Result<Throughput, Fault> {
    let store = stage.file(&format!("inserts-{round}.db"));
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("inserts").arg("--store").arg(&store);
    command.arg("--domain").arg(stage.file("domain.json")).arg("--seconds").arg(seconds.to_string());
    settle()?;
    let Written { rate, cpu } = serde_json::from_str(&run(&mut command)?)?;
    std::fs::remove_file(store)?;
    settle()?;
    Ok(Throughput { rate, server_cpu: cpu, own_cpu: 0.0 })
}

/// What one turn leaves the system to write back must not slow the syncs of the next.
fn settle() -> Result<(), Fault> {
    run(&mut Command::new("sync")).map(drop)
}

/// As many callers as there are connections, each with its next document when the last is on the disk.
#[allow(clippy::print_stdout, reason = "the caller reads the result")]
pub async fn write(options: Options) -> Result<(), Fault> {
    let documents = store::open(&StoreUrl::Sqlite(options.store), Duration::from_secs(2)).await?;
    documents.prepare(&domain::load(&options.domain)?).await?;
    let begin = Instant::now() + Duration::from_secs(1);
    let end = begin + Duration::from_secs_f64(options.seconds);
    let mut before = None;
    let counts = try_join_all((0..CONNECTIONS).map(|_| async {
        let mut written = 0_u32;
        loop {
            let document = Arc::new(RawDocumentBuf::try_from(&arrival())?);
            let write = Write::Insert { source: "arrivals".to_owned(), document };
            match documents.commit(vec![write]).await? {
                Outcome::Done(_) => {}
                outcome => return Err(Fault::from(format!("{outcome:?}"))),
            }
            let now = Instant::now();
            if now >= end {
                return Ok(written);
            }
            written += u32::from(now >= begin);
        }
    }));
    let watch = async {
        tokio::time::sleep_until(begin.into()).await;
        before = Some(Usage::of(std::process::id())?.cpu);
        tokio::time::sleep_until(end.into()).await;
        Ok::<_, Fault>(Usage::of(std::process::id())?.cpu)
    };
    let (counts, after) = tokio::try_join!(counts, watch)?;
    let written = f64::from(counts.iter().sum::<u32>());
    let cpu = after.saturating_sub(before.unwrap_or_default()).as_secs_f64() * 1e6 / written;
    println!("{}", serde_json::to_string(&Written { rate: written / options.seconds, cpu })?);
    Ok(())
}

/// What the service stores of [`crate::stage::ARRIVAL`].
fn arrival() -> Document {
    let mut number = [b'0'; SERIAL.len()];
    write_serial(&mut number);
    let number = number.iter().fold(0_i64, |number, digit| number * 10 + i64::from(digit - b'0'));
    let now = DateTime::from_millis(1_790_000_000_000);
    doc! {
        "_id": ObjectId::new(),
        "geonameid": number,
        "name": "Ohrid",
        "country": "MK",
        "admin1": "72",
        "feature": "PPLA",
        "population": 42033,
        "location": { "type": "Point", "coordinates": [20.80163, 41.11722] },
        "_updated": now,
        "_created": now,
        "_etag": "3fcc179ed7314abc19e17defa2b175e1b7db42cf",
    }
}
