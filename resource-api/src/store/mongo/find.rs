//! A page, and how many match.

use bson::raw::RawDocumentBuf;
use bson::{Bson, Document, doc};
use futures_util::future::try_join;
use mongodb::error::Error;
use shared::store::StoreError;
use shared::store::mongo::refused;

use super::MongoDocuments;
use super::beyond::beyond;
use crate::query::{Direction, Find, Sort, compare, place, total_order};
use crate::store::{Found, MOST_BYTES, SCAN_BYTES};

/// Longer pages come in several parts.
const PART: u32 = 1000;

impl MongoDocuments {
    /// Side by side. What is counted may be newer or older than the page, unless the page shows it.
    pub(super) async fn page_and_total(&self, source: &str, find: &Find) -> Result<Found, StoreError> {
        if !find.count {
            return Ok(Found { items: self.page(source, find, MOST_BYTES).await?, total: None });
        }
        let collection = self.collection(source);
        let count = collection.count_documents(find.filter.to_document()).max_time(self.time_limit);
        let count = self.queries.limited(async { count.await.map_err(failure) });
        let (items, counted) = try_join(self.page(source, find, MOST_BYTES), count).await?;
        let is_last = find.limit.is_none_or(|limit| (items.len() as u64) < limit);
        let is_shown = find.after.is_none() && is_last && (find.skip == 0 || !items.is_empty());
        let total = if is_shown { find.skip + items.len() as u64 } else { counted };
        Ok(Found { items, total: Some(total) })
    }

    /// The documents of a page; more than `most` bytes of them are [`StoreError::Deadline`].
    pub(super) async fn page(&self, source: &str, find: &Find, most: usize) -> Result<Vec<RawDocumentBuf>, StoreError> {
        if find.limit == Some(0) {
            return Ok(Vec::new());
        }
        let order = total_order(&find.sort);
        let Some(after) = &find.after else {
            return self
                .queries
                .limited(self.read(source, find, find.filter.to_document(), &order, find.limit, most))
                .await;
        };
        let mut filter = find.filter.to_document();
        if let Some(beyond) = beyond(&order, after) {
            filter = if filter.is_empty() {
                beyond
            } else {
                doc! { "$and": [filter, beyond] }
            };
        }
        let first = self.read(source, find, filter.clone(), &order, find.limit, most);
        let mut items = self.queries.limited(first).await?;
        let whole = find.limit.is_none_or(|limit| (items.len() as u64) < limit);
        let found = items.len();
        items.retain(|item| is_behind(&order, item, after));
        if items.len() < found && !whole {
            // The query let others through: arrays, or values of many types.
            items = self.queries.limited(self.read(source, find, filter, &order, None, most)).await?;
            items.retain(|item| is_behind(&order, item, after));
            items.truncate(find.limit.map_or(usize::MAX, |limit| limit as usize));
        }
        Ok(items)
    }

    /// The next documents by their ids, a few megabytes at most.
    pub(super) async fn piece(
        &self,
        source: &str,
        after: Option<&Bson>,
        limit: usize,
    ) -> Result<Vec<RawDocumentBuf>, StoreError> {
        let order = total_order(&vec![("_id".to_owned(), Direction::Ascending)]);
        let after = after.map(std::slice::from_ref);
        let behind = after.and_then(|after| beyond(&order, after)).unwrap_or_default();
        let part = u32::try_from(limit).unwrap_or(PART).clamp(1, PART);
        let collection = self.collection(source);
        let find = collection.find(behind).sort(sort(&order)).batch_size(part);
        let mut cursor = find.max_time(self.time_limit).await?;
        let (mut items, mut bytes) = (Vec::new(), 0);
        while items.len() < limit && bytes < SCAN_BYTES && cursor.advance().await? {
            let item = cursor.current().to_owned();
            if after.is_none_or(|after| is_behind(&order, &item, after)) {
                bytes += item.as_bytes().len();
                items.push(item);
            }
        }
        Ok(items)
    }

    async fn read(
        &self,
        source: &str,
        find: &Find,
        filter: Document,
        order: &Sort,
        limit: Option<u64>,
        most: usize,
    ) -> Result<Vec<RawDocumentBuf>, StoreError> {
        let skip = if find.after.is_some() { 0 } else { find.skip };
        let limit = i64::try_from(limit.unwrap_or_default()).unwrap_or(i64::MAX);
        let part = u32::try_from(limit).ok().filter(|limit| (1..PART).contains(limit)).unwrap_or(PART);
        let mut cursor = self
            .collection(source)
            .find(filter)
            .sort(sort(order))
            .skip(skip)
            .limit(limit)
            .batch_size(part)
            .max_time(self.time_limit)
            .await
            .map_err(failure)?;
        let (mut items, mut bytes) = (Vec::new(), 0);
        while cursor.advance().await.map_err(failure)? {
            let item = cursor.current();
            bytes += item.as_bytes().len();
            if bytes > most {
                return Err(StoreError::Deadline);
            }
            items.push(item.to_owned());
        }
        Ok(items)
    }
}

/// A query may be what is wrong (FILT-10).
pub(super) fn failure(error: Error) -> StoreError {
    refused(&error).unwrap_or_else(|| error.into())
}

fn sort(order: &Sort) -> Document {
    order
        .iter()
        .map(|(path, direction)| {
            let direction = match direction {
                Direction::Ascending => 1,
                Direction::Descending => -1,
            };
            (path.clone(), Bson::Int32(direction))
        })
        .collect()
}

fn is_behind(order: &Sort, item: &RawDocumentBuf, after: &[Bson]) -> bool {
    let Some(own) = place(order, item) else { return true };
    for (((_, direction), own), after) in order.iter().zip(&own).zip(after) {
        let found = compare(own, after);
        if found.is_ne() {
            return found.is_gt() == (*direction == Direction::Ascending);
        }
    }
    false
}
