//! Where a document stands in a sort, as bytes (it means what `query::compare_by` means), and the page of a sort.

use std::collections::BinaryHeap;

use bson::Bson;
use bson::raw::{RawArray, RawBsonRef, RawDocument};

use shared::store::StoreError;

use crate::query::{Direction, Sort, total_order};
use crate::store::keys::path::{Component, Segment};
use crate::store::keys::{Malformed, key};

/// Bytes that sorting may keep.
const MEMORY: usize = 32 << 20;

/// A sort as components, ending in `_id`: every order is total.
pub(super) fn order(sort: &Sort) -> Vec<Component> {
    let total = total_order(sort);
    total.iter().map(|(field, direction)| Component::new(field, *direction == Direction::Descending)).collect()
}

/// A place in an order.
pub(super) struct Place {
    /// For each component of the order its field and the key of the value there, as if all ascended.
    keys: Vec<(String, Vec<u8>)>,
    /// What a document there would be sorted by.
    sort_key: Vec<u8>,
}

impl Place {
    /// `values` has one for each component.
    pub(super) fn new(order: &[Component], values: &[Bson]) -> Result<Self, StoreError> {
        if order.len() != values.len() {
            return Err(StoreError::Corrupt("a place in an order has a value for each key".to_owned()));
        }
        let mut place = Self { keys: Vec::with_capacity(order.len()), sort_key: Vec::new() };
        for (component, value) in order.iter().zip(values) {
            let key = key::of(value)?;
            place.sort_key.extend(key.iter().map(|byte| if component.descending { !byte } else { *byte }));
            place.keys.push((component.field.clone(), key));
        }
        Ok(place)
    }

    /// Appends what a document there has for the component in a tree, whose long keys may be shortened.
    pub(super) fn append_key(&self, component: &Component, shortens: bool, out: &mut Vec<u8>) {
        let Some((_, key)) = self.keys.iter().find(|(field, _)| *field == component.field) else { return };
        let start = out.len();
        out.extend_from_slice(key);
        if shortens {
            key::shorten(out, start);
        }
        if component.descending {
            out[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }

    /// Whether the order has the component, and a document there another key for it than this one of a tree.
    pub(super) fn differs(&self, component: &Component, shortens: bool, key: &[u8]) -> bool {
        let mut own = Vec::with_capacity(key.len());
        self.append_key(component, shortens, &mut own);
        !own.is_empty() && own != key
    }
}

/// Appends the document's key in one component: of an array's values the least, or the greatest if it descends.
pub(super) fn append_key(document: &RawDocument, component: &Component, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut best = Best { start: out.len(), end: None, descending: component.descending, out };
    in_document(document, &component.path, &mut best)?;
    let start = best.start;
    if component.descending {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
    Ok(())
}

/// The best key so far, at the end of what is being written.
struct Best<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    /// `None` until there is one.
    end: Option<usize>,
    descending: bool,
}

impl Best<'_> {
    fn add(&mut self, value: RawBsonRef<'_>) -> Result<(), Malformed> {
        let before = self.out.len();
        key::append(value, self.out)?;
        if let Some(end) = self.end {
            let (known, new) = (&self.out[self.start..end], &self.out[before..]);
            if (self.descending && new > known) || (!self.descending && new < known) {
                self.out.drain(self.start..before);
            } else {
                self.out.truncate(before);
            }
        }
        self.end = Some(self.out.len());
        Ok(())
    }

    /// Below null there is the empty array, which counts as undefined.
    fn add_elements(&mut self, array: &RawArray) -> Result<(), Malformed> {
        if array.is_empty() {
            return self.add(RawBsonRef::Undefined);
        }
        for element in array {
            self.add(element?)?;
        }
        Ok(())
    }
}

fn in_document(document: &RawDocument, path: &[Segment], best: &mut Best<'_>) -> Result<(), Malformed> {
    let Some((segment, rest)) = path.split_first() else { return Ok(()) };
    match document.get(&*segment.name)? {
        Some(RawBsonRef::Array(array)) if rest.is_empty() => best.add_elements(array),
        Some(RawBsonRef::Array(array)) => in_array(array, rest, best),
        Some(value) if rest.is_empty() => best.add(value),
        Some(RawBsonRef::Document(inner)) => in_document(inner, rest, best),
        _ => best.add(RawBsonRef::Null),
    }
}

/// A position leads to that element alone, a name into all of them.
fn in_array(array: &RawArray, path: &[Segment], best: &mut Best<'_>) -> Result<(), Malformed> {
    let Some((segment, rest)) = path.split_first() else { return Ok(()) };
    if let Some(place) = segment.position
        && let Some(element) = array.get(place)?
    {
        return match element {
            RawBsonRef::Array(inner) if rest.is_empty() => best.add_elements(inner),
            RawBsonRef::Array(inner) => in_array(inner, rest, best),
            value if rest.is_empty() => best.add(value),
            RawBsonRef::Document(inner) => in_document(inner, rest, best),
            _ => best.add(RawBsonRef::Null),
        };
    }
    let mut empty = true;
    for element in array {
        empty = false;
        match element? {
            RawBsonRef::Document(inner) => in_document(inner, path, best)?,
            _ => best.add(RawBsonRef::Null)?,
        }
    }
    if empty { best.add(RawBsonRef::Null) } else { Ok(()) }
}

/// Which part of an order is wanted.
#[derive(Clone, Copy)]
pub(super) struct Part<'p> {
    pub after: Option<&'p Place>,
    pub skip: u64,
    pub limit: u64,
}

/// The first so many documents in order, of any number.
pub(super) struct SortedPage<'p> {
    /// Only what is behind it is kept, though all is counted.
    after: Option<&'p Place>,
    skip: u64,
    /// How many to keep, those to skip among them.
    keep: u64,
    /// The greatest on top.
    kept: BinaryHeap<(Vec<u8>, i64)>,
    bytes: usize,
    total: u64,
}

impl<'p> SortedPage<'p> {
    pub(super) fn new(part: Part<'p>) -> Self {
        let Part { after, skip, limit } = part;
        let keep = if limit == 0 { 0 } else { skip.saturating_add(limit) };
        Self { after, skip, keep, kept: BinaryHeap::new(), bytes: 0, total: 0 }
    }

    pub(super) fn add(&mut self, sort_key: &[u8], row: i64) -> Result<(), StoreError> {
        self.total += 1;
        if self.after.is_some_and(|after| sort_key <= after.sort_key.as_slice()) {
            return Ok(());
        }
        if (self.kept.len() as u64) < self.keep {
            self.bytes += sort_key.len() + size_of::<(Vec<u8>, i64)>();
            self.kept.push((sort_key.to_vec(), row));
        } else if let Some(mut greatest) = self.kept.peek_mut()
            && sort_key < greatest.0.as_slice()
        {
            self.bytes = self.bytes + sort_key.len() - greatest.0.len();
            *greatest = (sort_key.to_vec(), row);
        }
        if self.bytes > MEMORY {
            return Err(StoreError::Deadline);
        }
        Ok(())
    }

    /// Sorted by the id alone, whose key is at hand.
    pub(super) fn add_by_id(&mut self, id: &[u8], invert: bool, row: i64) -> Result<(), StoreError> {
        if invert { self.add(&key::inverted(id), row) } else { self.add(id, row) }
    }

    pub(super) fn finish(self) -> (Vec<i64>, u64) {
        let skip = usize::try_from(self.skip).unwrap_or(usize::MAX);
        let rows = self.kept.into_sorted_vec().into_iter().skip(skip).map(|(_, row)| row).collect();
        (rows, self.total)
    }
}
