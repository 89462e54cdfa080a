//! Measures Evergate against a bare actix handler that sends the same bytes.
//!
//! The services run as release binaries in processes of their own, with two workers, the default log level and the access
//! log on (into files); this process makes the load over 32 keep-alive connections. For each row the target and the bare
//! handler take turns five times; the median of the five ratios counts, and their spread is shown. Beside requests a second
//! stand the server's processor time for each, and waiting times under an open loop at a stated rate. Some rows stand beside
//! another request, or beside callers of the store, instead of the bare handler. The rows run over
//! plain http and over TLS. At the end, the three services in one process: time to ready and memory of a second start.
//!
//! All of it shares one machine, so absolute numbers are the machine's; the ratios are what can be compared.
#![allow(clippy::print_stderr, reason = "a command line")]

mod bare;
mod cities;
mod cluster;
mod connection;
mod crowd;
mod driver;
mod inserts;
mod load;
mod process;
mod rows;
mod slow_sync;
mod soak;
mod stage;
mod table;
mod whole;
mod writer;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::{Parser, ValueEnum as _};

use bare::Canned;
use cities::Cities;
use cluster::Cluster;
use connection::Connection;
use load::{Throughput, closed_loop, open_loop};
use process::Server;
use rows::{Beside, Prepared, Row};
use stage::{Running, Stage, Transport, introspection_request, token_request};
use table::{Line, Table};

/// Whatever stops a run; it is shown and that is all.
pub type Fault = Box<dyn std::error::Error>;

#[derive(Parser)]
#[command(
    about = "Measures Evergate against a bare handler that sends the same bytes",
    args_conflicts_with_subcommands = true
)]
struct CommandLine {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    options: Options,
}

#[derive(clap::Subcommand)]
enum Part {
    /// Serve one fixed answer: what targets are compared with.
    #[command(hide = true)]
    Bare(bare::Options),
    /// Watch the auth-server's store over hundreds of lifetimes of its tokens (eight minutes)
    Soak(soak::Options),
    /// Make a fixed plan's calls of the drivers: what a service on MongoDB and Redis is compared with.
    #[command(hide = true)]
    Driver(driver::Options),
    /// Make the writes of machine tokens without a server.
    #[command(hide = true)]
    Writer(writer::Options),
    /// Put documents into a store: what POST is compared with.
    #[command(hide = true)]
    Inserts(inserts::Options),
}

#[derive(clap::Args)]
struct Options {
    /// Rows to measure; all when none is named.
    #[arg(long, value_enum)]
    row: Vec<Row>,
    /// Over what; both when not given.
    #[arg(long, value_enum)]
    transport: Vec<Transport>,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Turns of target and bare handler.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Documents for the large collection, a JSON document a line (GeoNames' cities500, say); made ones when not given.
    #[arg(long)]
    cities: Option<PathBuf>,
    /// Rows alone: nothing of what follows the table.
    #[arg(long)]
    only_rows: bool,
    /// Live tokens among which introspection finds its own.
    #[arg(long, default_value_t = 100_000)]
    tokens: u64,
    /// Leave the collection of a million documents empty.
    #[arg(long)]
    no_million: bool,
    /// With the services' data in MongoDB and Redis, beside handlers that make the same calls of the drivers.
    #[arg(long)]
    cluster: bool,
    /// Leave the three-in-one process out.
    #[arg(long)]
    no_whole: bool,
}

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let result = match command_line.part {
        Some(Part::Bare(options)) => actix_rt::System::new().block_on(bare::serve(options)),
        Some(Part::Driver(options)) => actix_rt::System::new().block_on(driver::serve(options)),
        Some(Part::Soak(options)) => actix_rt::System::new().block_on(soak::soak(options)),
        Some(Part::Writer(options)) => actix_rt::System::new().block_on(writer::write(options)),
        Some(Part::Inserts(options)) => actix_rt::System::new().block_on(inserts::write(options)),
        None => actix_rt::System::new().block_on(measure(command_line.options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("bench: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: Options) -> Result<(), Fault> {
    let rows: &[Row] = match (options.row.is_empty(), options.cluster) {
        (true, false) => Row::value_variants(),
        (true, true) => &Row::ON_CLUSTER,
        (false, _) => &options.row,
    };
    let transports = match (options.transport.is_empty(), options.cluster) {
        (true, false) => Transport::value_variants(),
        // What TLS costs does not depend on the store.
        (true, true) => &[Transport::Plain],
        (false, _) => &options.transport,
    };
    let folder = tempfile::tempdir()?;
    let cluster = options.cluster.then(Cluster::named).transpose()?;
    let stage = Stage::new(folder.path(), cluster)?;
    let mut table = Table::new(options.rounds, options.seconds);
    eprintln!("filling the collections");
    let cities = options.cities.as_deref().map_or_else(|| Ok(Cities::made()), Cities::read)?;
    stage.fill(&cities, options.no_million)?;
    drop(cities);
    let mut issued = false;
    for transport in transports {
        let running = stage.start(*transport).await?;
        if !std::mem::replace(&mut issued, true) && rows.contains(&Row::Introspection) {
            eprintln!("issuing {} tokens", options.tokens);
            running.issue(options.tokens).await?;
        }
        for row in rows {
            eprintln!("{} over {transport:?}", row.title());
            table.add(measure_row(*row, *transport, &stage, &running, folder.path(), &options).await?);
        }
        if *transport == Transport::Plain && !options.only_rows && !options.cluster {
            let time = Duration::from_secs_f64(options.seconds.max(10.0));
            eprintln!("introspection while a crowd signs in");
            table.crowd(&crowd::measure(&running, &introspection_request(&running.token), time).await?);
            eprintln!("tokens against their writes alone");
            table.writer(&against_the_writer(&stage, &running, &options).await?);
        }
        running.stop()?;
    }
    if let Some(cluster) = stage.cluster() {
        cluster.leave().await?;
        return table.publish();
    }
    if !options.only_rows {
        eprintln!("writes per commit under a slow sync");
        table.slow_sync(&slow_sync::measure(&stage, Duration::from_secs_f64(options.seconds)).await?);
    }
    if !options.no_whole && !options.only_rows {
        eprintln!("the three services in one process");
        let folder = tempfile::tempdir()?;
        table.whole(&whole::measure(folder.path()).await?);
    }
    table.publish()
}

/// Machine tokens a second, and writes a second without a server, in turns.
async fn against_the_writer(stage: &Stage, running: &Running, options: &Options) -> Result<Vec<(f64, f64)>, Fault> {
    let mut turns = Vec::new();
    for _ in 0..options.rounds {
        let time = Duration::from_secs_f64(options.seconds);
        let tokens = closed_loop(&running.auth, &token_request(), running.auth_id, time).await?.rate;
        let mut writer = Command::new(std::env::current_exe()?);
        writer.arg("writer").arg("--file").arg(stage.auth_file()).arg("--seconds").arg(options.seconds.to_string());
        turns.push((tokens, process::run(&mut writer)?.trim().parse()?));
    }
    Ok(turns)
}

async fn measure_row(
    row: Row,
    transport: Transport,
    stage: &Stage,
    running: &Running,
    folder: &Path,
    options: &Options,
) -> Result<Line, Fault> {
    let prepared = row.prepare(running, options.cluster).await?;
    let time = Duration::from_secs_f64(options.seconds);
    let (head, body) = prepared.request.once(&mut Connection::open(&prepared.target).await?).await?;
    let mut turns: Vec<(Throughput, Throughput)> = Vec::new();
    match &prepared.beside {
        Beside::Request(other) => {
            for _ in 0..options.rounds {
                let target = closed_loop(&prepared.target, &prepared.request, prepared.server, time).await?;
                turns.push((target, closed_loop(&prepared.target, other, prepared.server, time).await?));
            }
        }
        Beside::Writer => {
            for round in 0..options.rounds {
                let target = closed_loop(&prepared.target, &prepared.request, prepared.server, time).await?;
                turns.push((target, inserts::measure(stage, round, options.seconds)?));
            }
        }
        Beside::Driver => {
            let cluster = stage.cluster().ok_or("there is no cluster")?;
            let plan = cluster.plan(row, &prepared.target, &prepared.request).await?;
            std::fs::write(folder.join("plan.json"), serde_json::to_vec(&plan)?)?;
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("driver").arg("--plan").arg(folder.join("plan.json"));
            turns = beside_server(&prepared, command, options).await?;
        }
        Beside::Bare => {
            turns = beside_bare(&prepared, &head, &body, transport, stage, folder, options).await?;
        }
    }
    let latency = open_loop(&prepared.target, &prepared.request, prepared.rate, time).await?;
    Ok(Line::new(row, options.cluster, transport, body.len(), &turns, latency))
}

async fn beside_bare(
    prepared: &Prepared,
    head: &str,
    body: &[u8],
    transport: Transport,
    stage: &Stage,
    folder: &Path,
    options: &Options,
) -> Result<Vec<(Throughput, Throughput)>, Fault> {
    let canned = Canned::new(prepared.request.status, head, body)?;
    let answer = folder.join("answer.json");
    std::fs::write(&answer, serde_json::to_vec(&canned)?)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bare").arg("--answer").arg(&answer);
    if prepared.request.reads_body() {
        command.arg("--reads-body");
    }
    stage.bare_arguments(transport, &mut command);
    beside_server(prepared, command, options).await
}

/// In turns with another server, which prints its address.
async fn beside_server(
    prepared: &Prepared,
    mut command: Command,
    options: &Options,
) -> Result<Vec<(Throughput, Throughput)>, Fault> {
    let (bare_server, address) = Server::announcing(&mut command)?;
    let bare_target = connection::Target { address, tls: prepared.target.tls.clone() };

    let time = Duration::from_secs_f64(options.seconds);
    let mut turns = Vec::new();
    for _ in 0..options.rounds {
        let target = closed_loop(&prepared.target, &prepared.request, prepared.server, time).await?;
        let bare = closed_loop(&bare_target, &prepared.request, bare_server.id(), time).await?;
        turns.push((target, bare));
    }
    Ok(turns)
}
