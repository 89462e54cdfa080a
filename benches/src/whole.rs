//! The three services in one process, as `evergate run` starts them: how soon they are ready, and what they hold when idle.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Fault;
use crate::connection::{Target, trusting};
use crate::process::{Server, Usage, binary, free_address};

const IDLE: Duration = Duration::from_secs(10);

pub struct Whole {
    /// From the start of the process until all three answer /readyz.
    pub ready: Duration,
    /// After ten seconds without a request, in KiB.
    pub resident: u64,
}

/// Measures the second start: the first makes certificates, accounts and documents.
pub async fn measure(folder: &Path) -> Result<Whole, Fault> {
    let addresses = [free_address()?, free_address()?, free_address()?];
    let start = || {
        let mut command = Command::new(binary("evergate")?);
        command.arg("run").current_dir(folder);
        for (part, address) in ["CLIENT", "AUTH", "API"].into_iter().zip(addresses) {
            command.env(format!("EVERGATE__{part}__LISTEN"), address.to_string());
        }
        Server::start(&mut command, &folder.join("evergate.log"))
    };
    let ca = folder.join("certs/ca.pem");
    let mut first = start()?;
    let begun = Instant::now();
    while !ca.exists() {
        if begun.elapsed() > Duration::from_secs(10) {
            return Err("evergate run made no certificates".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let tls = Some(trusting(&ca)?);
    let targets = addresses.map(|address| Target { address, tls: tls.clone() });
    for target in &targets {
        first.ready(target).await?;
    }
    first.stop()?;

    let begun = Instant::now();
    let mut second = start()?;
    for target in &targets {
        second.ready(target).await?;
    }
    let ready = begun.elapsed();
    tokio::time::sleep(IDLE).await;
    let resident = Usage::of(second.id())?.resident;
    second.stop()?;
    Ok(Whole { ready, resident })
}
