//! What a token costs beyond its write: the write of a machine token by 32 concurrent callers of the store, in a process of its own, on
//! the same file and as durable.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use shared::expiring::{Applied, Key, Op, Owner, on_sqlite};
use shared::random::random_token;
use shared::store::Sqlite;

use crate::Fault;
use crate::load::CONNECTIONS;

#[derive(clap::Args)]
pub struct Options {
    /// The auth-server's file.
    #[arg(long)]
    file: PathBuf,
    #[arg(long)]
    seconds: f64,
}

/// As long as a grant of a machine, and an access token with seven scopes, are as JSON.
const GRANT: usize = 330;
const TOKEN: usize = 340;
const LIFE: Duration = Duration::from_secs(86_400);

/// Writes for so long and prints how many writes a second were acknowledged.
#[allow(clippy::print_stdout, reason = "the caller reads the number")]
pub async fn write(options: Options) -> Result<(), Fault> {
    let store = on_sqlite(Sqlite::open(&options.file)?)?;
    let end = Instant::now() + Duration::from_secs_f64(options.seconds);
    let callers = try_join_all((0..CONNECTIONS).map(async |_| {
        let mut writes = 0_u64;
        while Instant::now() < end {
            let insert = |kind: &str, length: usize, owners: Vec<Owner>| Op::Insert {
                key: Key::new(kind, &random_token("")),
                value: vec![b'x'; length],
                ttl: LIFE,
                owners,
            };
            let grant = insert("bench_grant", GRANT, vec![Owner::new("client", "bench-load")]);
            let token = insert("bench_token", TOKEN, Vec::new());
            if store.apply(vec![grant, token]).await? != Applied::Done {
                return Err(Fault::from("a write with a new key was refused"));
            }
            writes += 1;
        }
        Ok(writes)
    }));
    let writes: u64 = callers.await?.into_iter().sum();
    println!("{}", writes as f64 / options.seconds);
    Ok(())
}
