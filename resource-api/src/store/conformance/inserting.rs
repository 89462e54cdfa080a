//! Cases of `insert_each`.

use std::sync::{Arc, Mutex};

use bson::{Bson, Document, doc};

use super::*;
use crate::store::{Candidate, Each, LeftOut};

fn candidate(document: Document, vacancies: impl Into<Vec<Write>>) -> Candidate {
    Candidate { document, vacancies: vacancies.into() }
}

fn list_is_vacant(list: &[i32]) -> Write {
    let (source, path) = ("things".to_owned(), "list".to_owned());
    Write::Vacant { source, path, value: Bson::from(list.to_vec()), filter: Filter::All }
}

/// What was left out: place, field, vacancy.
fn told(each: Each) -> Vec<(usize, String, Option<usize>)> {
    let Each::Done(mut left_out) = each else { panic!("{each:?}") };
    left_out.sort_by_key(|left| left.index);
    left_out.into_iter().map(|left| (left.index, left.field, left.vacancy)).collect()
}

/// Ids, unique rules and vacancies: what is stored already counts, and what came before in the same call.
pub(in crate::store) async fn of_documents_inserted_each_by_itself_what_is_taken_is_left_out(store: &Store) {
    prepare(store, vec![unique("n"), index("list")]).await;
    stored(store, [doc! { "_id": 1, "n": 1, "list": [1] }]).await;
    let free =
        Write::Vacant { source: "things".to_owned(), path: "kind".to_owned(), value: "x".into(), filter: Filter::All };
    let candidates = vec![
        candidate(doc! { "_id": 1, "n": 2 }, []),
        candidate(doc! { "_id": 2, "n": 1 }, []),
        candidate(doc! { "_id": 3, "list": [1] }, [list_is_vacant(&[1])]),
        candidate(doc! { "_id": 4, "list": [2], "n": 4 }, [list_is_vacant(&[2])]),
        candidate(doc! { "_id": 5, "list": [2], "n": 5 }, [free, list_is_vacant(&[2])]),
        candidate(doc! { "_id": 6, "n": 4 }, []),
        // What was left out takes nothing.
        candidate(doc! { "_id": 7, "n": 5 }, []),
    ];
    let seen = Arc::new(Mutex::new(Vec::new()));
    let also = {
        let seen = Arc::clone(&seen);
        Box::new(move |left: &[LeftOut]| {
            *seen.lock().unwrap() = left.iter().map(|left| left.index).collect::<Vec<_>>();
            vec![insert(doc! { "_id": "record", "left": left.len() as i32 })]
        })
    };
    let field = |field: &str| field.to_owned();
    assert_eq!(
        told(store.insert_each("things", candidates, also).await.unwrap()),
        [
            (0, field("_id"), None),
            (1, field("n"), None),
            (2, field("list"), Some(0)),
            (4, field("list"), Some(1)),
            (5, field("n"), None),
        ]
    );
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 4, 5]);
    assert_eq!(get(store, "record").await.unwrap(), doc! { "_id": "record", "left": 5 });
    assert_eq!(get(store, 4).await.unwrap(), doc! { "_id": 4, "list": [2], "n": 4 });
    assert_eq!(get(store, 7).await.unwrap(), doc! { "_id": 7, "n": 5 });
    assert_eq!(store.find("things", &all()).await.unwrap().total, Some(4));
}

/// What an import notes of itself is with the documents or neither is.
pub(in crate::store) async fn a_refused_further_write_undoes_documents_inserted_each_by_itself(store: &Store) {
    prepare(store, vec![index("n")]).await;
    let taken = insert(doc! { "_id": 1 });
    let also = Box::new(move |_: &[LeftOut]| vec![taken.clone()]);
    let candidates = vec![candidate(doc! { "_id": 1, "n": 1 }, []), candidate(doc! { "_id": 2, "n": 1 }, [])];
    let each = store.insert_each("things", candidates, also).await.unwrap();
    assert!(matches!(each, Each::Refused(Outcome::Conflict { .. })), "{each:?}");
    assert_eq!(matching(store, Filter::equal("n", 1)).await, NONE);
}
