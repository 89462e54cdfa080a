//! `import-sentinel`.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use shared::Secret;
use shared::oauth::Scopes;
use shared::store::StoreUrl;

use super::Context;
use super::output::{self, Failure, line};
use crate::app::App;
use crate::import::{self, Database, ImportError, JsonLines, Options, Report, Source};

#[derive(Debug, Args)]
#[group(skip)]
pub struct ImportArguments {
    /// Flask-Sentinel's database, mongodb://HOST/NAME (`oauth` where none is named), or @FILE with that URL in it. It is only read
    #[arg(value_name = "URL", value_parser = output::secret, conflicts_with_all = ["users", "clients"])]
    source: Option<Secret>,
    /// The collection `users`, as mongoexport writes it
    #[arg(long, value_name = "FILE", required_unless_present_any = ["source", "clients"])]
    users: Option<PathBuf>,
    /// The collection `clients`, as mongoexport writes it
    #[arg(long, value_name = "FILE")]
    clients: Option<PathBuf>,
    /// What the imported clients may ask for
    #[arg(long, value_name = "SCOPES", default_value = "")]
    scope: Scopes,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub async fn import(context: &Context, arguments: ImportArguments) -> Result<(), Failure> {
    let app = context.open().await?;
    let options = Options { dry_run: arguments.dry_run, scopes: arguments.scope };
    let bar = bar();
    let (users, clients) = match &arguments.source {
        Some(url) => {
            let StoreUrl::Mongo(url) = StoreUrl::argument(url)? else {
                return Err(Failure::usage("Flask-Sentinel's database is in MongoDB: give mongodb://HOST/NAME"));
            };
            let mut database = Database::connect(&url).await?;
            take_over(&app, &options, &bar, database.users.take(), database.clients.take()).await?
        }
        None => {
            let open = |path: Option<PathBuf>| path.map(|path| JsonLines::open(&path)).transpose();
            take_over(&app, &options, &bar, open(arguments.users)?, open(arguments.clients)?).await?
        }
    };
    bar.finish_and_clear();
    if arguments.json {
        return output::json(&json!({ "dry_run": options.dry_run, "users": users, "clients": clients }));
    }
    for (what, report) in [("users", &users), ("clients", &clients)] {
        if let Some(report) = report {
            tell(what, report, options.dry_run)?;
        }
    }
    if let Some(number) = users.as_ref().map(|report| report.refused_at_sign_in).filter(|number| *number > 0) {
        let whose = if number == 1 {
            "1 account has a hash that takes"
        } else {
            &format!("{number} accounts have hashes that take")
        };
        let until = "longer to check on this machine than passwords.failure_floor allows";
        line(format!(
            "{whose} {until}: their sign-ins are refused until it is raised, or a new password is set (see the notes)"
        ))?;
    }
    if clients.is_some_and(|report| report.imported > 0) && !app.config.password_grant {
        line("password_grant is off in the settings: until it is on, the imported clients get no tokens by it")?;
    }
    Ok(())
}

/// What became of users and of clients, each where there is a source of them.
async fn take_over(
    app: &App,
    options: &Options,
    bar: &ProgressBar,
    users: Option<impl Source>,
    clients: Option<impl Source>,
) -> Result<(Option<Report>, Option<Report>), ImportError> {
    let mut reports = (None, None);
    if let Some(mut source) = users {
        bar.set_message("users");
        reports.0 = Some(import::users(app, &mut source, options, |done| bar.set_position(done)).await?);
    }
    if let Some(mut source) = clients {
        bar.set_message("clients");
        reports.1 = Some(import::clients(app, &mut source, options, |done| bar.set_position(done)).await?);
    }
    Ok(reports)
}

fn tell(what: &str, report: &Report, dry_run: bool) -> Result<(), Failure> {
    let imported = if dry_run { "would be imported" } else { "imported" };
    line(format!(
        "{what}: {} {imported}, {} here already, {} skipped",
        report.imported,
        report.existing,
        report.skipped.len()
    ))?;
    for (kind, list) in [("skipped", &report.skipped), ("note", &report.notes)] {
        for told in list {
            let name = told.name.as_ref().map(|name| format!(" {name}:")).unwrap_or_default();
            line(format!("  {kind}: {}:{name} {}", told.place, told.reason))?;
        }
    }
    Ok(())
}

fn bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    match ProgressStyle::with_template("{spinner} {human_pos} {msg}  {elapsed_precise}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
