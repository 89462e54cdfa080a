//! What must take a certain time. These run one by one, and again where a busy machine upset them (.config/nextest.toml).

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::json;

use crate::support::{Answer, Browser, Client, PASSWORD, Server, hidden};

/// Of each kind of failure.
const SAMPLES: usize = 200;
/// After so many it may be clear already: when the medians are within half of what is allowed.
const FIRST_LOOK: usize = 80;
/// An account is left alone before too many failures in its name make others wait.
const PER_ACCOUNT: usize = 50;
/// Checks of passwords at the same time: few enough that most find a thread free, or the median would tell of waiting.
const AT_A_TIME: usize = 4;

/// Attempts may be as many as are needed.
const SETTINGS: &str =
    "password_grant = true\nthrottle = { name_and_network = 100, network = 1000000, name = 100, openings = 0 }";

/// The settings of a server whose failures take as long as its operator would say: well over a hash on this machine, busy as
/// it is with other things (F-022), but no shorter than the settings allow.
async fn settings() -> String {
    let server = Server::start().await;
    let hashes = join_all((0..2).map(|_| async {
        let mut times = Vec::new();
        for _ in 0..8 {
            let start = Instant::now();
            server.app.passwords.hash(shared::Secret::new(PASSWORD)).await.unwrap();
            times.push(start.elapsed());
        }
        times
    }));
    let mut times: Vec<_> = hashes.await.into_iter().flatten().collect();
    times.sort_unstable();
    let floor = (times[times.len() * 3 / 4] * 4).as_millis().clamp(100, 1000);
    format!("{SETTINGS}\npasswords = {{ failure_floor = {floor}, threads = 2 }}")
}

/// A kind of failure: its name, the accounts it is tried with, and the password.
type Failure = (&'static str, Vec<String>, &'static str);

async fn script(server: &Server) -> Client {
    let metadata = json!({"token_endpoint_auth_method": "none", "redirect_uris": [], "grant_types": ["password"]});
    server.client(metadata).await
}

/// Accounts of every kind, and how signing in to them fails.
async fn failures(server: &Server) -> Vec<Failure> {
    let names = |kind: &str| (0..SAMPLES / PER_ACCOUNT).map(|number| format!("{kind}{number}")).collect::<Vec<_>>();
    let argon2 = server.app.passwords.hash(shared::Secret::new(PASSWORD)).await.unwrap();
    // Quicker, and slower, than the present scheme; and one that is too slow to be tried.
    let quick = bcrypt::hash(PASSWORD, 4).unwrap();
    let slow = bcrypt::hash(PASSWORD, 9).unwrap();
    let endless = quick.replace("$04$", "$16$");
    for (kind, hash) in [
        ("right", &argon2),
        ("disabled", &argon2),
        ("fresh", &argon2),
        ("quick", &quick),
        ("slow", &slow),
        ("endless", &endless),
    ] {
        for name in names(kind) {
            server.user_with_hash(&name, hash).await;
        }
    }
    for name in names("disabled").into_iter().chain(names("fresh")) {
        let user = server.app.users.find_by_username(&name).await.unwrap().unwrap();
        let disabled = name.starts_with("disabled");
        server
            .change_user(&user.id, |user| {
                user.disabled = disabled;
                user.must_change = !disabled;
            })
            .await;
    }
    vec![
        ("wrong password", names("right"), "wrong"),
        ("unknown user", names("nobody"), "wrong"),
        ("disabled account", names("disabled"), PASSWORD),
        ("bcrypt of a low cost", names("quick"), "wrong"),
        ("bcrypt of a high cost", names("slow"), "wrong"),
        ("bcrypt of a forbidden cost", names("endless"), "wrong"),
    ]
}

/// Compares the medians of all kinds (F-022): the whole number of samples decides, unless fewer leave no doubt.
async fn have_equal_medians(failures: &[Failure], attempt: impl AsyncFn(&str, &str)) {
    let mut times = vec![Vec::new(); failures.len()];
    sample(failures, 0..FIRST_LOOK, &attempt, &mut times).await;
    let (apart, allowed) = spread(&mut times);
    if apart <= allowed / 2 {
        return;
    }
    sample(failures, FIRST_LOOK..SAMPLES, &attempt, &mut times).await;
    let told: Vec<_> = failures.iter().map(|(kind, ..)| kind).zip(medians(&mut times)).collect();
    let (apart, allowed) = spread(&mut times);
    assert!(apart <= allowed, "{told:?}");
}

fn medians(times: &mut [Vec<Duration>]) -> Vec<Duration> {
    let median = |of_kind: &mut Vec<Duration>| {
        of_kind.sort_unstable();
        of_kind[of_kind.len() / 2]
    };
    times.iter_mut().map(median).collect()
}

/// How far the medians lie apart, and how far they may.
fn spread(times: &mut [Vec<Duration>]) -> (Duration, Duration) {
    let medians = medians(times);
    let (least, most) = (*medians.iter().min().unwrap(), *medians.iter().max().unwrap());
    (most - least, Duration::from_millis(5).max(least / 20))
}

/// Takes samples of all kinds mixed, so that whatever else happens falls on all.
async fn sample(
    failures: &[Failure],
    numbers: Range<usize>,
    attempt: &impl AsyncFn(&str, &str),
    times: &mut [Vec<Duration>],
) {
    let all: Vec<(usize, &str, &str)> = numbers
        .flat_map(|sample| {
            failures
                .iter()
                .enumerate()
                .map(move |(kind, (_, names, password))| (kind, names[sample % names.len()].as_str(), *password))
        })
        .collect();
    let (next, all) = (AtomicUsize::new(0), &all);
    let samples = join_all((0..AT_A_TIME).map(|_| async {
        let mut taken = Vec::new();
        while let Some((kind, name, password)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            let start = Instant::now();
            attempt(name, password).await;
            taken.push((*kind, start.elapsed()));
        }
        taken
    }));
    for (kind, took) in samples.await.into_iter().flatten() {
        times[kind].push(took);
    }
}

/// F-021, F-022: how long the login page takes tells nothing of what was wrong.
#[actix_rt::test]
async fn failures_at_the_login_page_take_the_same_time() {
    let server = Server::with(&settings().await).await;
    let mut failures = failures(&server).await;
    failures.push(("empty password", failures[0].1.clone(), ""));
    let browsers = join_all((0..AT_A_TIME).map(|_| async {
        let browser = Browser::new(&server.url, server.http.clone());
        let csrf = hidden(&browser.get("/oauth/login").await.body, "csrf");
        (browser, csrf)
    }));
    let (browsers, turn) = (browsers.await, AtomicUsize::new(0));
    have_equal_medians(&failures, async |name, password| {
        let (browser, csrf) = &browsers[turn.fetch_add(1, Ordering::Relaxed) % AT_A_TIME];
        let form = [("csrf", csrf.as_str()), ("username", name), ("password", password)];
        assert_eq!(browser.post("/oauth/login", &form).await.status, 401);
    })
    .await;
}

/// F-021, F-022, F-014: nor how long the password grant takes, whoever may not sign in by it.
#[actix_rt::test]
async fn failures_of_the_password_grant_take_the_same_time() {
    let server = Server::with(&settings().await).await;
    let script = script(&server).await;
    let mut failures = failures(&server).await;
    failures.push(("password to be changed", (0..4).map(|number| format!("fresh{number}")).collect(), PASSWORD));
    have_equal_medians(&failures, async |name, password| {
        script.password(name, password).await.refused("invalid_grant");
    })
    .await;
}

/// F-022, F-046: an attempt that must wait takes as long as one that failed.
#[actix_rt::test]
async fn an_attempt_that_must_wait_takes_as_long_as_a_failure() {
    let server =
        Server::with("password_grant = true\npasswords = { failure_floor = 300 }\nthrottle = { network = 1 }").await;
    let (script, alice) = (script(&server).await, server.user("alice").await);
    script.password(&alice.username, "wrong").await.refused("invalid_grant");
    for password in [PASSWORD, "wrong"] {
        let mut least = Duration::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            script.password(&alice.username, password).await.refused("temporarily_unavailable");
            least = least.min(start.elapsed());
        }
        assert!(least >= Duration::from_millis(300) && least < Duration::from_millis(360), "{least:?}");
    }
}

/// F-041: from the fifth failure on each costs twice the time of the last, whether the password is right or not; then it is
/// tried again, and a success begins anew (F-044).
#[actix_rt::test]
async fn each_further_failure_doubles_the_wait() {
    let server = Server::with("password_grant = true").await;
    let (script, alice) = (script(&server).await, server.user("alice").await);
    for _ in 0..4 {
        script.password("alice", "wrong").await.refused("invalid_grant");
    }
    let wait = |answer: Answer| {
        answer.refused("temporarily_unavailable");
        answer.header("retry-after").parse::<u64>().unwrap()
    };
    for expected in [1, 2, 4] {
        script.password("alice", "wrong").await.refused("invalid_grant");
        assert_eq!(wait(script.password("alice", PASSWORD).await), expected);
        assert_eq!(wait(script.password("alice", "wrong").await), expected, "what was not tried counts for nothing");
        actix_rt::time::sleep(Duration::from_millis(expected * 1000 + 50)).await;
    }
    script.password(&alice.username, PASSWORD).await.tokens();
    script.password("alice", "wrong").await.refused("invalid_grant");
    script.password("alice", PASSWORD).await.tokens();
}

/// F-007: while sign-ins are hammered, everything else is answered within 50 ms, 99 times of 100.
#[actix_rt::test]
async fn a_flood_of_sign_ins_leaves_everything_else_fast() {
    let server = Server::with(&settings().await).await;
    let (script, api, robot) = (script(&server).await, server.api().await, server.robot().await);
    let token = robot.token(&[("grant_type", "client_credentials")]).await.tokens().access;
    let over = std::cell::Cell::new(false);
    let flood = join_all((0..50).map(|number| {
        let (script, over) = (&script, &over);
        async move {
            let (mut tried, mut busy) = (0, 0);
            while !over.get() {
                match script.password(&format!("nobody{number}-{tried}"), "wrong").await.status {
                    400 => {}
                    503 => busy += 1,
                    other => panic!("{other}"),
                }
                tried += 1;
            }
            (tried, busy)
        }
    }));
    let rest = async {
        actix_rt::time::sleep(Duration::from_millis(500)).await;
        let mut times = Vec::new();
        for _ in 0..300 {
            let start = Instant::now();
            assert!(api.finds_active(&token).await);
            times.push(start.elapsed());
            actix_rt::time::sleep(Duration::from_millis(5)).await;
        }
        over.set(true);
        times.sort_unstable();
        times
    };
    let (flood, times) = join(flood, rest).await;
    let tried: i32 = flood.iter().map(|(tried, _)| tried).sum();
    assert!(tried > 50, "the flood was none");
    assert!(times[296] < Duration::from_millis(50), "{:?}", &times[290..]);
}
