//! One world on two servers: histories are played on both and compared.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use shared::clock;
use tempfile::TempDir;

use crate::auth_server::AuthServer;
use crate::compare::{Mismatch, Place, compare};
use crate::differences::{Against, Case, explain, parts_silently};
use crate::server::{Answer, Caller, Eve, Keeps, ResourceApi, ServerError};
use crate::state::{Pair, Side, State};
use crate::step::{Request, Step};
use crate::world::World;

/// A second is not begun on so late that one of the servers might finish in the next.
const LATEST: Duration = Duration::from_millis(930);
/// A history is given up when the servers have worked in different seconds this often.
const TRIES: usize = 5;

/// A server that can be emptied.
pub enum Contestant {
    Eve(Eve),
    ResourceApi(Fresh),
}

/// resource-api, started anew for each history.
pub struct Fresh {
    domain: Value,
    auth: Option<Arc<AuthServer>>,
    keeps: Keeps,
    /// As a first start leaves it.
    empty: Option<TempDir>,
    running: Option<ResourceApi>,
    /// So many were; each has a store of its own.
    started: usize,
    /// The one for the next history, on its way.
    next: Option<JoinHandle<Result<ResourceApi, ServerError>>>,
}

impl Fresh {
    pub fn new(world: &World, keeps: Keeps) -> Result<Self, ServerError> {
        let domain = world.domain.clone();
        let auth = world.tokens.then(|| AuthServer::start(world.scopes()).map(Arc::new)).transpose()?;
        let empty = match keeps {
            Keeps::Sqlite => ResourceApi::start(&domain, &keeps, None, auth.as_deref())?.stop(),
            Keeps::Mongodb { .. } => None,
        };
        Ok(Fresh { domain, auth, keeps, started: 0, empty, running: None, next: None })
    }

    async fn restart(&mut self) -> Result<(), ServerError> {
        let next = match self.next.take() {
            Some(next) => next,
            None => self.start(),
        };
        let running = next.join().unwrap_or_else(|_| Err(ServerError::ResourceApi("it panicked".to_owned())))?;
        if self.running.replace(running).is_some() {
            self.keeps.numbered(self.started - 1).drop().await?;
        }
        self.next = Some(self.start());
        Ok(())
    }

    /// Leaves nothing.
    pub async fn end(mut self) -> Result<(), ServerError> {
        drop(self.next.take().map(JoinHandle::join));
        drop(self.running.take());
        for number in self.started.saturating_sub(1)..=self.started {
            self.keeps.numbered(number).drop().await?;
        }
        Ok(())
    }

    fn start(&mut self) -> JoinHandle<Result<ResourceApi, ServerError>> {
        self.started += 1;
        let keeps = self.keeps.numbered(self.started);
        let (domain, auth) = (self.domain.clone(), self.auth.clone());
        let like = self.empty.as_ref().map(|folder| folder.path().to_owned());
        thread::spawn(move || ResourceApi::start(&domain, &keeps, like.as_deref(), auth.as_deref()))
    }
}

impl Contestant {
    async fn fresh(&mut self) -> Result<(), ServerError> {
        match self {
            Contestant::Eve(eve) => eve.reset(),
            Contestant::ResourceApi(fresh) => fresh.restart().await,
        }
    }

    fn caller(&self) -> Result<&Caller, ServerError> {
        match self {
            Contestant::Eve(eve) => Ok(&eve.caller),
            Contestant::ResourceApi(fresh) => match &fresh.running {
                Some(running) => Ok(&running.caller),
                None => Err(ServerError::ResourceApi("it was not started".to_owned())),
            },
        }
    }
}

/// Both servers of a world.
pub struct Contest<'w> {
    pub world: &'w World,
    pub servers: Pair<Contestant>,
    /// What the reference is, so what may differ.
    pub against: Against,
}

/// How a history went.
#[derive(Debug, Default)]
pub struct Played {
    pub requests: usize,
    /// ETags that were the same to the byte.
    pub etags: usize,
    /// Statuses of the reference.
    pub statuses: BTreeMap<u16, usize>,
    /// What the reference failed with: how often, and at which request first.
    pub raised: BTreeMap<String, (usize, String)>,
    /// Deliberate differences met, by id.
    pub explained: BTreeMap<&'static str, usize>,
    /// The first one that nothing explains; the history ends there.
    pub difference: Option<Differed>,
}

/// Two answers that should have been the same.
#[derive(Debug, Clone)]
pub struct Differed {
    /// The index of the step in the history played.
    pub at: usize,
    pub mismatches: Vec<Mismatch>,
    pub requests: Pair<Request>,
    pub answers: Pair<Answer>,
}

impl Differed {
    /// Alike for differences of one cause, as far as can be told.
    pub fn signature(&self) -> String {
        let first = &self.mismatches[0];
        let place = match &first.place {
            Place::Body(path) => {
                let named = path.iter().filter(|part| part.parse::<usize>().is_err());
                named.map(String::as_str).collect::<Vec<_>>().join(".")
            }
            place => place.to_string(),
        };
        let short =
            |text: &str| -> String { text.chars().filter(|letter| !letter.is_ascii_digit()).take(48).collect() };
        let (reference, tested) = (&first.values.reference, &first.values.tested);
        let status = self.answers.reference.status;
        match first.place {
            Place::Etag => "etag".to_owned(),
            Place::Status => {
                let raised = self.answers.reference.header("x-raised").unwrap_or_default();
                format!("{} {reference} / {tested} {}", self.requests.tested.method, short(raised))
            }
            _ => format!("{status} {place}: {} / {}", short(reference), short(tested)),
        }
    }
}

impl Contest<'_> {
    /// Plays a history from empty servers on.
    pub async fn play(&mut self, steps: &[Step]) -> Result<Played, ServerError> {
        for left in (0..TRIES).rev() {
            match self.try_to_play(steps).await {
                Ok(Some(played)) => return Ok(played),
                // A server that waits too long for a request hangs up, which a busy machine may bring about.
                Ok(None) | Err(ServerError::Request { .. }) if left > 0 => {}
                Ok(None) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Played::default())
    }

    /// Nothing when the two servers worked in different seconds.
    async fn try_to_play(&mut self, steps: &[Step]) -> Result<Option<Played>, ServerError> {
        self.servers.reference.fresh().await?;
        self.servers.tested.fresh().await?;
        let callers = Pair { reference: self.servers.reference.caller()?, tested: self.servers.tested.caller()? };
        let urls = Pair { reference: callers.reference.url(), tested: callers.tested.url() };
        let mut state = State::default();
        let mut played = Played::default();
        for (at, step) in steps.iter().enumerate() {
            early_in_a_second().await;
            let now = clock::now();
            let requests = Pair {
                reference: state.request(self.world, step, Side::Reference, now),
                tested: state.request(self.world, step, Side::Tested, now),
            };
            let sent = futures_util::future::join(
                callers.reference.send(&requests.reference),
                callers.tested.send(&requests.tested),
            );
            let (reference, tested) = sent.await;
            let answers = Pair { reference: reference?, tested: tested? };
            played.requests += 1;
            if let Some(raised) = answers.reference.header("x-raised") {
                let kind: String = raised.chars().filter(|letter| !letter.is_ascii_digit()).take(60).collect();
                let first = || (0, format!("{} → {}", requests.tested, answers.tested.status));
                played.raised.entry(kind).or_insert_with(first).0 += 1;
            }
            *played.statuses.entry(answers.reference.status).or_default() += 1;
            let learned = state.learn(self.world, step, &requests, &answers);
            if learned.straddled {
                return Ok(None);
            }
            played.etags += learned.even;
            let mut mismatches = compare(self.world, step, &mut state, &answers, &urls);
            let (mut requests, mut answers) = (requests, answers);
            if step.method == "HEAD" && !mismatches.is_empty() {
                // What differs shows in the body that a GET has.
                requests.reference.method = "GET".to_owned();
                requests.tested.method = "GET".to_owned();
                answers = Pair {
                    reference: callers.reference.send(&requests.reference).await?,
                    tested: callers.tested.send(&requests.tested).await?,
                };
                let of_body = compare(self.world, step, &mut state, &answers, &urls);
                // The lengths of two lists in another order may differ.
                if !of_body.is_empty() || step.unordered {
                    mismatches = of_body;
                }
            }
            if let Some(values) = learned.etags {
                mismatches.insert(0, Mismatch { place: Place::Etag, values });
            }
            let parted = match self.against {
                Against::Eve => parts_silently(self.world, step, &answers),
                Against::Sqlite => None,
            };
            if mismatches.is_empty() {
                match parted {
                    Some(id) => {
                        *played.explained.entry(id).or_default() += 1;
                        break;
                    }
                    None => continue,
                }
            }
            let step = &Step { method: requests.tested.method.clone(), ..step.clone() };
            let case = Case { world: self.world, step, answers: &answers, mismatches: &mismatches };
            match explain(self.against, &case) {
                Some(difference) => {
                    *played.explained.entry(difference.id).or_default() += 1;
                    if parted.is_some() || difference.parts && !matches!(step.action().as_str(), "GET" | "HEAD") {
                        break;
                    }
                }
                None => {
                    played.difference = Some(Differed { at, mismatches, requests, answers });
                    break;
                }
            }
        }
        Ok(Some(played))
    }
}

/// Both servers should read the same second from the clock.
async fn early_in_a_second() {
    #[allow(clippy::disallowed_methods, reason = "the clock that both servers read")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let into = Duration::from_nanos(u64::from(now.subsec_nanos()));
    if into > LATEST {
        tokio::time::sleep(Duration::from_millis(1002).saturating_sub(into)).await;
    }
}
