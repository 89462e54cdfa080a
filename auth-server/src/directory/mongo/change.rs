//! A change of the directory with the events that tell of it: one write where it is one, otherwise a transaction.

use async_trait::async_trait;
use bson::{Document, doc};
use mongodb::action::Action as _;
use mongodb::error::Error;
use mongodb::{ClientSession, Collection};
use shared::store::StoreError;
use shared::store::mongo::{End, Work};

use super::{MongoDirectory, audit};
use crate::audit::Event;

/// A change of one entity, and what goes with it.
pub(super) enum Change {
    Insert {
        into: Collection<Document>,
        document: Document,
    },
    Set {
        of: Collection<Document>,
        filter: Document,
        update: Document,
    },
    Put {
        into: Collection<Document>,
        document: Document,
    },
    Delete {
        from: Collection<Document>,
        id: String,
    },
    /// With the consents that have this in the field.
    DeleteWithConsents {
        from: Collection<Document>,
        id: String,
        consents: Collection<Document>,
        field: &'static str,
    },
    /// Only for a user and a client that are there.
    PutConsent {
        document: Document,
        consents: Collection<Document>,
        users: Collection<Document>,
        clients: Collection<Document>,
    },
}

/// A change and its events in one commit: neither is there without the other (F-065).
struct Recorded<'a> {
    change: &'a Change,
    audit: &'a Collection<Document>,
    events: Vec<Document>,
}

impl MongoDirectory {
    /// Makes the change, with its events, and says how many documents it touched.
    pub(super) async fn change(&self, change: Change, events: &[Event]) -> Result<u64, StoreError> {
        if events.is_empty() && !change.is_several() {
            return self.mongo.call(change.make(None)).await;
        }
        let recorded = Recorded { change: &change, audit: &self.audit, events: audit::entries(events)? };
        self.mongo.transaction(&recorded).await
    }
}

impl Change {
    /// Whether it writes more than one document.
    fn is_several(&self) -> bool {
        matches!(self, Change::DeleteWithConsents { .. } | Change::PutConsent { .. })
    }

    async fn make(&self, mut session: Option<&mut ClientSession>) -> Result<u64, Error> {
        Ok(match self {
            Change::Insert { into, document } => {
                into.insert_one(document).optional(session, |write, session| write.session(session)).await.map(|_| 1)?
            }
            Change::Set { of, filter, update } => {
                of.update_one(filter.clone(), update.clone())
                    .optional(session, |write, session| write.session(session))
                    .await?
                    .matched_count
            }
            Change::Put { into, document } => {
                let id = doc! { "_id": document.get("_id").cloned() };
                into.replace_one(id, document)
                    .upsert(true)
                    .optional(session, |write, session| write.session(session))
                    .await
                    .map(|_| 1)?
            }
            Change::Delete { from, id } => {
                from.delete_one(doc! { "_id": id })
                    .optional(session, |write, session| write.session(session))
                    .await?
                    .deleted_count
            }
            Change::DeleteWithConsents { from, id, consents, field } => {
                let gone = from
                    .delete_one(doc! { "_id": id })
                    .optional(session.as_deref_mut(), |write, session| write.session(session))
                    .await?
                    .deleted_count;
                if gone > 0 {
                    consents
                        .delete_many(doc! { *field: id })
                        .optional(session, |write, session| write.session(session))
                        .await?;
                }
                gone
            }
            Change::PutConsent { document, consents, users, clients } => {
                for (parties, field) in [(users, "user"), (clients, "client")] {
                    // A write, so that the party can't be deleted meanwhile.
                    let party = doc! { "_id": document.get(field).cloned() };
                    let lock = parties.update_one(party, doc! { "$inc": { "consents": 1 } });
                    if lock
                        .optional(session.as_deref_mut(), |write, session| write.session(session))
                        .await?
                        .matched_count
                        == 0
                    {
                        return Ok(0);
                    }
                }
                let id = doc! { "_id": document.get("_id").cloned() };
                consents
                    .replace_one(id, document)
                    .upsert(true)
                    .optional(session, |write, session| write.session(session))
                    .await
                    .map(|_| 1)?
            }
        })
    }
}

#[async_trait]
impl Work for Recorded<'_> {
    type Answer = u64;

    async fn run(&self, session: &mut ClientSession) -> Result<End<u64>, Error> {
        let changed = self.change.make(Some(&mut *session)).await?;
        if changed == 0 {
            return Ok(End::Abort(0));
        }
        if !self.events.is_empty() {
            self.audit.insert_many(&self.events).session(session).await?;
        }
        Ok(End::Commit(changed))
    }
}
