//! The service on its own; the same commands are part of `evergate auth`.

use std::process::ExitCode;

use clap::Parser;

/// An OAuth 2 authorization server: signs people in, asks for their consent, issues and describes tokens.
#[derive(Parser)]
#[command(name = "auth-server", version)]
struct Arguments {
    #[command(subcommand)]
    command: auth_server::Command,
}

#[actix_web::main]
async fn main() -> ExitCode {
    auth_server::run(Arguments::parse().command).await
}
