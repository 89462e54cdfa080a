//! What ends is told to those who remember answers about tokens (D-036, D-039, decisions 7).
//!
//! Whatever ends a grant, or a single token of one, notes its handle in the durable store by the same batch: the note is there if
//! and only if the ending is. The servers look for such notes and tell them (`feed`), over HTTP (`stream`) and in Redis
//! (`channel`). So nobody who ends something has to reach anybody, be it another server or a command, and no ending gets lost.
//!
//! A new way to end grants: make its batch by [`note`].

pub mod channel;
pub mod feed;
pub mod stream;

use std::time::Duration;

use shared::clock;
use shared::expiring::{Key, Op, Owner};
use shared::random::random_bytes;
use shared::revocation_feed::Handle;

use crate::grant::{family, given_by};

/// How far back a look goes. So far may clocks differ, and so long may a write be on its way.
const BACK: Duration = Duration::from_secs(30);
/// How long a note is kept: longer than any look goes back.
const KEPT: Duration = Duration::from_secs(90);

/// The same batch, with the note of what it ends: the grants that it deletes by their keys or by owners, and of `families` a token.
pub fn note(mut ops: Vec<Op>, families: &[Key]) -> Vec<Op> {
    let deleted = ops.iter().filter_map(|op| match op {
        Op::Delete { key } => Some(family(key)),
        Op::DeleteOwned { owner } => given_by(owner),
        _ => None,
    });
    let ended: Vec<Handle> = deleted.chain(families.iter().map(family)).collect();
    if !ended.is_empty() {
        let value = serde_json::to_vec(&ended).expect("text can be written as JSON");
        ops.push(Op::Insert { key: key_at(clock::now(), random_bytes()), value, ttl: KEPT, owners: vec![noted()] });
    }
    ops
}

/// Under which all notes are found.
fn noted() -> Owner {
    Owner::new("noted", "endings")
}

/// Notes are listed by their time.
fn key_at(second: i64, random: [u8; 24]) -> Key {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&second.max(0).to_be_bytes());
    key[8..].copy_from_slice(&random);
    Key(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::grant::pair_owner;

    fn told(ops: Vec<Op>) -> Option<Vec<Handle>> {
        match note(ops, &[]).pop() {
            Some(Op::Insert { value, .. }) => Some(serde_json::from_slice(&value).unwrap()),
            _ => None,
        }
    }

    /// D-039: by family, by person, by client; sessions are nobody's grants.
    #[test]
    fn a_batch_notes_the_grants_that_it_ends() {
        let grant = Key::new("grant", "a");
        let owned = |owner| Op::DeleteOwned { owner };
        let ops = vec![
            Op::Delete { key: grant },
            owned(Owner::new("user", "u_1")),
            owned(Owner::new("client", "c_1")),
            owned(pair_owner("u_2", "c_2")),
            owned(Owner::new("sessions", "u_3")),
        ];
        let expected = vec![family(&grant), Handle::of_user("u_1"), Handle::of_client("c_1"), Handle::of_user("u_2")];
        assert_eq!(told(ops), Some(expected));
        assert_eq!(told(vec![owned(Owner::new("sessions", "u_3"))]), None);
        assert!(key_at(1, [255; 24]) < key_at(2, [0; 24]));
    }
}
