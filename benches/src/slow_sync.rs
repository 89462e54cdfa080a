//! Writes that share a commit: the auth-server under `strace`, which makes each sync to the disk take two milliseconds longer, and as
//! many callers as ever.

use std::process::Command;
use std::time::Duration;

use crate::Fault;
use crate::connection::{Connection, Target};
use crate::load::{Request, closed_loop};
use crate::process::{Server, binary};
use crate::stage::{Stage, token_request};

/// In microseconds.
const DELAY: u32 = 2000;

pub struct SlowSync {
    /// Tokens issued a second.
    pub rate: f64,
    pub writes_per_commit: f64,
    /// Writes a second if each waited for a commit of its own.
    pub alone: f64,
}

pub async fn measure(stage: &Stage, time: Duration) -> Result<SlowSync, Fault> {
    let (config, auth, metrics) = stage.metered_auth()?;
    let mut command = Command::new("strace");
    command.args(["--follow-forks", "--seccomp-bpf", "--quiet=all", "--output=/dev/null", "--trace=fsync,fdatasync"]);
    command.arg(format!("--inject=fsync,fdatasync:delay_exit={DELAY}"));
    command.arg(binary("auth-server")?).args(["serve", "--config"]).arg(config);
    let mut server = Server::start(&mut command, &stage.log("slow-auth-server"))?;
    server.ready(&auth).await?;
    let before = Commits::read(&metrics).await?;
    let load = closed_loop(&auth, &token_request(), server.id(), time).await?;
    let after = Commits::read(&metrics).await?;
    // The tracer lets go of a server it is killed under; a signal to the server itself ends both.
    server.stop_traced()?;
    let commits = after.commits - before.commits;
    Ok(SlowSync {
        rate: load.rate,
        writes_per_commit: (after.writes - before.writes) / commits,
        alone: 1e6 / f64::from(DELAY),
    })
}

/// What the metrics say of the embedded store so far.
struct Commits {
    commits: f64,
    writes: f64,
}

impl Commits {
    async fn read(metrics: &Target) -> Result<Self, Fault> {
        let page = Request::new("GET", "/metrics", &[], "", 200);
        let (_, body) = page.once(&mut Connection::open(metrics).await?).await?;
        let text = String::from_utf8(body)?;
        let value = |name: &str| -> Result<f64, Fault> {
            let line = text.lines().find(|line| line.starts_with(name)).ok_or(format!("{name} is no metric"))?;
            Ok(line.rsplit(' ').next().unwrap_or_default().parse()?)
        };
        Ok(Self { commits: value("evergate_store_commits_total")?, writes: value("evergate_store_commit_writes_sum")? })
    }
}
