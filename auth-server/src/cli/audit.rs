//! `audit …`.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use shared::clock;

use super::Context;
use super::output::{self, Failure, line};
use crate::app::App;
use crate::audit::{Event, EventFilter, EventKind, Outcome};
use crate::directory::EventPage;

/// Events read at a time.
const BATCH: usize = 500;
/// How often `tail --follow` looks.
const LOOK: Duration = Duration::from_secs(1);
/// Events come in the order of their seconds, and some are written a moment later than others: so far back `tail --follow`
/// looks again, in seconds.
const LATE: i64 = 10;

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Show the newest events, and with --follow those that come
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: usize,
        /// Go on until Ctrl-C
        #[arg(short, long)]
        follow: bool,
        #[command(flatten)]
        filter: Filter,
        /// Print a JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Write events as JSON lines, the oldest first
    Export {
        /// The file to write; must not be there yet [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        filter: Filter,
    },
}

/// Which events; all that is given must fit.
#[derive(Debug, Args)]
pub struct Filter {
    /// What happened, such as login_failed or client_created
    #[arg(long, value_parser = kind)]
    kind: Option<EventKind>,
    /// Who did it, or whose account it concerns: a user name, a user's or client's id, command_line, declaration or server
    #[arg(long)]
    who: Option<String>,
    /// Which client it concerns: its id
    #[arg(long)]
    client: Option<String>,
    /// From where
    #[arg(long)]
    ip: Option<IpAddr>,
    /// Not before: 2h, 7d (ago), 2026-11-26, or 2026-11-26T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Before
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
}

impl AuditCommand {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let app = context.open().await?;
        match self {
            Self::Tail { lines, follow, filter, json } => {
                tail(&app, filter.find(&app).await?, lines, follow, json).await
            }
            Self::Export { output: None, filter } => {
                export(&app, filter.find(&app).await?, &mut BufWriter::new(io::stdout().lock())).await.map(drop)
            }
            Self::Export { output: Some(path), filter } => {
                let filter = filter.find(&app).await?;
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
                let file = file.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
                let written = export(&app, filter, &mut BufWriter::new(file)).await?;
                line(format!("{written} events written to {}", path.display()))
            }
        }
    }
}

impl Filter {
    async fn find(self, app: &App) -> Result<EventFilter, Failure> {
        let who = match self.who {
            Some(name) => Some(app.users.find_by_username(&name).await?.map_or(name, |user| user.id)),
            None => None,
        };
        Ok(EventFilter {
            kind: self.kind,
            outcome: None,
            who,
            client: self.client,
            ip: self.ip,
            since: self.since,
            until: self.until,
        })
    }
}

fn kind(text: &str) -> Result<EventKind, String> {
    text.parse().map_err(|_| {
        let kinds: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("kinds are {}", kinds.join(", "))
    })
}

/// Epoch seconds of a time, a day's beginning in UTC, or a while ago.
fn time(text: &str) -> Result<i64, String> {
    if let Ok(ago) = output::parse_duration(text) {
        return Ok(clock::now().saturating_sub(ago));
    }
    let day = || text.parse::<jiff::civil::Date>().and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC));
    let time = text.parse::<jiff::Timestamp>().or_else(|_| day().map(|day| day.timestamp()));
    time.map(jiff::Timestamp::as_second).map_err(|_| "give 2h, 7d, 2026-11-26 or 2026-11-26T08:00:00Z".to_owned())
}

async fn export(app: &App, filter: EventFilter, out: &mut impl Write) -> Result<usize, Failure> {
    let mut page = EventPage { oldest_first: true, ..EventPage::newest(BATCH) };
    let mut written = 0;
    loop {
        let found = app.audit.list(&filter, &page).await?;
        for recorded in &found {
            serde_json::to_writer(&mut *out, &recorded.event).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
        written += found.len();
        let Some(last) = found.last().filter(|_| found.len() == BATCH) else { break };
        page.after = Some(last.id.clone());
    }
    out.flush()?;
    Ok(written)
}

async fn tail(app: &App, filter: EventFilter, lines: usize, follow: bool, as_json: bool) -> Result<(), Failure> {
    let mut names = Names::default();
    let newest = app.audit.list(&filter, &EventPage::newest(lines)).await?;
    // By their places in the log, with their times.
    let mut told: HashMap<String, i64> = HashMap::new();
    for recorded in newest.into_iter().rev() {
        tell(app, &mut names, &recorded.event, as_json).await?;
        told.insert(recorded.id.0, recorded.event.at);
    }
    if !follow {
        return Ok(());
    }
    // Of the seconds looked at again, what is not among the last lines is not new.
    let start = clock::now() - LATE;
    let mut first = true;
    loop {
        let since = clock::now() - LATE - LOOK.as_secs().cast_signed();
        let filter = EventFilter { since: Some(since.max(filter.since.unwrap_or(start))), ..filter.clone() };
        let mut page = EventPage { oldest_first: true, ..EventPage::newest(BATCH) };
        loop {
            let found = app.audit.list(&filter, &page).await?;
            for recorded in &found {
                if told.insert(recorded.id.0.clone(), recorded.event.at).is_none() && !first {
                    tell(app, &mut names, &recorded.event, as_json).await?;
                }
            }
            let Some(last) = found.last().filter(|_| found.len() == BATCH) else { break };
            page.after = Some(last.id.clone());
        }
        first = false;
        told.retain(|_, at| *at >= since);
        actix_rt::time::sleep(LOOK).await;
    }
}

/// Names of people, looked up once.
#[derive(Default)]
struct Names(HashMap<String, Option<String>>);

impl Names {
    async fn of(&mut self, app: &App, id: &str) -> Result<String, Failure> {
        if !id.starts_with("u_") {
            return Ok(id.to_owned());
        }
        if !self.0.contains_key(id) {
            let name = app.users.find(id).await?.map(|user| user.username);
            self.0.insert(id.to_owned(), name);
        }
        Ok(self.0.get(id).and_then(Clone::clone).unwrap_or_else(|| id.to_owned()))
    }
}

async fn tell(app: &App, names: &mut Names, event: &Event, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(event);
    }
    let mut text = format!("{} {}", output::time(event.at), event.kind.as_str());
    if event.outcome == Outcome::Failure {
        text.push_str(" FAILED");
    }
    let actor = match &event.actor {
        Some(actor) => Some(names.of(app, actor).await?),
        None => None,
    };
    let subject = match &event.subject {
        Some(subject) => Some(names.of(app, subject).await?),
        None => None,
    };
    let told = [
        ("by", actor),
        ("of", subject),
        ("client", event.client.clone()),
        ("reason", event.reason.clone()),
        ("ip", event.ip.map(|ip| ip.to_string())),
        ("detail", event.detail.as_ref().map(ToString::to_string)),
    ];
    for (name, value) in told {
        if let Some(value) = value {
            text.push_str(&format!(" {name}={value}"));
        }
    }
    line(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_are_moments_days_or_a_while_ago() {
        assert_eq!(time("1970-01-02T00:00:01Z"), Ok(86_401));
        assert_eq!(time("1970-01-02"), Ok(86_400));
        let ago = clock::now() - time("2h").unwrap();
        assert!((7200..7205).contains(&ago), "{ago}");
        assert!(time("yesterday").is_err());
        assert!(kind("login_failed").is_ok() && kind("login").unwrap_err().contains("login_failed"));
    }
}
