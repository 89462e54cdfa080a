//! What a slow or busy server costs, and which URLs are taken.
#![allow(clippy::unwrap_used)]

use futures_util::future::{join, join_all};

use super::*;
use crate::store::servers;

/// A request that makes many calls of a slow server is given up as a whole, and what others ask is not.
#[actix_rt::test]
async fn a_request_waits_for_no_more_than_two_calls_limits() {
    let Some(url) = servers::mongodb() else { return };
    let (url, relay) = servers::relayed(&url);
    let calls = servers::in_time(Duration::from_millis(800), async |limit| {
        relay.restore();
        let mongo = Mongo::connect(&url, "unused").await.unwrap().within(limit);
        // Connections for two, which a slow server would take long to make.
        join_all((0..4).map(|_| mongo.ping())).await;
        relay.delay(limit * 5 / 8);
        let started = Instant::now();
        let calls = waiting::one_request(async {
            // Side by side they are waited for at the same time.
            let (first, second) = join(mongo.ping(), mongo.ping()).await;
            let mut calls = usize::from(first.is_ok() && second.is_ok());
            while mongo.ping().await.is_ok() {
                calls += 1;
            }
            mongo.ping().await.unwrap_err();
            calls
        });
        let (calls, took) = (calls.await, started.elapsed());
        assert!(took > limit * 7 / 4, "{took:?}");
        let mut others = waiting::one_request(mongo.ping()).await.is_ok();
        for _ in 0..5 {
            others &= mongo.ping().await.is_ok();
        }
        (calls > 1 && others && took < limit * 5 / 2).then_some(calls)
    });
    let calls = calls.await;
    assert!(calls < 4, "{calls}");
}

/// Of a URL that can't be used it is said why, without its password.
#[actix_rt::test]
async fn what_is_wrong_with_a_url_is_told_without_its_password() {
    for (url, why) in [
        ("mongodb://ada:hunt@er2@127.0.0.1/x", "percent-encoded"),
        ("mongodb://ada:hunter2@127.0.0.1/x?frobnicate=1", "options known"),
        ("mongodb://ada:hunter2@127.0.0.1/x?w=0", "w=0"),
        ("mongodb://ada:hunter2@127.0.0.1/x?tls=true&tlsCAFile=/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("mongodb+srv://ada:hunter2@nowhere.invalid/x", "DNS"),
        ("mongodb://ada:hunter2@127.0.0.1:1/x", "refused"),
    ] {
        let told = Mongo::connect(&Secret::new(url), "unused").await.err().unwrap().to_string();
        assert!(told.contains(why) && !told.contains("hunt") && !told.contains("ada"), "{url}: {told}");
    }
}

#[actix_rt::test]
async fn all_reads_go_to_the_primary() {
    let Some(url) = servers::mongodb() else { return };
    let url = Secret::new(format!("{}&readPreference=secondaryPreferred", url.expose()));
    let mongo = Mongo::connect(&url, "unused").await.unwrap();
    assert_eq!(mongo.database().selection_criteria(), None);
}

/// A server that is slow is not asked ever more: beyond what may wait a call is refused at once, and when the server is itself
/// again so is everything else.
#[actix_rt::test]
async fn only_so_many_calls_wait_for_a_slow_server() {
    let Some(url) = servers::mongodb() else { return };
    let (url, relay) = servers::relayed(&url);
    let mongo = Mongo::connect(&url, "unused").await.unwrap();
    mongo.ping().await.unwrap();
    relay.delay(Duration::from_secs(60));
    let started = Instant::now();
    let (asked, quick) = (MOST_PENDING + 500, std::cell::Cell::new(0));
    let calls = join_all((0..asked).map(|_| async {
        let asked = Instant::now();
        let refused = mongo.ping().await.is_err();
        quick.set(quick.get() + usize::from(refused && asked.elapsed() < Duration::from_secs(1)));
        refused
    }));
    assert!(calls.await.into_iter().all(|refused| refused));
    assert_eq!(quick.get(), 500);
    assert!(started.elapsed() < ANSWERED_WITHIN + Duration::from_secs(10), "{:?}", started.elapsed());
    relay.restore();
    let restored = Instant::now();
    while mongo.ping().await.is_err() {
        assert!(restored.elapsed() < Duration::from_secs(2), "not back yet");
    }
}

/// Counts in one document.
struct Touch(Collection<Document>);

#[async_trait]
impl Work for Touch {
    type Answer = ();

    async fn run(&self, session: &mut ClientSession) -> Result<End<()>, Error> {
        self.0.update_one(doc! { "_id": 1 }, doc! { "$inc": { "n": 1 } }).session(session).await?;
        Ok(End::Commit(()))
    }
}

/// What a program was writing when it was killed, the server keeps for a while: a command that goes on from there waits for that.
#[actix_rt::test]
async fn a_patient_command_waits_until_a_transaction_is_given_up() {
    let Some(url) = servers::mongodb() else { return };
    let mongo = Mongo::connect(&url, "unused").await.unwrap().within(Duration::from_millis(400));
    let things = mongo.collection::<Document>("things");
    things.insert_one(doc! { "_id": 1, "n": 0 }).await.unwrap();
    let mut left = mongo.database().client().start_session().await.unwrap();
    left.start_transaction().await.unwrap();
    things.update_one(doc! { "_id": 1 }, doc! { "$set": { "n": 10 } }).session(&mut left).await.unwrap();
    let touch = Touch(things.clone());
    assert!(matches!(mongo.transaction(&touch).await, Err(StoreError::Unavailable(_))));
    let given_up = async {
        tokio::time::sleep(Duration::from_millis(800)).await;
        left.abort_transaction().await.unwrap();
    };
    join(given_up, async { mongo.clone().patient().transaction(&touch).await.unwrap() }).await;
    assert_eq!(things.find_one(doc! {}).await.unwrap(), Some(doc! { "_id": 1, "n": 1 }));
}
