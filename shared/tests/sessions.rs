//! Sessions as browsers and their attackers use them.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use actix_web::cookie::Cookie;
use actix_web::test::TestRequest;
use shared::expiring::{Applied, ExpiringStore, Op, Owner, SqliteExpiring};
use shared::form::Parameters;
use shared::session::{Forged, Saved, Sessions};
use shared::store::Sqlite;
use shared::store::servers::{Life, in_time};

const HOUR: Duration = Duration::from_secs(3600);

struct Kept {
    sessions: Sessions<String>,
    store: Arc<dyn ExpiringStore>,
    _folder: tempfile::TempDir,
}

fn sessions(idle: Duration, absolute: Duration) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let file = Sqlite::open(folder.path().join("s.db")).unwrap();
    let store: Arc<dyn ExpiringStore> = Arc::new(SqliteExpiring::new(file).unwrap());
    Kept { sessions: Sessions::new(store.clone(), "session", "sid", true, idle, absolute), store, _folder: folder }
}

/// E-031, E-033, F-050.
#[actix_rt::test]
async fn a_session_is_found_by_its_cookie_alone_and_never_adopted_from_the_browser() {
    let kept = sessions(HOUR, HOUR);
    let (session, cookie) = kept.sessions.create("alice".to_owned(), vec![]).await.unwrap();
    let text = cookie.to_string();
    for part in ["__Host-sid=", "HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(!text.contains("Domain"));
    let request = TestRequest::default().cookie(cookie).to_http_request();
    let found = kept.sessions.load(&request).await.unwrap().unwrap();
    assert_eq!((found.data.as_str(), found.csrf()), ("alice", session.csrf()));
    let foreign = TestRequest::default().cookie(Cookie::new("__Host-sid", "ses_chosen")).to_http_request();
    assert!(kept.sessions.load(&foreign).await.unwrap().is_none());
}

/// F-051, E-061: the old id is dead at once, and an ended session is not brought back by work in flight.
#[actix_rt::test]
async fn a_rotated_or_ended_session_stays_dead() {
    let kept = sessions(HOUR, HOUR);
    let (old, _) = kept.sessions.create("anonymous".to_owned(), vec![]).await.unwrap();
    let (mut new, _) = kept.sessions.rotate(&old, "alice".to_owned(), vec![]).await.unwrap().unwrap();
    assert!(kept.sessions.get(old.id()).await.unwrap().is_none());
    assert!(kept.sessions.rotate(&old, "eve".to_owned(), vec![]).await.unwrap().is_none());
    kept.sessions.end(&new).await.unwrap();
    new.data = "resurrected".to_owned();
    assert_eq!(kept.sessions.save(&mut new).await.unwrap(), Saved::Gone);
    assert!(kept.sessions.get(new.id()).await.unwrap().is_none());
}

#[actix_rt::test]
async fn of_two_savers_the_later_is_told_that_the_session_changed() {
    let kept = sessions(HOUR, HOUR);
    let (mut one, _) = kept.sessions.create("0".to_owned(), vec![]).await.unwrap();
    let mut two = kept.sessions.get(one.id()).await.unwrap().unwrap();
    one.data = "1".to_owned();
    two.data = "2".to_owned();
    assert_eq!(kept.sessions.save(&mut one).await.unwrap(), Saved::Done);
    assert_eq!(kept.sessions.save(&mut two).await.unwrap(), Saved::Changed);
    assert_eq!(kept.sessions.save(&mut one).await.unwrap(), Saved::Done);
    assert_eq!(kept.sessions.get(one.id()).await.unwrap().unwrap().data, "1");
}

/// E-034, F-052.
#[actix_rt::test]
async fn a_session_ends_after_its_idle_time_and_at_its_absolute_end() {
    in_time(Duration::from_millis(300), async |idle| {
        let brief = sessions(idle, HOUR);
        let mut life = Life::of(idle);
        let (session, _) = brief.sessions.create("x".to_owned(), vec![]).await.unwrap();
        for _ in 0..4 {
            actix_rt::time::sleep(idle * 2 / 5).await;
            let renewed = Life::of(idle);
            let found = brief.sessions.get(session.id()).await.unwrap();
            if !life.lasts() {
                return None;
            }
            assert!(found.is_some(), "use renews it");
            life = renewed;
        }
        life.ends(idle / 3).await;
        assert!(brief.sessions.get(session.id()).await.unwrap().is_none());
        Some(())
    })
    .await;

    let capped = sessions(HOUR, Duration::from_secs(1));
    let (session, _) = capped.sessions.create("x".to_owned(), vec![]).await.unwrap();
    actix_rt::time::sleep(Duration::from_millis(1_100)).await;
    assert!(capped.sessions.get(session.id()).await.unwrap().is_none());

    in_time(Duration::from_secs(2), async |absolute| {
        let used = sessions(absolute / 2, absolute);
        // Its age is told in whole seconds.
        let sure = Life::of(absolute.saturating_sub(Duration::from_secs(1)));
        let (session, _) = used.sessions.create("x".to_owned(), vec![]).await.unwrap();
        for use_number in 1..=11 {
            actix_rt::time::sleep(absolute / 10).await;
            let found = used.sessions.get(session.id()).await.unwrap();
            match use_number {
                ..=4 if !sure.lasts() => return None,
                ..=4 => assert!(found.is_some(), "use {use_number}"),
                11 => assert!(found.is_none(), "use renews it up to its absolute end"),
                _ => {}
            }
        }
        Some(())
    })
    .await;
}

/// F-053: sessions are found again by their owner.
#[actix_rt::test]
async fn all_sessions_of_an_owner_end_at_once() {
    let kept = sessions(HOUR, HOUR);
    let owner = Owner::new("user", "u_1");
    let (mine, _) = kept.sessions.create("x".to_owned(), vec![owner.clone()]).await.unwrap();
    let (other, _) = kept.sessions.create("y".to_owned(), vec![]).await.unwrap();
    assert_eq!(kept.store.list(&owner, None, 9).await.unwrap().len(), 1);
    let applied = kept.store.apply(vec![Op::DeleteOwned { owner }]).await.unwrap();
    assert_eq!(applied, shared::expiring::Applied::Done);
    assert!(kept.sessions.get(mine.id()).await.unwrap().is_none());
    assert!(kept.sessions.get(other.id()).await.unwrap().is_some());
}

/// E-035.
#[actix_rt::test]
async fn a_form_needs_the_sessions_token_and_the_same_site() {
    let kept = sessions(HOUR, HOUR);
    let (session, _) = kept.sessions.create("x".to_owned(), vec![]).await.unwrap();
    let form = |token: &str| Parameters::parse(format!("csrf={token}").as_bytes()).unwrap();
    let from = |site: Option<&'static str>| {
        let request = TestRequest::default();
        site.map_or(TestRequest::default(), |site| request.insert_header(("sec-fetch-site", site))).to_http_request()
    };
    assert_eq!(session.check_form(&from(None), &form(session.csrf())), Ok(()));
    assert_eq!(session.check_form(&from(Some("same-origin")), &form(session.csrf())), Ok(()));
    for site in ["cross-site", "same-site", "none"] {
        assert_eq!(session.check_form(&from(Some(site)), &form(session.csrf())), Err(Forged::CrossSite), "{site}");
    }
    for token in ["", "wrong"] {
        assert_eq!(session.check_form(&from(None), &form(token)), Err(Forged::Token), "{token}");
    }
}

/// neither the cookie's value nor the form's token's session id is in the file.
#[actix_rt::test]
async fn the_store_holds_no_session_id() {
    let kept = sessions(HOUR, HOUR);
    let (session, _) = kept.sessions.create("x".to_owned(), vec![]).await.unwrap();
    for file in std::fs::read_dir(kept._folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(session.id().len()).any(|window| window == session.id().as_bytes()));
    }
}

/// F-053: an owner's sessions are found and ended from elsewhere, without their ids.
#[actix_rt::test]
async fn sessions_are_listed_and_ended_without_their_ids() {
    let kept = sessions(HOUR, HOUR);
    let owner = Owner::new("sessions", "alice");
    let (first, _) = kept.sessions.create("first".to_owned(), vec![owner.clone()]).await.unwrap();
    let (second, _) = kept.sessions.create("second".to_owned(), vec![owner.clone()]).await.unwrap();
    kept.sessions.create("of bob".to_owned(), vec![Owner::new("sessions", "bob")]).await.unwrap();
    let listed = kept.sessions.list(&owner, None, 10).await.unwrap();
    let mut names: Vec<&str> = listed.iter().map(|session| session.data.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["first", "second"]);
    assert!(listed.iter().all(|session| session.seen_at >= session.created_at && session.created_at > 0));
    let one = kept.sessions.list(&owner, None, 1).await.unwrap();
    let other = kept.sessions.list(&owner, Some(&one[0].key), 10).await.unwrap();
    assert!(other.len() == 1 && other[0].key != one[0].key);
    let key = kept.sessions.key(&first);
    assert_eq!(kept.sessions.find_listed(key).await.unwrap().unwrap().data, "first");
    assert_eq!(kept.store.apply(vec![kept.sessions.end_listed_op(key)]).await.unwrap(), Applied::Done);
    assert!(kept.sessions.find_listed(key).await.unwrap().is_none());
    assert!(kept.sessions.get(first.id()).await.unwrap().is_none());
    assert!(kept.sessions.get(second.id()).await.unwrap().is_some());
}
