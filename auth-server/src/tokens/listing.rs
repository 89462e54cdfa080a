//! Grants as people and admins see them: who allowed what to whom, and since when; never a token. Each can be ended, and all of
//! a person or a client (F-053, F-054, H-009).

use shared::clock;
use shared::expiring::{BadKey, Entry, Key, Op, Owner};
use shared::store::StoreError;

use super::Tokens;
use crate::grant::{Grant, pair_owner};
use crate::revocations::note;
use crate::state;

/// Entries read at a time where all are wanted.
const PAGE: usize = 500;

/// Names a grant in pages and commands. It opens nothing: it is the hash the grant is stored under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantId(Key);

/// The steps that revoke grants, for a batch with others.
pub fn revoke_ops<'g>(grants: impl IntoIterator<Item = &'g ListedGrant>) -> Vec<Op> {
    note(grants.into_iter().map(|listed| Op::Delete { key: listed.id.0 }).collect(), &[])
}

impl std::fmt::Display for GrantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for GrantId {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Whose grants.
#[derive(Debug, Clone, Copy)]
pub enum GrantsOf<'a> {
    /// Given by this user: his id.
    User(&'a str),
    /// Given to this client, by users or by itself: its id.
    Client(&'a str),
}

impl GrantsOf<'_> {
    fn owner(self) -> Owner {
        match self {
            GrantsOf::User(id) => Owner::new("user", id),
            GrantsOf::Client(id) => Owner::new("client", id),
        }
    }
}

/// One grant that is alive.
#[derive(Debug, Clone)]
pub struct ListedGrant {
    pub id: GrantId,
    pub grant: Grant,
    /// When its last token ends, unless it is renewed; epoch seconds.
    pub expires_at: i64,
}

impl ListedGrant {
    /// When it was last used: epoch seconds.
    pub fn used_at(&self) -> i64 {
        self.grant.used_at.unwrap_or(self.grant.created_at)
    }

    /// Whether it has given tokens: otherwise its code waits to be redeemed.
    pub fn has_tokens(&self) -> bool {
        self.grant.used_at.is_some()
    }
}

impl Tokens {
    /// One page of the grants of a user or client, in an order that stays but means nothing. `after` is the last one of the
    /// page before, whether or not it is still there.
    pub async fn list(
        &self,
        of: GrantsOf<'_>,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<ListedGrant>, StoreError> {
        let entries = self.state.durable().list(&of.owner(), after.as_ref().map(|id| &id.0), limit).await?;
        entries.into_iter().map(|entry| self.listed(entry)).collect()
    }

    /// All grants of a user or client, the last used first.
    pub async fn list_all(&self, of: GrantsOf<'_>) -> Result<Vec<ListedGrant>, StoreError> {
        let mut all: Vec<ListedGrant> = Vec::new();
        loop {
            let page = self.list(of, all.last().map(|last| last.id), PAGE).await?;
            let more = page.len() == PAGE;
            all.extend(page);
            if !more {
                break;
            }
        }
        all.sort_by_key(|listed| std::cmp::Reverse(listed.used_at()));
        Ok(all)
    }

    /// The grant with this id, if it is alive.
    pub async fn find_grant(&self, id: GrantId) -> Result<Option<ListedGrant>, StoreError> {
        let kept = self.state.durable().get_many(&[id.0]).await?.pop().flatten();
        kept.map(|kept| self.listed(Entry { key: id.0, kept })).transpose()
    }

    /// Revokes one grant with all its tokens.
    pub async fn revoke_grant(&self, id: GrantId) -> Result<(), StoreError> {
        self.revoke(id.0).await
    }

    /// Revokes all grants of a user or client.
    pub async fn revoke_all(&self, of: GrantsOf<'_>) -> Result<(), StoreError> {
        let ops = note(vec![Op::DeleteOwned { owner: of.owner() }], &[]);
        state::apply_all(&**self.state.durable(), ops).await
    }

    /// Revokes all that a user gave a client: what has tokens, and what waits for its code to be redeemed.
    pub async fn revoke_given(&self, user: &str, client: &str) -> Result<(), StoreError> {
        let mut ops = vec![Op::DeleteOwned { owner: pair_owner(user, client) }];
        let waiting = self.list_all(GrantsOf::User(user)).await?;
        let waiting = waiting.into_iter().filter(|listed| listed.grant.client == client);
        ops.extend(waiting.map(|listed| Op::Delete { key: listed.id.0 }));
        state::apply_all(&**self.state.durable(), note(ops, &[])).await
    }

    fn listed(&self, entry: Entry) -> Result<ListedGrant, StoreError> {
        let held = self.grants.read(entry.kept)?;
        let expires_at = clock::now().saturating_add_unsigned(held.left.as_secs());
        Ok(ListedGrant { id: GrantId(entry.key), grant: held.value, expires_at })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::app::{self, App};
    use crate::client::{Client, GrantType};
    use crate::client_metadata::ClientMetadata;
    use crate::grant::{Code, NewGrant};
    use crate::user::User;

    fn client(name: &str) -> Client {
        let metadata = ClientMetadata {
            client_name: name.to_owned(),
            redirect_uris: vec!["https://shop.example/cb".to_owned()],
            ..ClientMetadata::default()
        };
        metadata.register(0).unwrap().0
    }

    fn given<'a>(client: &'a Client, user: Option<&'a User>) -> NewGrant<'a> {
        NewGrant {
            grant_type: GrantType::AuthorizationCode,
            client,
            user,
            scopes: "read".parse().unwrap(),
            resources: vec!["https://api.example".to_owned()],
            session: None,
            auth_time: None,
            origin: None,
        }
    }

    async fn count(app: &App, of: GrantsOf<'_>) -> usize {
        app.tokens.list_all(of).await.unwrap().len()
    }

    /// H-009: every grant is on exactly one page, with what is known of it and nothing that opens anything.
    #[actix_rt::test]
    async fn grants_are_listed_in_pages_and_revoked_singly_or_all() {
        let (_folder, app) = app::for_test();
        let (alice, bob) = (User::new("alice".to_owned(), 0), User::new("bob".to_owned(), 0));
        let (shop, robot) = (client("Shop"), client("Robot"));
        let mut tokens = Vec::new();
        for _ in 0..5 {
            tokens.push(app.tokens.issue(given(&shop, Some(&alice)), true).await.unwrap());
        }
        app.tokens.issue(given(&shop, Some(&bob)), true).await.unwrap();
        app.tokens.issue(given(&robot, None), false).await.unwrap();
        let of = GrantsOf::User(&alice.id);
        let mut seen = Vec::new();
        loop {
            let page = app.tokens.list(of, seen.last().copied(), 2).await.unwrap();
            if page.is_empty() {
                break;
            }
            seen.extend(page.iter().map(|listed| listed.id));
            let listed = &page[0];
            assert_eq!(
                (listed.grant.client.as_str(), listed.grant.scopes.to_string().as_str()),
                (shop.id.as_str(), "read")
            );
            assert!(listed.expires_at > clock::now() && listed.used_at() <= clock::now());
        }
        assert_eq!(seen.len(), 5);
        assert_eq!(
            (count(&app, GrantsOf::Client(&shop.id)).await, count(&app, GrantsOf::Client(&robot.id)).await),
            (6, 1)
        );
        let id: GrantId = seen[2].to_string().parse().unwrap();
        assert_eq!(app.tokens.find_grant(id).await.unwrap().unwrap().id, id);
        app.tokens.revoke_grant(id).await.unwrap();
        assert!(app.tokens.find_grant(id).await.unwrap().is_none());
        let mut alive = 0;
        for pair in &tokens {
            alive += usize::from(app.tokens.introspect(&pair.access_token).await.unwrap().is_some());
        }
        assert_eq!(alive, 4, "one family is dead");
        app.tokens.revoke_all(GrantsOf::User(&alice.id)).await.unwrap();
        assert_eq!((count(&app, of).await, count(&app, GrantsOf::Client(&shop.id)).await), (0, 1));
        assert!("x".parse::<GrantId>().is_err() && "\u{e4}".parse::<GrantId>().is_err());
    }

    /// F-054: a code that waits to be redeemed dies with the rest, and nobody else's grants do.
    #[actix_rt::test]
    async fn what_a_user_gave_a_client_is_revoked_with_its_waiting_codes() {
        let (_folder, app) = app::for_test();
        let (alice, bob) = (User::new("alice".to_owned(), 0), User::new("bob".to_owned(), 0));
        let (shop, other) = (client("Shop"), client("Other"));
        for (client, user) in [(&shop, &alice), (&shop, &bob), (&other, &alice)] {
            app.tokens.issue(given(client, Some(user)), true).await.unwrap();
        }
        let code = Code { redirect_uri: String::new(), redirect_uri_sent: true, code_challenge: None, nonce: None };
        let mut ops = Vec::new();
        let text = app.tokens.issue_code_ops(given(&shop, Some(&alice)), &code, &mut ops).unwrap();
        state::apply_all(&**app.state.durable(), ops).await.unwrap();
        let given = app.tokens.list_all(GrantsOf::User(&alice.id)).await.unwrap();
        assert_eq!(given.iter().filter(|listed| listed.has_tokens()).count(), 2);
        app.tokens.revoke_given(&alice.id, &shop.id).await.unwrap();
        assert!(app.tokens.find_code(&text).await.unwrap().is_none());
        assert_eq!(
            (count(&app, GrantsOf::Client(&shop.id)).await, count(&app, GrantsOf::User(&alice.id)).await),
            (1, 1)
        );
    }
}
