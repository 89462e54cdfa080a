//! Finding a page: the plan carried out, in one snapshot.

mod sorted;

use std::time::{Duration, Instant};

use bson::raw::{RawDocument, RawDocumentBuf};
use rusqlite::{CachedStatement, Connection};
use shared::store::StoreError;

use super::catalogue::{Source, Tree};
use super::halt::Halt;
use super::plan::{Access, Plan, Range, Segment, plan};
use super::sort::{self, Part, Place, SortedPage, order};
use crate::query::{Filter, Find, Sort};
use crate::store::keys::Malformed;
use crate::store::keys::path::Component;
use crate::store::{Found, MOST_BYTES};

/// Bytes after which a search looks at the time, and what a row counts beside those of its document.
const WATCH_EVERY: usize = 64 << 10;
const PER_ROW: usize = 500;
/// Rows kept of a part of an index: 32 MiB.
const MOST_ROWS: usize = 4 << 20;
/// A document met in a scan costs about half of one looked up by its row.
const SCANNED_FOR_ONE: u64 = 2;

/// What a search may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Documents looked up.
    pub documents: u64,
    /// What SQLite does is interrupted in time, what is done with its rows is not.
    pub until: Instant,
}

impl Allowance {
    /// For what has to be done, however long it takes.
    fn unlimited() -> Self {
        // Some thirty years.
        Self { documents: u64::MAX, until: Instant::now() + Duration::from_secs(1 << 30) }
    }
}

/// The page that `find` asks for, unless it costs more than `allowance`.
pub(super) fn find(connection: &Connection, source: &Source, find: &Find, allowance: Allowance) -> Result<Found, Halt> {
    // All statements see one state of the file, whatever the writer does meanwhile; the end of the read ends it.
    connection.prepare_cached("BEGIN")?.execute([])?;
    let order = order(&find.sort);
    let after = find.after.as_ref().map(|values| Place::new(&order, values)).transpose()?;
    let part = Part {
        after: after.as_ref(),
        skip: if after.is_some() { 0 } else { find.skip },
        limit: find.limit.unwrap_or(u64::MAX),
    };
    let mut search = Search::new(connection, source, &find.filter, &order, allowance);
    let plan = plan(source, &marks(connection, source)?, &find.filter, &order, after.as_ref())?;
    search.page(&plan, part, find.count)
}

/// The rows of all documents that satisfy `filter`, within a transaction of the caller.
pub(super) fn rows(connection: &Connection, source: &Source, filter: &Filter) -> Result<Vec<i64>, StoreError> {
    let order = order(&Sort::new());
    let mut search = Search::new(connection, source, filter, &order, Allowance::unlimited());
    let plan = plan(source, &marks(connection, source)?, filter, &order, None)?;
    let mut rows = Vec::new();
    match &plan.search {
        Some(access) if access.exact => return Ok(search.candidates(access)?),
        Some(access) => {
            let mut bodies = Bodies::new(connection, source)?;
            for row in search.candidates(access)? {
                if bodies.with(row, |body| Ok(filter.matches_raw(body)))? {
                    rows.push(row);
                }
            }
        }
        None => search.scan(|row, _, _| {
            rows.push(row);
            Ok(())
        })?,
    }
    Ok(rows)
}

/// Whether a document satisfies `filter`, within a transaction of the caller.
pub(super) fn any(connection: &Connection, source: &Source, filter: &Filter) -> Result<bool, StoreError> {
    let order = order(&Sort::new());
    let mut search = Search::new(connection, source, filter, &order, Allowance::unlimited());
    let plan = plan(source, &marks(connection, source)?, filter, &order, None)?;
    let part = Part { after: None, skip: 0, limit: 1 };
    Ok(!search.page(&plan, part, false)?.items.is_empty())
}

/// How many documents a source has.
pub(super) fn documents(connection: &Connection, source: &Source) -> Result<u64, rusqlite::Error> {
    connection
        .prepare_cached("SELECT documents FROM document_source WHERE number = ?1")?
        .query_row([source.number], |row| row.get::<_, i64>(0))
        .map(|documents| documents.max(0).cast_unsigned())
}

fn marks(connection: &Connection, source: &Source) -> Result<Vec<(i64, i64)>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT number, marks FROM document_index WHERE source = ?1 AND marks <> 0")?
        .query_map([source.number], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

struct Search<'a> {
    connection: &'a Connection,
    source: &'a Source,
    filter: &'a Filter,
    order: &'a [Component],
    allowance: Allowance,
    /// Bytes looked at since the time was.
    unwatched: usize,
    /// Bytes that the result may still take.
    room: usize,
}

impl<'a> Search<'a> {
    fn new(
        connection: &'a Connection,
        source: &'a Source,
        filter: &'a Filter,
        order: &'a [Component],
        allowance: Allowance,
    ) -> Self {
        Self { connection, source, filter, order, allowance, unwatched: 0, room: MOST_BYTES }
    }

    /// Before a document of this length is looked at.
    fn watch(&mut self, length: usize) -> Result<(), StoreError> {
        self.unwatched += length + PER_ROW;
        if self.unwatched > WATCH_EVERY {
            self.unwatched = 0;
            if Instant::now() >= self.allowance.until {
                return Err(StoreError::Deadline);
            }
        }
        Ok(())
    }

    fn take(&mut self, body: &RawDocument) -> Result<RawDocumentBuf, StoreError> {
        self.room = self.room.checked_sub(body.as_bytes().len()).ok_or(StoreError::Deadline)?;
        Ok(body.to_owned())
    }

    fn page(&mut self, plan: &Plan<'_>, part: Part<'_>, count: bool) -> Result<Found, Halt> {
        if *self.filter == Filter::All {
            let documents = documents(self.connection, self.source)?;
            let items = match &plan.ordered {
                Some(access) => self.walk(access, part)?,
                None => {
                    self.spend(documents / SCANNED_FOR_ONE)?;
                    let (rows, _) = self.sorted_scan(part)?;
                    self.bodies(&rows)?
                }
            };
            return Ok(Found { items, total: count.then_some(documents) });
        }
        let Some(access) = &plan.search else {
            return match &plan.ordered {
                Some(ordered) if !count => {
                    let rows = self.walk_filtered(ordered, part, u64::MAX)?;
                    self.found(&rows.unwrap_or_default(), None)
                }
                _ => {
                    self.spend(documents(self.connection, self.source)? / SCANNED_FOR_ONE)?;
                    let (rows, total) = self.sorted_scan(part)?;
                    self.found(&rows, count.then_some(total))
                }
            };
        };
        if access.exact && access.walk.is_some() {
            return self.exact_page(access, part, count);
        }
        if access.walk.is_some() && !count {
            let rows = self.walk_filtered(access, part, u64::MAX)?;
            return self.found(&rows.unwrap_or_default(), None);
        }
        if access.exact && !access.repeats {
            let total = self.count(access)?;
            if let Some(ordered) = &plan.ordered
                && self.prefers_walk(total, part.skip.saturating_add(part.limit))?
                && let Some(rows) = self.walk_filtered(ordered, part, total)?
            {
                return self.found(&rows, count.then_some(total));
            }
        }
        let (rows, total) = self.sorted_search(access, part)?;
        self.found(&rows, count.then_some(total))
    }

    /// The part of the index is the result, in order.
    fn exact_page(&mut self, access: &Access<'_>, part: Part<'_>, count: bool) -> Result<Found, Halt> {
        let items = self.walk(access, part)?;
        let found = items.len() as u64;
        let last = part.after.is_none() && found < part.limit && (found > 0 || part.skip == 0);
        let total = match (count, last) {
            (false, _) => None,
            // The last page tells the total.
            (true, true) => Some(part.skip + found),
            (true, false) => Some(self.count(access)?),
        };
        Ok(Found { items, total })
    }

    /// Whether looking at documents in their order until the page is full promises to be much cheaper than sorting all
    /// `matching` ones: the wanted ones may lie far behind.
    fn prefers_walk(&self, matching: u64, wanted: u64) -> Result<bool, Halt> {
        let documents = documents(self.connection, self.source)?;
        let expected = u128::from(wanted) * u128::from(documents) / u128::from(matching.max(1));
        Ok(expected.min(u128::from(documents)) < u128::from(matching / 4))
    }

    fn spend(&mut self, cost: u64) -> Result<(), Halt> {
        self.allowance.documents = self.allowance.documents.checked_sub(cost).ok_or(Halt::Costly)?;
        Ok(())
    }

    fn count(&self, access: &Access<'_>) -> Result<u64, Halt> {
        let mut total = 0;
        for range in &access.ranges {
            total += self.count_range(access.tree, range)?;
        }
        Ok(total)
    }

    fn count_range(&self, tree: &Tree, range: &Range) -> Result<u64, Halt> {
        let mut count = self.connection.prepare_cached(&tree.count)?;
        let counted: i64 = count.query_row((&range.from, &range.to), |row| row.get(0))?;
        Ok(counted.max(0).cast_unsigned())
    }

    /// Documents of an exact part in its order.
    fn walk(&mut self, access: &Access<'_>, part: Part<'_>) -> Result<Vec<RawDocumentBuf>, Halt> {
        let mut items = Vec::new();
        let mut skip = part.skip;
        for segment in access.segments(part.after) {
            if skip > 0
                && access.ranges.len() > 1
                && let Segment::Keys(range) = &segment
            {
                let count = self.count_range(access.tree, range)?;
                if count <= skip {
                    skip -= count;
                    continue;
                }
            }
            let left = part.limit.saturating_sub(items.len() as u64);
            if left == 0 {
                break;
            }
            if skip == 0 {
                self.first(access, &segment, left, &mut items)?;
            } else {
                // What is skipped is passed over in the index, without a look at the documents.
                if let Segment::Keys(range) = &segment {
                    let mut statement = self.connection.prepare_cached(&access.tree.walk(access.walk).rows)?;
                    let found = statement.query((&range.from, &range.to, sql_limit(left), sql_limit(skip)))?;
                    let rows: Vec<i64> = found.mapped(|row| row.get(0)).collect::<Result<_, _>>()?;
                    items.append(&mut self.bodies(&rows)?);
                }
                skip = 0;
            }
        }
        self.spend(items.len() as u64)?;
        Ok(items)
    }

    fn first(
        &mut self,
        access: &Access<'_>,
        segment: &Segment<'_>,
        limit: u64,
        items: &mut Vec<RawDocumentBuf>,
    ) -> Result<(), Halt> {
        let walk = access.tree.walk(access.walk);
        let mut statement;
        let mut found = match segment {
            Segment::Keys(range) => {
                statement = self.connection.prepare_cached(&walk.bodies)?;
                statement.query((&range.from, &range.to, sql_limit(limit)))?
            }
            Segment::Behind(key, id) => {
                let Some(behind) = &walk.behind else { return Ok(()) };
                statement = self.connection.prepare_cached(&behind.bodies)?;
                statement.query((key, id, sql_limit(limit)))?
            }
        };
        while let Some(row) = found.next()? {
            items.push(self.take(document(blob(row, 0)?)?)?);
        }
        Ok(())
    }

    /// Rows in order, each document asked, until the page is full; `None` if that takes looking at more than `most`.
    fn walk_filtered(&mut self, access: &Access<'_>, part: Part<'_>, mut most: u64) -> Result<Option<Vec<i64>>, Halt> {
        let mut rows = Vec::new();
        let mut skip = part.skip;
        let mut bodies = Bodies::new(self.connection, self.source)?;
        for segment in access.segments(part.after) {
            let walk = access.tree.walk(access.walk);
            let mut statement;
            let mut found = match &segment {
                Segment::Keys(range) => {
                    statement = self.connection.prepare_cached(&walk.rows)?;
                    statement.query((&range.from, &range.to, -1, 0))?
                }
                Segment::Behind(key, id) => {
                    let Some(behind) = &walk.behind else { continue };
                    statement = self.connection.prepare_cached(&behind.rows)?;
                    statement.query((key, id, -1))?
                }
            };
            while (rows.len() as u64) < part.limit
                && let Some(row) = found.next()?
            {
                let Some(left) = most.checked_sub(1) else { return Ok(None) };
                most = left;
                self.spend(1)?;
                let row = row.get(0)?;
                let wanted = bodies.with(row, |body| {
                    self.watch(body.as_bytes().len())?;
                    Ok(self.filter.matches_raw(body))
                })?;
                if wanted {
                    match skip {
                        0 => rows.push(row),
                        _ => skip -= 1,
                    }
                }
            }
        }
        Ok(Some(rows))
    }

    /// Every document that satisfies the filter: row, key of the id, body.
    fn scan(&mut self, mut each: impl FnMut(i64, &[u8], &RawDocument) -> Result<(), StoreError>) -> Result<(), Halt> {
        let mut statement = self.connection.prepare_cached(&self.source.sql.scan)?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let body = document(blob(row, 2)?)?;
            self.watch(body.as_bytes().len())?;
            if self.filter.matches_raw(body) {
                each(row.get(0)?, blob(row, 1)?, body)?;
            }
        }
        Ok(())
    }

    fn found(&mut self, rows: &[i64], total: Option<u64>) -> Result<Found, Halt> {
        Ok(Found { items: self.bodies(rows)?, total })
    }

    fn bodies(&mut self, rows: &[i64]) -> Result<Vec<RawDocumentBuf>, Halt> {
        let mut bodies = Bodies::new(self.connection, self.source)?;
        rows.iter().map(|row| bodies.with(*row, |body| self.take(body))).collect()
    }
}

/// SQLite's limits are signed; a negative one is none.
fn sql_limit(limit: u64) -> i64 {
    i64::try_from(limit).unwrap_or(-1)
}

pub(super) fn blob<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> Result<&'r [u8], StoreError> {
    row.get_ref(column)?.as_blob().map_err(|_| StoreError::Corrupt("a document is not a blob".to_owned()))
}

pub(super) fn document(bytes: &[u8]) -> Result<&RawDocument, Malformed> {
    Ok(RawDocument::from_bytes(bytes)?)
}

/// Documents by row.
struct Bodies<'c> {
    statement: CachedStatement<'c>,
}

impl<'c> Bodies<'c> {
    fn new(connection: &'c Connection, source: &Source) -> Result<Self, rusqlite::Error> {
        Ok(Self { statement: connection.prepare_cached(&source.sql.body_by_row)? })
    }

    fn with<T>(&mut self, row: i64, look: impl FnOnce(&RawDocument) -> Result<T, StoreError>) -> Result<T, Halt> {
        let mut rows = self.statement.query([row])?;
        match rows.next()? {
            Some(row) => Ok(look(document(blob(row, 0)?)?)?),
            None => Err(Halt::Store(StoreError::Corrupt("an index names a document that is not there".to_owned()))),
        }
    }
}
