//! `key …`.

use clap::Subcommand;
use serde_json::json;
use shared::seal::{KeyRing, Rotated};

use super::Context;
use super::output::{self, Failure, line};
use crate::app::App;
use crate::audit::{Author, Event, EventKind};

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// List the master keys by name, the newest first; a name tells nothing of its key
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Put a new key in front: it is used from now on, the old ones are still understood, and nobody is signed out. A running
    /// server takes it over within a second
    Rotate {
        /// A key that is in the ring already (see `key stage`), instead of a new one
        #[arg(long, value_name = "KEY")]
        to: Option<String>,
        /// Keep so many keys, the newest; what was made under others is understood no more [default: all]
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(2..))]
        keep: Option<u16>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a new key that is understood but not used yet. Where several servers share a store: stage, copy the file to all of
    /// them, then `key rotate --to` the staged key, and copy it again
    Stage {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl KeyCommand {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let path = context.config()?.master_key_path();
        match self {
            Self::List { json } => {
                let ids = KeyRing::load(&path)?.ids();
                if json { output::json(&ids) } else { line(ids.join("\n")) }
            }
            Self::Rotate { to, keep, json } => {
                let app = context.open().await?;
                let keep = keep.map_or(usize::MAX, usize::from);
                change(&app, "rotated", json, || KeyRing::rotate(&path, to.as_deref(), keep)).await
            }
            Self::Stage { json } => change(&context.open().await?, "staged", json, || KeyRing::stage(&path)).await,
        }
    }
}

async fn change(
    app: &App,
    how: &str,
    as_json: bool,
    change: impl FnOnce() -> Result<Rotated, shared::seal::KeyError>,
) -> Result<(), Failure> {
    // Written down first: a change that the log would not know of does not happen (F-065).
    let event = Event::new(EventKind::KeysChanged).by(&Author::command_line()).reason(how);
    app.audit.record(event.clone()).await?;
    let rotated = match change() {
        Ok(rotated) => rotated,
        Err(error) => {
            app.audit.record(event.failed("refused")).await?;
            return Err(error.into());
        }
    };
    if as_json {
        return output::json(&json!({ "keys": rotated.kept, "dropped": rotated.dropped }));
    }
    let used = rotated.kept.first().map_or("", String::as_str);
    match how {
        "staged" => line(format!(
            "{} is staged; once every server has the file: key rotate --to {0}",
            rotated.kept.last().map_or("", String::as_str)
        ))?,
        _ => line(format!("{used} is used from now on"))?,
    }
    let others = rotated.kept.len() - 1;
    line(format!("{others} other key{} still understood", if others == 1 { " is" } else { "s are" }))?;
    if !rotated.dropped.is_empty() {
        line(format!("dropped: {}", rotated.dropped.join(" ")))?;
    }
    line(format!("keep a copy of {}", app.config.master_key_path().display()))
}
