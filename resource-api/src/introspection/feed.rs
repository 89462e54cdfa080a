//! What has ended, as far as it is told, and whether that is all of it (D-036, D-039, decisions 7). No I/O: `follow` listens.
//!
//! The feed has a stamp, which grows whenever something ends. An answer about a token carries the stamp that was read before the
//! question: what ended later ends the answer, whichever of the two came first. Without anybody to believe the stamp is
//! [`DOWN`], and nothing that is remembered is good.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shared::metrics::{Counter, Metrics};
use shared::revocation_feed::{Handle, Look, SILENCE};

/// Nobody tells what ends.
const DOWN: u64 = 0;
/// Where nobody is asked to.
const UNHEEDED: u64 = 1;
/// How long it is known what ended: longer than any answer is remembered.
const KEPT: Duration = Duration::from_secs(60);
/// What is known to have ended, at most; beyond that all answers are forgotten.
const MOST: usize = 100_000;
/// From when on looks in a channel are believed: what was missed before the first of them, others have told by then, or were found
/// silent.
const SETTLED: Duration = Duration::from_secs(2);

/// Where looks come from, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Row {
    /// An auth-server's answer, which begins with what ended of late.
    Stream(usize),
    /// An auth-server that publishes in a channel.
    Published(String),
}

/// What an answer about a token rests on.
#[derive(Debug)]
pub struct Standing {
    /// The feed's stamp before the question.
    born: u64,
    /// The last stamp at which it was found good.
    checked: AtomicU64,
    /// What ends it: its family, its user, its client.
    names: [Handle; 3],
}

/// See above.
pub struct Feed {
    stamp: AtomicU64,
    /// Until when what was heard is enough, in nanoseconds from `begun`. A process that was stopped for a while goes on with this
    /// before it has noticed the silence.
    enough: AtomicU64,
    begun: Instant,
    state: Mutex<State>,
    endings: Counter,
    breaks: Counter,
}

struct State {
    /// The last stamp that was given.
    given: u64,
    /// Answers from before it are forgotten.
    floor: u64,
    rows: HashMap<Row, Heard>,
    /// What ended at which stamp, of the last [`KEPT`] and of as long before.
    ended: [HashMap<Handle, u64>; 2],
    turned: Instant,
}

/// One row.
struct Heard {
    since: Instant,
    last: Instant,
    number: u64,
}

impl Standing {
    /// `born` is what [`Feed::stamp`] said before the question. Without the handle of its family nothing could end it: then it is
    /// good for one request.
    pub fn new(born: u64, family: Option<Handle>, sub: &str, client: &str) -> Self {
        let born = if family.is_none() && born != UNHEEDED { DOWN } else { born };
        let (user, client) = (Handle::of_user(sub), Handle::of_client(client));
        Self { born, checked: AtomicU64::new(born), names: [family.unwrap_or(user), user, client] }
    }
}

impl Feed {
    /// To be followed.
    pub fn new(metrics: &Metrics) -> Arc<Self> {
        let feed = Arc::new(Self::with(DOWN, metrics));
        let watched = feed.clone();
        let help = "Whether it is known what ends, so that answers about tokens are remembered: 1 or 0";
        metrics.watch("evergate_revocation_feed_up", help, move || f64::from(u8::from(watched.stamp() != DOWN)));
        feed
    }

    /// Nobody is followed: answers are good for as long as they are remembered.
    pub fn none() -> Arc<Self> {
        Arc::new(Self::with(UNHEEDED, &Metrics::default()))
    }

    fn with(stamp: u64, metrics: &Metrics) -> Self {
        let counter = |name, help| metrics.counter(name, help, &[]);
        Self {
            stamp: AtomicU64::new(stamp),
            enough: AtomicU64::new(if stamp == UNHEEDED { u64::MAX } else { 0 }),
            begun: Instant::now(),
            state: Mutex::new(State {
                given: UNHEEDED,
                floor: 0,
                rows: HashMap::new(),
                ended: Default::default(),
                turned: Instant::now(),
            }),
            endings: counter("evergate_revocation_feed_endings_total", "Endings that the feed told of"),
            breaks: counter("evergate_revocation_feed_breaks_total", "How often the feed was lost"),
        }
    }

    /// To be read before a question about a token.
    pub fn stamp(&self) -> u64 {
        self.stamp.load(Ordering::Acquire)
    }

    /// Whether a remembered answer may be used. Two atomic reads, but for the first time after something ended.
    pub fn trusts(&self, standing: &Standing, now: Instant) -> bool {
        let stamp = self.stamp();
        if stamp == DOWN || self.at(now) >= self.enough.load(Ordering::Acquire) {
            return false;
        }
        if standing.checked.load(Ordering::Relaxed) == stamp {
            return true;
        }
        let good = self.state().stands(standing);
        if good {
            standing.checked.store(stamp, Ordering::Relaxed);
        }
        good
    }

    /// Whether what an answer tells of ended while it was on its way.
    pub fn ended_since(&self, standing: &Standing) -> bool {
        standing.born != DOWN && self.stamp() != standing.born && self.state().has_ended(standing)
    }

    /// Takes a look of a row; `false`: one was missed, so that the row begins anew.
    pub fn hear(&self, row: &Row, look: &Look, now: Instant) -> bool {
        let mut state = self.state();
        // What comes after a silence is not believed to be all: it may have waited to be read.
        self.judge(&mut state, now);
        let whole = match state.rows.get_mut(row) {
            Some(heard) if heard.number.checked_add(1) == Some(look.number) => {
                heard.last = now;
                heard.number = look.number;
                true
            }
            known => {
                let first = known.is_none();
                state.rows.insert(row.clone(), Heard { since: now, last: now, number: look.number });
                first
            }
        };
        if !look.ended.is_empty() {
            self.endings.increment(u64::try_from(look.ended.len()).unwrap_or(u64::MAX));
            state.learn(&look.ended, now);
        }
        self.judge(&mut state, now);
        whole
    }

    /// These rows have broken.
    pub fn lose(&self, which: impl Fn(&Row) -> bool, now: Instant) {
        let mut state = self.state();
        state.rows.retain(|row, _| !which(row));
        self.judge(&mut state, now);
    }

    /// Believes no row that has fallen silent. To be called several times in each [`SILENCE`].
    pub fn watch(&self, now: Instant) {
        self.judge(&mut self.state(), now);
    }

    fn at(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.begun).as_nanos()).unwrap_or(u64::MAX)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, state: &mut State, now: Instant) {
        state.rows.retain(|_, heard| now.saturating_duration_since(heard.last) < SILENCE);
        let believed = state.rows.iter().filter(|(row, heard)| match row {
            Row::Stream(_) => true,
            Row::Published(_) => now.saturating_duration_since(heard.since) >= SETTLED,
        });
        let enough = believed.map(|(_, heard)| heard.last + SILENCE).max();
        let up = enough.is_some();
        self.enough.store(enough.map_or(0, |end| self.at(end)), Ordering::Release);
        match (self.stamp() != DOWN, up) {
            (true, true) => {}
            (false, true) => {
                state.forget();
                log::info!("the revocation feed is up: answers about tokens are remembered");
            }
            (true, false) => {
                self.breaks.increment(1);
                log::warn!("the revocation feed is lost: each request asks about its token until it is back");
            }
            (false, false) => return,
        }
        self.stamp.store(if up { state.given } else { DOWN }, Ordering::Release);
    }
}

impl State {
    fn stands(&self, standing: &Standing) -> bool {
        standing.born >= self.floor && !self.has_ended(standing)
    }

    fn has_ended(&self, standing: &Standing) -> bool {
        let late = |name: &Handle| self.ended.iter().any(|ended| ended.get(name).is_some_and(|at| *at > standing.born));
        standing.names.iter().any(late)
    }

    fn learn(&mut self, ended: &[Handle], now: Instant) {
        if now.saturating_duration_since(self.turned) >= KEPT {
            self.turned = now;
            self.ended.swap(0, 1);
            self.ended[0].clear();
        }
        if self.ended[0].len() > MOST {
            self.forget();
        }
        self.given += 1;
        self.ended[0].extend(ended.iter().map(|name| (*name, self.given)));
    }

    /// No answer from before now is good.
    fn forget(&mut self) {
        self.given += 1;
        self.floor = self.given;
        self.ended.iter_mut().for_each(HashMap::clear);
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Feed({})", self.stamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Duration = Duration::from_millis(200);

    fn look(number: u64, ended: &[Handle]) -> Look {
        Look { from: String::new(), number, ended: ended.to_vec() }
    }

    fn family(name: &str) -> Handle {
        Handle::new("family", name.as_bytes())
    }

    fn asked(feed: &Feed, name: &str) -> Standing {
        Standing::new(feed.stamp(), Some(family(name)), &format!("u_{name}"), "shop")
    }

    fn started() -> (Arc<Feed>, Row, Instant) {
        let (feed, row, now) = (Feed::new(&Metrics::default()), Row::Stream(0), Instant::now());
        assert!(feed.hear(&row, &look(1, &[]), now));
        (feed, row, now)
    }

    /// D-039: by family, by user and by client; others stay.
    #[test]
    fn an_answer_is_good_until_what_it_rests_on_ends() {
        let (feed, row, now) = started();
        let answers = ["a", "b", "c", "d"].map(|name| asked(&feed, name));
        assert!(answers.iter().all(|answer| feed.trusts(answer, now)));
        feed.hear(&row, &look(2, &[family("a"), Handle::of_user("u_b")]), now);
        assert_eq!(answers.each_ref().map(|answer| feed.trusts(answer, now)), [false, false, true, true]);
        let later = asked(&feed, "b");
        assert!(feed.trusts(&later, now), "he has signed in again");
        feed.hear(&row, &look(3, &[Handle::of_client("shop")]), now);
        assert!(!answers.iter().any(|answer| feed.trusts(answer, now)) && !feed.trusts(&later, now));
    }

    /// D-036: what ends between a question and its answer ends the answer.
    #[test]
    fn an_answer_does_not_outlive_what_ended_while_it_was_asked_for() {
        let (feed, row, now) = started();
        let stamp = feed.stamp();
        feed.hear(&row, &look(2, &[family("a")]), now);
        let answer = Standing::new(stamp, Some(family("a")), "u_a", "shop");
        assert!(feed.ended_since(&answer) && !feed.trusts(&answer, now));
        let other = Standing::new(stamp, Some(family("b")), "u_b", "shop");
        assert!(!feed.ended_since(&other) && feed.trusts(&other, now));
    }

    /// Decisions 7: silence, an end or a gap, and nothing remembered is good, also when the feed is back.
    #[test]
    fn nothing_remembered_outlives_a_break() {
        for what in ["silence", "end", "gap"] {
            let (feed, row, now) = started();
            let answer = asked(&feed, "a");
            let almost = now + SILENCE - Duration::from_millis(1);
            feed.watch(almost);
            assert!(feed.trusts(&answer, now));
            let later = match what {
                "silence" => {
                    feed.watch(now + SILENCE);
                    now + SILENCE
                }
                "end" => {
                    feed.lose(|lost| *lost == row, now);
                    now
                }
                _ => {
                    // As the follower does.
                    assert!(!feed.hear(&row, &look(3, &[]), now));
                    feed.lose(|lost| *lost == row, now);
                    now
                }
            };
            assert!(!feed.trusts(&answer, later) && !feed.trusts(&asked(&feed, "b"), later), "{what}");
            let down = asked(&feed, "c");
            feed.hear(&row, &look(1, &[]), later);
            assert!(!feed.trusts(&answer, later) && !feed.trusts(&down, later), "{what}");
            assert!(feed.trusts(&asked(&feed, "a"), later));
        }
    }

    /// Decisions 7: a process that was stopped, and goes on before it has noticed the silence, believes nothing of before; and not
    /// because it then reads the looks that have waited for it, without a gap.
    #[test]
    fn nothing_remembered_outlives_a_process_that_stood_still() {
        let (feed, row, now) = started();
        let answer = asked(&feed, "a");
        let later = now + SILENCE;
        assert!(!feed.trusts(&answer, later), "nobody has looked at the clock");
        assert!(feed.hear(&row, &look(2, &[]), later));
        assert!(!feed.trusts(&answer, later), "what ended is in a later look");
        assert!(feed.trusts(&asked(&feed, "a"), later));
    }

    /// One whole row is enough; one in a channel counts only when it has been heard for a while, and begins anew after a gap.
    #[test]
    fn a_row_takes_over_from_another() {
        let (feed, row, start) = started();
        let answer = asked(&feed, "a");
        let published = Row::Published("one".to_owned());
        let mut now = start;
        for number in 1.. {
            feed.hear(&published, &look(number, &[]), now);
            if now > start + SETTLED {
                break;
            }
            feed.hear(&row, &look(number + 1, &[]), now);
            now += PACE;
        }
        feed.lose(|lost| *lost == row, now);
        assert!(feed.trusts(&answer, now), "the channel goes on");
        assert!(!feed.hear(&published, &look(99, &[]), now));
        assert!(!feed.trusts(&answer, now), "it missed a look, and nobody else tells");

        let feed = Feed::new(&Metrics::default());
        feed.hear(&published, &look(7, &[]), start);
        assert!(!feed.trusts(&asked(&feed, "a"), now));
    }

    #[test]
    fn without_a_feed_answers_live_by_their_time_alone() {
        let (feed, now) = (Feed::none(), Instant::now());
        let answer = Standing::new(feed.stamp(), None, "u_a", "shop");
        assert!(feed.trusts(&answer, now) && !feed.ended_since(&answer));
        let (feed, ..) = started();
        let nameless = Standing::new(feed.stamp(), None, "u_a", "shop");
        assert!(!feed.trusts(&nameless, now), "nothing could end it");
    }
}
