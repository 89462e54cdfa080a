//! The service on its own; the same commands are part of `evergate api`.

use std::process::ExitCode;

use clap::Parser;

/// A REST API over documents, in the manner of Python's Eve, behind OAuth 2 bearer tokens.
#[derive(Parser)]
#[command(name = "resource-api", version)]
struct Arguments {
    #[command(subcommand)]
    command: resource_api::Command,
}

#[actix_web::main]
async fn main() -> ExitCode {
    shared::core_dumps::switch_off();
    resource_api::run(Arguments::parse().command).await
}
