//! The service on its own; the same commands are part of `evergate auth`.

use std::process::ExitCode;

use clap::Parser;

/// An OAuth 2 authorization server: signs people in, asks for their consent, issues and describes tokens.
#[derive(Parser)]
#[command(name = "auth-server", version)]
struct Program {
    #[command(flatten)]
    arguments: auth_server::Arguments,
}

#[actix_web::main]
async fn main() -> ExitCode {
    shared::core_dumps::switch_off();
    auth_server::run(Program::parse().arguments, None).await
}
