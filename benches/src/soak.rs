//! What a store keeps of what has ended: tokens that live for two seconds, over hundreds of their lifetimes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde_json::Value;

use crate::Fault;
use crate::connection::{Connection, Target};
use crate::process::{Server, binary};
use crate::stage::{Stage, form_request, introspection_request, text, token_request};

/// In seconds, of everything that a token needs.
const LIFETIME: u64 = 2;
const CALLERS: u32 = 8;
/// Between two turns of a caller.
const PAUSE: Duration = Duration::from_millis(25);
/// How much larger the file may be at the end than after a fifth of the run.
const MOST: f64 = 1.2;

#[derive(clap::Args)]
pub struct Options {
    /// Lifetimes of a token; expired entries are swept each minute, so a fifth of them should be more than that.
    #[arg(long, default_value_t = 220)]
    lifetimes: u64,
}

/// Fails when the store keeps growing.
#[allow(clippy::print_stdout, reason = "the result")]
pub async fn soak(options: Options) -> Result<(), Fault> {
    let folder = tempfile::tempdir()?;
    let stage = Stage::new(folder.path(), None)?;
    let (config, auth) = stage.short_lived_auth(LIFETIME)?;
    let mut command = Command::new(binary("auth-server")?);
    let mut server = Server::start(command.args(["serve", "--config"]).arg(config), &stage.log("auth-server"))?;
    server.ready(&auth).await?;
    let begun = Instant::now();
    let length = Duration::from_secs(options.lifetimes * LIFETIME);
    let callers = try_join_all((0..CALLERS).map(|_| call(&auth, begun + length)));
    let early = async {
        tokio::time::sleep(length / 5).await;
        size(&stage.auth_file())
    };
    let (tokens, early) = tokio::try_join!(callers, early)?;
    let late = size(&stage.auth_file())?;
    server.stop()?;
    let growth = late as f64 / early as f64;
    println!(
        "{} tokens over {} lifetimes: {} KiB after a fifth, {} KiB at the end, {growth:.2} times as much",
        tokens.iter().sum::<u64>(),
        options.lifetimes,
        early / 1024,
        late / 1024,
    );
    if growth > MOST { Err(format!("the store grows: more than {MOST} times as much").into()) } else { Ok(()) }
}

/// Gets a token, asks about it, and gives back every third.
async fn call(auth: &Target, end: Instant) -> Result<u64, Fault> {
    let mut connection = Connection::open(auth).await?;
    let mut tokens = 0;
    while Instant::now() < end {
        let (_, body) = token_request().once(&mut connection).await?;
        let token = text(&serde_json::from_slice::<Value>(&body)?, "access_token")?;
        introspection_request(&token).once(&mut connection).await?;
        if tokens % 3 == 0 {
            form_request("/oauth/revoke", &format!("token={token}")).once(&mut connection).await?;
        }
        tokens += 1;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(tokens)
}

/// Of the file and what stands beside it, in bytes.
fn size(file: &Path) -> Result<u64, Fault> {
    let beside = |end: &str| PathBuf::from(format!("{}{end}", file.display()));
    let of = |path: &Path| std::fs::metadata(path).map(|data| data.len());
    Ok(of(file)? + of(&beside("-wal")).unwrap_or_default())
}
