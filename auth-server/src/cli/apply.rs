//! `apply`.

use std::path::PathBuf;

use clap::Args;

use super::Context;
use super::output::{Failure, json, line};
use crate::audit::Author;
use crate::declare::{self, Options};

#[derive(Debug, Args)]
pub struct ApplyArguments {
    /// The declaration: [[scopes]], [[clients]] and [[users]]
    file: PathBuf,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
    /// Take out scopes, and clients and users of earlier declarations, that the file no longer has
    #[arg(long)]
    prune: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub async fn apply(context: &Context, arguments: ApplyArguments) -> Result<(), Failure> {
    let app = context.open().await?;
    let declaration = declare::read(&arguments.file)?;
    let options = Options { dry_run: arguments.dry_run, prune: arguments.prune, generate: true };
    let report = declare::apply(&app, &declaration, options, &Author::command_line()).await?;
    if arguments.json {
        return json(&report);
    }
    for change in &report.changes {
        let would = if arguments.dry_run { "would " } else { "" };
        match &change.generated {
            Some(secret) => line(format!("{would}{change}: {}", secret.expose()))?,
            None => line(format!("{would}{change}"))?,
        }
    }
    if report.changes.is_empty() {
        line("nothing to do: all is as declared")?;
    }
    Ok(())
}
