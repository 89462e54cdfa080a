//! Many histories in every world, and the report.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::contest::{Contest, Contestant, Differed, Fresh};
use crate::differences::Against;
use crate::generate::history;
use crate::server::{Eve, Keeps, ServerError};
use crate::shrink::shrink;
use crate::state::Pair;
use crate::step::Step;
use crate::world::World;

/// What to play.
#[derive(Debug, Clone)]
pub struct Options {
    pub reference: Reference,
    /// A server of MongoDB's protocol, for Eve, or for resource-api where it is compared with itself.
    pub mongodb: String,
    /// The first history's; each next one has the next.
    pub seed: u64,
    /// Histories in each world.
    pub histories: u64,
    /// Requests in each history.
    pub length: usize,
    /// Only the world of this name.
    pub world: Option<String>,
    /// As many different differences are shown for each world; the rest is counted.
    pub shown: usize,
}

/// What resource-api is compared with.
#[derive(Debug, Clone)]
pub enum Reference {
    /// Eve, run by a Python that has it, compared with resource-api on the embedded store.
    Eve(PathBuf),
    /// resource-api on the embedded store, compared with itself on MongoDB.
    Sqlite,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    pub requests: usize,
    pub etags: usize,
    pub statuses: BTreeMap<u16, usize>,
    /// What the reference failed with: how often, and at which request first.
    pub raised: BTreeMap<String, (usize, String)>,
    pub explained: BTreeMap<&'static str, usize>,
    pub found: Vec<Found>,
    /// Differences by signature, with the seeds of their histories.
    pub counted: BTreeMap<String, Vec<u64>>,
}

/// A difference that nothing explains, with a history that shows it.
#[derive(Debug)]
pub struct Found {
    pub world: String,
    pub seed: u64,
    pub steps: Vec<Step>,
    pub requests: Vec<String>,
    pub differed: Differed,
}

/// Plays everything; worlds at the same time.
pub async fn run(options: &Options) -> Result<Report, ServerError> {
    let worlds = World::all().map_err(|error| ServerError::Eve(error.to_string()))?;
    let chosen = worlds.iter().filter(|world| options.world.as_ref().is_none_or(|name| *name == world.name));
    let reports = futures_util::future::join_all(chosen.map(|world| run_world(options, world))).await;
    let mut whole = Report::default();
    for report in reports {
        whole.add(report?);
    }
    Ok(whole)
}

async fn run_world(options: &Options, world: &World) -> Result<Report, ServerError> {
    let database = format!("oracle_{}_{}", world.name, std::process::id());
    let ours = |keeps| Fresh::new(world, keeps).map(Contestant::ResourceApi);
    let (against, keeps, reference) = match &options.reference {
        Reference::Eve(python) => {
            let eve = Eve::start(python, &options.mongodb, &database, &world.domain)?;
            (Against::Eve, Keeps::Sqlite, Contestant::Eve(eve))
        }
        Reference::Sqlite => (Against::Sqlite, Keeps::in_database(&options.mongodb, &database), ours(Keeps::Sqlite)?),
    };
    let servers = Pair { reference, tested: ours(keeps)? };
    let mut contest = Contest { world, servers, against };
    let report = play(options, world, &mut contest).await;
    if let Contestant::ResourceApi(fresh) = contest.servers.tested {
        fresh.end().await?;
    }
    report
}

async fn play(options: &Options, world: &World, contest: &mut Contest<'_>) -> Result<Report, ServerError> {
    let mut report = Report::default();
    for seed in options.seed..options.seed + options.histories {
        let steps = history(world, seed, options.length);
        let played = contest.play(&steps).await?;
        report.requests += played.requests;
        report.etags += played.etags;
        add(&mut report.statuses, played.statuses);
        report.add_raised(played.raised);
        add(&mut report.explained, played.explained);
        let Some(differed) = played.difference else { continue };
        let seeds = report.counted.entry(differed.signature()).or_default();
        seeds.push(seed);
        if seeds.len() == 1 && report.found.len() < options.shown {
            let (steps, differed) = shrink(contest, steps, differed).await?;
            report.found.push(Found { world: world.name.clone(), seed, steps, requests: Vec::new(), differed });
        }
    }
    Ok(report)
}

fn add<K: Ord>(to: &mut BTreeMap<K, usize>, from: BTreeMap<K, usize>) {
    for (key, count) in from {
        *to.entry(key).or_default() += count;
    }
}

impl Report {
    fn add_raised(&mut self, raised: BTreeMap<String, (usize, String)>) {
        for (kind, (count, request)) in raised {
            self.raised.entry(kind).or_insert((0, request)).0 += count;
        }
    }

    fn add(&mut self, other: Report) {
        self.requests += other.requests;
        self.etags += other.etags;
        add(&mut self.statuses, other.statuses);
        self.add_raised(other.raised);
        add(&mut self.explained, other.explained);
        self.found.extend(other.found);
        for (signature, seeds) in other.counted {
            self.counted.entry(signature).or_default().extend(seeds);
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "world {}, seed {}", self.world, self.seed)?;
        for step in &self.steps {
            let request =
                step.request(&mut |marker| format!("<{}>", marker.to_string().trim_matches(['\u{e000}', '\u{e001}'])));
            writeln!(f, "  {request}")?;
        }
        let differed = &self.differed;
        for mismatch in &differed.mismatches {
            let values = &mismatch.values;
            writeln!(f, "  {}:\n    expected {}\n    but got  {}", mismatch.place, values.reference, values.tested)?;
        }
        if let Some(raised) = differed.answers.reference.header("x-raised") {
            writeln!(f, "  raised {raised}")?;
        }
        if differed.answers.reference.status != differed.answers.tested.status {
            writeln!(f, "  expected {}", differed.answers.reference.body)?;
            writeln!(f, "  but got  {}", differed.answers.tested.body)?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for found in &self.found {
            writeln!(f, "{found}")?;
        }
        let table = |f: &mut fmt::Formatter<'_>, title: &str, rows: Vec<String>| match rows.is_empty() {
            true => Ok(()),
            false => writeln!(f, "{title}: {}", rows.join(", ")),
        };
        for (signature, seeds) in &self.counted {
            let some: Vec<String> = seeds.iter().take(5).map(u64::to_string).collect();
            writeln!(f, "{} times, seeds {}: {signature}", seeds.len(), some.join(" "))?;
        }
        writeln!(f, "{} requests, {} equal ETags of changes", self.requests, self.etags)?;
        table(f, "answers", self.statuses.iter().map(|(status, count)| format!("{count} × {status}")).collect())?;
        for (raised, (count, request)) in &self.raised {
            writeln!(f, "failed {count} times: {raised}\n  {request}")?;
        }
        table(f, "deliberate differences", self.explained.iter().map(|(id, count)| format!("{id} {count}")).collect())
    }
}
