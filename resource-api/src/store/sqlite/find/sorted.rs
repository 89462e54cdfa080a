//! Pages in an order that no index has: what matches is gathered and sorted.

use super::*;

impl Search<'_> {
    /// The rows of a part of an index, each once, as they lie in the table.
    pub(super) fn candidates(&mut self, access: &Access<'_>) -> Result<Vec<i64>, Halt> {
        let mut rows = Vec::new();
        for range in &access.ranges {
            let mut statement = self.connection.prepare_cached(&access.tree.ascending.rows)?;
            let most = sql_limit(self.allowance.documents.saturating_add(1));
            let before = rows.len();
            let mut found = statement.query((&range.from, &range.to, most, 0))?;
            while let Some(row) = found.next()? {
                rows.push(row.get(0)?);
                if rows.len() > MOST_ROWS {
                    return Err(StoreError::Deadline.into());
                }
            }
            self.spend((rows.len() - before) as u64)?;
        }
        rows.sort_unstable();
        if access.repeats {
            rows.dedup();
        }
        Ok(rows)
    }

    /// What matches in a part of an index: the page of it, and how many there are.
    pub(super) fn sorted_search(&mut self, access: &Access<'_>, part: Part<'_>) -> Result<(Vec<i64>, u64), Halt> {
        let mut page = SortedPage::new(part);
        if let ([id], true, false) = (self.order, access.exact, access.repeats) {
            // The order is in the index itself.
            for range in &access.ranges {
                let mut statement = self.connection.prepare_cached(&access.tree.ids)?;
                let mut found = statement.query((&range.from, &range.to))?;
                let invert = access.tree.id_descending != id.descending;
                while let Some(row) = found.next()? {
                    page.add_by_id(blob(row, 0)?, invert, row.get(1)?)?;
                }
            }
            return Ok(page.finish());
        }
        let mut bodies = Bodies::new(self.connection, self.source)?;
        let mut sort_key = Vec::new();
        for row in self.candidates(access)? {
            let wanted = bodies.with(row, |body| {
                self.watch(body.as_bytes().len())?;
                if !access.exact && !self.filter.matches_raw(body) {
                    return Ok(false);
                }
                sort_key.clear();
                for component in self.order {
                    sort::append_key(body, component, &mut sort_key)?;
                }
                Ok(true)
            })?;
            if wanted {
                page.add(&sort_key, row)?;
            }
        }
        Ok(page.finish())
    }

    /// What matches among all documents: the page of it, and how many there are.
    pub(super) fn sorted_scan(&mut self, part: Part<'_>) -> Result<(Vec<i64>, u64), Halt> {
        let mut page = SortedPage::new(part);
        let (order, mut sort_key) = (self.order, Vec::new());
        self.scan(|row, id, body| {
            if let [by_id] = order {
                return page.add_by_id(id, by_id.descending, row);
            }
            sort_key.clear();
            for component in order {
                sort::append_key(body, component, &mut sort_key)?;
            }
            page.add(&sort_key, row)
        })?;
        Ok(page.finish())
    }
}
