//! The command behind scripts/oracle.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use oracle::{Options, Reference, run};

/// Sends the same generated requests to Eve and to resource-api and tells what differs.
#[derive(Parser)]
struct Arguments {
    /// A Python that has Eve.
    #[arg(long, required_unless_present = "stores")]
    python: Option<PathBuf>,
    /// Compare resource-api on MongoDB with itself on SQLite, instead of Eve.
    #[arg(long)]
    stores: bool,
    /// A server of MongoDB's protocol, for Eve, or for resource-api with --stores.
    #[arg(long)]
    mongodb: String,
    /// The first history's seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Histories in each world.
    #[arg(long, default_value_t = 100)]
    histories: u64,
    /// Requests in each history.
    #[arg(long, default_value_t = 50)]
    length: usize,
    /// Only this world.
    #[arg(long)]
    world: Option<String>,
    /// How many differences of each world are made small and shown.
    #[arg(long, default_value_t = 5)]
    shown: usize,
}

#[actix_rt::main]
async fn main() -> ExitCode {
    let Arguments { python, stores, mongodb, seed, histories, length, world, shown } = Arguments::parse();
    let reference = match python {
        Some(python) if !stores => Reference::Eve(python),
        _ => Reference::Sqlite,
    };
    let options = Options { reference, mongodb, seed, histories, length, world, shown };
    match run(&options).await {
        Ok(report) => {
            println!("{report}");
            if report.counted.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
