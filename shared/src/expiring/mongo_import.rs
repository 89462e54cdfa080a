//! Entries of another store in the place of those with their keys, as one transaction.

use async_trait::async_trait;
use bson::{Binary, doc};
use mongodb::error::Error;
use mongodb::{ClientSession, Collection};

use super::mongo::Stored;
use crate::store::mongo::{End, Work};

pub(super) struct Import<'a> {
    into: &'a Collection<Stored>,
    entries: Vec<Stored>,
}

impl<'a> Import<'a> {
    pub fn new(into: &'a Collection<Stored>, entries: impl Iterator<Item = Stored>) -> Self {
        Self { into, entries: entries.collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[async_trait]
impl Work for Import<'_> {
    type Answer = ();

    async fn run(&self, session: &mut ClientSession) -> Result<End<()>, Error> {
        let keys: Vec<&Binary> = self.entries.iter().map(|entry| &entry.key).collect();
        self.into.delete_many(doc! { "_id": { "$in": keys } }).session(&mut *session).await?;
        self.into.insert_many(&self.entries).session(session).await?;
        Ok(End::Commit(()))
    }
}
