//! The web app as a program of its own.

use clap::Parser;

/// A web app that signs people in and lets them work with an API's data.
#[derive(Parser)]
#[command(name = "oauth-client", version)]
struct Arguments {
    #[command(subcommand)]
    command: oauth_client::Command,
}

#[actix_web::main]
async fn main() -> std::process::ExitCode {
    shared::core_dumps::switch_off();
    oauth_client::run(Arguments::parse().command).await
}
