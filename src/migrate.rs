//! `evergate migrate`: all that the services keep, from one store into another, and back.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use evergate::StackSettings;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use shared::Secret;
use shared::migration::{ExpiringHolder, Holder, Move, Moved, Watch, Work};
use shared::store::{StoreUrl, components, sqlite};

/// How often a line tells of progress where there is no terminal.
const TELL_EVERY: Duration = Duration::from_secs(5);

#[derive(Args)]
pub struct Migrate {
    /// The store to copy: sqlite:FILE, mongodb://HOST/DATABASE, or @FILE with that URL in it [default: the stack's files]
    #[arg(long, value_name = "URL", value_parser = secret, required_unless_present = "to")]
    from: Option<Secret>,
    /// The store to fill, in the same way; it must be empty, or have been filled in part by the same command
    #[arg(long, value_name = "URL", value_parser = secret)]
    to: Option<Secret>,
    /// Whose data [default: auth and api, of whichever there are some]
    #[arg(long)]
    service: Option<Service>,
    /// The domain file, whose indexes are made in the target; needed to copy documents out of MongoDB [default: the stack's]
    #[arg(long, value_name = "FILE")]
    domain: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Service {
    /// The auth-server's accounts, clients, scopes, consents, audit log, grants, tokens and sessions
    Auth,
    /// The resource-api's documents
    Api,
    /// The oauth-client's sessions
    Client,
}

impl Service {
    const ALL: [Service; 3] = [Service::Auth, Service::Api, Service::Client];

    fn name(self) -> &'static str {
        match self {
            Service::Auth => "auth-server",
            Service::Api => "resource-api",
            Service::Client => "oauth-client",
        }
    }

    /// Its file of the stack.
    fn file(self, settings: &StackSettings) -> PathBuf {
        settings.data.join(match self {
            Service::Auth => "auth.db",
            Service::Api => "api.db",
            Service::Client => "client.db",
        })
    }

    /// What stands in a store that this service has opened, and the database where a URL names none. Sessions of the client look
    /// like the auth-server's, so they are moved only for those who ask.
    fn component(self) -> Option<(&'static str, &'static str)> {
        match self {
            Service::Auth => Some(("directory", auth_server::NAME)),
            Service::Api => Some(("documents", resource_api::NAME)),
            Service::Client => None,
        }
    }
}

#[allow(clippy::unnecessary_wraps, reason = "as the parser of arguments wants it")]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// Why nothing, or not all, was moved.
type Failure = Box<dyn std::error::Error>;

/// Moves what `given` says. Services start on none of the targets before all of them are whole.
pub async fn migrate(given: &Migrate, settings: &StackSettings) -> Result<(), Failure> {
    let url = |given: &Option<Secret>| given.as_ref().map(StoreUrl::argument).transpose();
    let (from, to) = (url(&given.from)?, url(&given.to)?);
    let usual = |service: Service| StoreUrl::Sqlite(service.file(settings));
    let domain = given.domain.clone().or_else(|| {
        let of_the_stack = evergate::domain_path(settings);
        ((from.is_none() || to.is_none()) && of_the_stack.exists()).then_some(of_the_stack)
    });
    let mut wanted = Vec::new();
    for service in Service::ALL {
        let source = from.clone().unwrap_or_else(|| usual(service));
        let target = to.clone().unwrap_or_else(|| usual(service));
        let is_wanted = match given.service {
            Some(wanted) => wanted == service,
            None => has(service, &source).await?,
        };
        if is_wanted {
            wanted.push((service, source, target));
        }
    }
    if wanted.is_empty() {
        let source = from.map_or_else(|| settings.data.display().to_string(), |from| from.to_string());
        return Err(
            format!("no service has kept anything in {source}; --service says whose data are meant anyway").into()
        );
    }
    for (_, source, target) in &wanted {
        refuse_what_is_in_use(source, target)?;
    }
    let (mut moves, mut resuming) = (Vec::new(), false);
    for (service, source, target) in wanted {
        let of = |error: Failure| format!("{}: {error}", service.name());
        let one = open(service, source, target, domain.as_deref()).await.map_err(of)?;
        resuming |= one.is_begun().await?;
        moves.push((service, one));
    }
    let mut done = Vec::new();
    for (service, one) in &moves {
        let mut watch = Progress::new(*service);
        let moved = one.run(resuming, &mut watch).await;
        watch.bar.finish_and_clear();
        done.push(moved.map_err(|error| format!("{}: {error}", service.name()))?);
    }
    for (service, one) in &moves {
        one.finish().await.map_err(|error| format!("{}: {error}", service.name()))?;
    }
    let all = moves.iter().zip(&done);
    if given.json {
        let report = |((service, one), moved): (&(Service, Move), &Moved)| {
            json!({
                "service": service.name(), "from": one.from.place(), "to": one.to.place(),
                "resumed": moved.resumed, "kinds": moved.kinds,
            })
        };
        println!("{}", json!({ "services": all.map(report).collect::<Vec<_>>() }));
    } else {
        all.for_each(|((service, one), moved)| told(*service, one, moved));
    }
    Ok(())
}

/// Whether the service has kept something there.
async fn has(service: Service, source: &StoreUrl) -> Result<bool, Failure> {
    let Some((component, name)) = service.component() else { return Ok(false) };
    let found = components(source, name).await.map_err(|error| format!("the source, {}: {error}", source.place()))?;
    Ok(found.contains_key(component))
}

fn refuse_what_is_in_use(from: &StoreUrl, to: &StoreUrl) -> Result<(), Failure> {
    if let Some(path) = from.sqlite_path().filter(|path| !path.exists()) {
        return Err(format!("the source: there is no file {}", path.display()).into());
    }
    for url in [from, to] {
        if let Some(path) = url.sqlite_path()
            && sqlite::is_in_use(path)?
        {
            return Err(format!("{url} is in use: stop what serves it first").into());
        }
    }
    Ok(())
}

async fn open(service: Service, from: StoreUrl, to: StoreUrl, domain: Option<&Path>) -> Result<Move, Failure> {
    let (source, target): (Box<dyn Holder>, Box<dyn Holder>) = match service {
        Service::Auth => {
            let source = auth_server::migration::holder(&from).await;
            let source = source.map_err(|error| format!("the source, {}: {error}", from.place()))?;
            let target = auth_server::migration::holder(&to).await;
            let target = target.map_err(|error| format!("the target, {}: {error}", to.place()))?;
            (Box::new(source), Box::new(target))
        }
        Service::Api => {
            let source = resource_api::migration::holder(&from, domain, true).await;
            let source = source.map_err(|error| format!("the source, {}: {error}", from.place()))?;
            let target = resource_api::migration::holder(&to, domain, false).await;
            let target = target.map_err(|error| format!("the target, {}: {error}", to.place()))?;
            (Box::new(source), Box::new(target))
        }
        Service::Client => {
            let source = ExpiringHolder::open(&from, oauth_client::NAME).await;
            let source = source.map_err(|error| format!("the source, {}: {error}", from.place()))?;
            let target = ExpiringHolder::open(&to, oauth_client::NAME).await;
            let target = target.map_err(|error| format!("the target, {}: {error}", to.place()))?;
            (Box::new(source), Box::new(target))
        }
    };
    Ok(Move { from, to, source, target })
}

fn told(service: Service, one: &Move, moved: &Moved) {
    let all: u64 = moved.kinds.iter().map(|kind| kind.records).sum();
    println!("{}: {} -> {}", service.name(), one.from.place(), one.to.place());
    let width = moved.kinds.iter().map(|kind| kind.kind.chars().count()).max().unwrap_or_default();
    for kind in &moved.kinds {
        println!("  {:width$}  {:>8}  sha256 {}", kind.kind, kind.records, kind.digest);
    }
    println!("  {all} records are the same on both sides");
}

/// A bar on a terminal, a line now and then elsewhere; on standard error.
struct Progress {
    service: &'static str,
    bar: ProgressBar,
    on_terminal: bool,
    what: String,
    done: u64,
    told: Instant,
}

impl Progress {
    fn new(service: Service) -> Self {
        let on_terminal = io::stderr().is_terminal();
        let bar = if on_terminal { ProgressBar::no_length() } else { ProgressBar::hidden() };
        Self { service: service.name(), bar, on_terminal, what: String::new(), done: 0, told: Instant::now() }
    }

    fn tell(&mut self) {
        self.told = Instant::now();
        if !self.on_terminal {
            eprintln!("{}: {}: {}", self.service, self.what, self.done);
        }
    }
}

impl Watch for Progress {
    fn begin(&mut self, kind: &str, work: Work, all: Option<u64>) {
        let verb = match work {
            Work::Copy => "copied",
            Work::Compare => "compared",
        };
        self.what = format!("{kind} {verb}");
        self.done = 0;
        let template = match all {
            Some(_) => "{bar:40} {human_pos}/{human_len} {msg}  {elapsed_precise}",
            None => "{spinner} {human_pos} {msg}  {elapsed_precise}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.set_length(all.unwrap_or_default());
        self.bar.set_position(0);
        self.bar.set_message(self.what.clone());
    }

    fn advance(&mut self, records: u64) {
        self.done += records;
        self.bar.set_position(self.done);
        if self.told.elapsed() >= TELL_EVERY {
            self.tell();
        }
    }

    fn end(&mut self) {
        self.tell();
    }
}
