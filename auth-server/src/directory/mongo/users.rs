//! Accounts, their roles, and that the console never loses its last admin (H-008): whoever may take an admin away writes one
//! document that all such transactions write, so that they come one after the other.

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::error::Error;
use mongodb::{ClientSession, Collection};
use shared::store::StoreError;
use shared::store::mongo::{End, Work};

use super::super::{Deleted, Page, Replaced, UserStore};
use super::{MongoDirectory, as_read, audit, conflict, written};
use crate::audit::Event;
use crate::user::User;

/// What is done to one account, with its events.
struct Change<'a> {
    users: &'a Collection<Document>,
    locks: &'a Collection<Document>,
    audit: &'a Collection<Document>,
    step: Step<'a>,
    events: Vec<Document>,
}

enum Step<'a> {
    Insert(Document),
    InsertFirstAdmin(Document),
    Replace { filter: Document, update: Document, is_acting_admin: bool },
    Delete { id: &'a str, consents: &'a Collection<Document> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changed {
    Done,
    Nothing,
    /// There would be no acting admin, or there is one already.
    Admin,
}

impl Change<'_> {
    async fn make(&self, session: &mut ClientSession) -> Result<Changed, Error> {
        let lost = match &self.step {
            Step::Insert(user) => {
                self.users.insert_one(user).session(session).await?;
                return Ok(Changed::Done);
            }
            Step::InsertFirstAdmin(user) => {
                self.lock_admins(session).await?;
                if self.has_acting_admin(session).await? {
                    return Ok(Changed::Admin);
                }
                self.users.insert_one(user).session(session).await?;
                return Ok(Changed::Done);
            }
            Step::Replace { filter, update, is_acting_admin } => {
                let before =
                    self.users.find_one_and_update(filter.clone(), update.clone()).session(&mut *session).await?;
                let Some(before) = before else { return Ok(Changed::Nothing) };
                is_admin(&before) && !is_acting_admin
            }
            Step::Delete { id, consents } => {
                let gone = self.users.find_one_and_delete(doc! { "_id": id }).session(&mut *session).await?;
                let Some(gone) = gone else { return Ok(Changed::Nothing) };
                consents.delete_many(doc! { "user": id }).session(&mut *session).await?;
                is_admin(&gone)
            }
        };
        if lost {
            self.lock_admins(session).await?;
            if !self.has_acting_admin(session).await? {
                return Ok(Changed::Admin);
            }
        }
        Ok(Changed::Done)
    }

    async fn lock_admins(&self, session: &mut ClientSession) -> Result<(), Error> {
        let lock = self.locks.update_one(doc! { "_id": "admins" }, doc! { "$inc": { "taken": 1_i64 } });
        lock.session(session).await.map(drop)
    }

    async fn has_acting_admin(&self, session: &mut ClientSession) -> Result<bool, Error> {
        Ok(self.users.find_one(doc! { "is_acting_admin": true }).session(session).await?.is_some())
    }
}

#[async_trait]
impl Work for Change<'_> {
    type Answer = Changed;

    async fn run(&self, session: &mut ClientSession) -> Result<End<Changed>, Error> {
        let changed = self.make(session).await?;
        if changed != Changed::Done {
            return Ok(End::Abort(changed));
        }
        if !self.events.is_empty() {
            self.audit.insert_many(&self.events).session(session).await?;
        }
        Ok(End::Commit(Changed::Done))
    }
}

impl MongoDirectory {
    /// Makes the document that serializes the losses of admins.
    pub(super) async fn prepare_users(&self) -> Result<(), StoreError> {
        let lock = self.locks.update_one(doc! { "_id": "admins" }, doc! { "$setOnInsert": { "taken": 0_i64 } });
        self.mongo.call(lock.upsert(true)).await.map(drop)
    }

    async fn change_user(&self, step: Step<'_>, events: &[Event]) -> Result<Changed, StoreError> {
        let events = audit::entries(events)?;
        let change = Change { users: &self.users, locks: &self.locks, audit: &self.audit, step, events };
        self.mongo.transaction(&change).await.map_err(conflict)
    }
}

#[async_trait]
impl UserStore for MongoDirectory {
    async fn insert(&self, user: &User, events: &[Event]) -> Result<(), StoreError> {
        let document = document(user)?;
        if events.is_empty() {
            return self.mongo.call(self.users.insert_one(document)).await.map(drop).map_err(conflict);
        }
        self.change_user(Step::Insert(document), events).await.map(drop)
    }

    async fn insert_first_admin(&self, user: &User, events: &[Event]) -> Result<bool, StoreError> {
        Ok(self.change_user(Step::InsertFirstAdmin(document(user)?), events).await? == Changed::Done)
    }

    async fn find(&self, id: &str) -> Result<Option<User>, StoreError> {
        Ok(self.one(&self.users, doc! { "_id": id }).await?.map(user_with))
    }

    async fn find_by_username(&self, username: &str) -> Result<Option<User>, StoreError> {
        Ok(self.one(&self.users, doc! { "username": username }).await?.map(user_with))
    }

    async fn list(&self, page: &Page, role: Option<&str>) -> Result<Vec<User>, StoreError> {
        let wanted = role.map_or_else(Document::new, |role| doc! { "roles": role });
        Ok(self.listing(&self.users, "username", page, wanted).await?.into_iter().map(user_with).collect())
    }

    async fn roles(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let stages = [
            doc! { "$unwind": "$roles" },
            doc! { "$group": { "_id": "$roles", "holders": { "$sum": 1 } } },
            doc! { "$sort": { "_id": 1 } },
        ];
        let query = self.users.aggregate(stages).max_time(self.mongo.limit());
        let found: Vec<Document> = self.mongo.call(async { query.await?.try_collect().await }).await?;
        let held = |role: Document| {
            // A sum has the type that holds it.
            let holders = match role.get("holders")? {
                Bson::Int32(holders) => i64::from(*holders),
                Bson::Int64(holders) => *holders,
                _ => return None,
            };
            Some((role.get_str("_id").ok()?.to_owned(), u64::try_from(holders).ok()?))
        };
        Ok(found.into_iter().filter_map(held).collect())
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.mongo.call(self.users.count_documents(Document::new()).max_time(self.mongo.limit())).await
    }

    async fn replace(&self, user: &User, events: &[Event]) -> Result<Replaced, StoreError> {
        let mut fields = document(user)?;
        fields.remove("_id");
        fields.remove("version");
        let update = doc! { "$set": fields, "$inc": { "version": 1_i64 } };
        let filter = as_read(&user.id, user.version);
        if events.is_empty() {
            let mut harmless = filter.clone();
            if !user.is_acting_admin() {
                harmless.insert("is_acting_admin", false);
            }
            if self.mongo.call(self.users.update_one(harmless, update.clone())).await.map_err(conflict)?.matched_count
                == 1
            {
                return Ok(Replaced::Done);
            }
        }
        let step = Step::Replace { filter, update, is_acting_admin: user.is_acting_admin() };
        Ok(match self.change_user(step, events).await? {
            Changed::Done => Replaced::Done,
            Changed::Nothing => Replaced::Changed,
            Changed::Admin => Replaced::LastAdmin,
        })
    }

    async fn delete(&self, id: &str, events: &[Event]) -> Result<Deleted, StoreError> {
        Ok(match self.change_user(Step::Delete { id, consents: &self.consents }, events).await? {
            Changed::Done => Deleted::Done,
            Changed::Nothing => Deleted::Missing,
            Changed::Admin => Deleted::LastAdmin,
        })
    }
}

pub(super) fn document(user: &User) -> Result<Document, StoreError> {
    let mut roles = user.roles.clone();
    roles.sort_unstable();
    roles.dedup();
    Ok(doc! {
        "_id": &user.id,
        "username": &user.username,
        "roles": roles,
        "is_acting_admin": user.is_acting_admin(),
        "body": written(user)?,
        "version": 1_i64,
    })
}

fn is_admin(user: &Document) -> bool {
    user.get_bool("is_acting_admin").unwrap_or_default()
}

fn user_with((mut user, version): (User, u64)) -> User {
    user.version = version;
    user
}
