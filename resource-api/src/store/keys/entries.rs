//! What an index holds of a document: the values at dotted paths, through arrays.

use bson::raw::{RawArray, RawBsonRef, RawDocument};

use super::path::{Component, Segment};
use super::{Malformed, key};

/// A document with more combinations of array elements than this makes its compound index incomplete (see
/// [`Entries::incomplete`]): two long arrays would fill the index with their product.
const MOST_COMBINATIONS: usize = 1000;

/// The keys of one document in one index.
#[derive(Debug, Default)]
pub(in crate::store) struct Entries {
    /// Sorted, each once.
    pub keys: Vec<Vec<u8>>,
    /// An array lies on a path, so that the document may have several keys, and its keys say less about it.
    pub multikey: bool,
    /// Too many combinations: some keys were left out.
    pub incomplete: bool,
    /// A key was shortened.
    pub long: bool,
}

/// The keys of `document` in an index on `components`, as MongoDB makes them: one for each element of an array, null where
/// the path leads nowhere. A sparse index leaves out what has none of the fields.
pub(in crate::store) fn of(
    document: &RawDocument,
    components: &[Component],
    sparse: bool,
) -> Result<Entries, Malformed> {
    // Each element is visited once, or once for each path.
    let steps = 1000 + components.len() * document.as_bytes().len();
    let mut collector = Collector { components, sparse, steps, entries: Entries::default() };
    let mut slots: Vec<_> =
        components.iter().map(|component| Slot::Walk(RawBsonRef::Document(document), &component.path[..])).collect();
    collector.expand(&mut slots)?;
    let mut entries = collector.entries;
    if entries.keys.len() > 1 {
        entries.keys.sort_unstable();
        entries.keys.dedup();
    }
    Ok(entries)
}

/// One component of an entry that is being made.
#[derive(Clone, Copy)]
enum Slot<'a, 'p> {
    /// Still to go from the value along the segments.
    Walk(RawBsonRef<'a>, &'p [Segment]),
    /// Arrived at an array, with the segments that remain.
    Array(&'a RawArray, &'p [Segment]),
    /// Arrived: an array here is itself the value.
    Value(RawBsonRef<'a>),
    Missing,
}

impl<'a, 'p> Slot<'a, 'p> {
    /// Goes on until a value, an array or a dead end.
    fn walk(self) -> Result<Self, Malformed> {
        let mut slot = self;
        loop {
            slot = match slot {
                Slot::Walk(RawBsonRef::Array(array), rest) => return Ok(Slot::Array(array, rest)),
                Slot::Walk(value, []) => return Ok(Slot::Value(value)),
                Slot::Walk(RawBsonRef::Document(document), [segment, rest @ ..]) => {
                    match document.get(&*segment.name)? {
                        Some(value) => Slot::Walk(value, rest),
                        None => return Ok(Slot::Missing),
                    }
                }
                Slot::Walk(..) => return Ok(Slot::Missing),
                arrived => return Ok(arrived),
            };
        }
    }

    /// The path goes on from an element of the array it arrived at; `None` stands for an empty array.
    fn enter(element: Option<RawBsonRef<'a>>, rest: &'p [Segment]) -> Self {
        match element {
            // MongoDB's order puts the empty array below null, where it has undefined.
            None if rest.is_empty() => Slot::Value(RawBsonRef::Undefined),
            Some(element) if rest.is_empty() => Slot::Value(element),
            Some(RawBsonRef::Document(document)) => Slot::Walk(RawBsonRef::Document(document), rest),
            _ => Slot::Missing,
        }
    }

    /// Whether it waits at this array for an element, and not for the one at a position.
    fn waits_at(&self, here: &RawArray) -> bool {
        match self {
            Slot::Array(array, rest) => {
                std::ptr::eq(array.as_bytes(), here.as_bytes())
                    && rest.first().is_none_or(|segment| segment.position.is_none())
            }
            _ => false,
        }
    }
}

struct Collector<'c> {
    components: &'c [Component],
    sparse: bool,
    /// Steps left: numbers in paths can mean two things at each level of a document made for it.
    steps: usize,
    entries: Entries,
}

impl Collector<'_> {
    fn expand(&mut self, slots: &mut [Slot<'_, '_>]) -> Result<(), Malformed> {
        match self.steps.checked_sub(1) {
            Some(left) => self.steps = left,
            None => {
                self.entries.incomplete = true;
                return Ok(());
            }
        }
        for slot in slots.iter_mut() {
            *slot = slot.walk()?;
        }
        let waiting = slots.iter().enumerate().find_map(|(index, slot)| match slot {
            Slot::Array(array, rest) => Some((index, *array, *rest)),
            _ => None,
        });
        let Some((index, array, rest)) = waiting else { return self.emit(slots) };
        self.entries.multikey = true;
        if let [Segment { position: Some(position), .. }, after @ ..] = rest {
            return self.expand_position(slots, index, array, *position, after, rest);
        }
        // Paths into the same array go through it together, as in MongoDB; other arrays give every combination.
        let mut elements = array.into_iter();
        let mut element = elements.next().transpose()?;
        loop {
            let mut branch: Vec<Slot<'_, '_>> = slots
                .iter()
                .map(|slot| match slot {
                    Slot::Array(_, rest) if slot.waits_at(array) => Slot::enter(element, rest),
                    slot => *slot,
                })
                .collect();
            self.expand(&mut branch)?;
            element = elements.next().transpose()?;
            if element.is_none() || self.entries.incomplete {
                return Ok(());
            }
        }
    }

    /// `a.0` means the element at the position, and the field "0" of every element that is a document.
    fn expand_position<'a, 'p>(
        &mut self,
        slots: &[Slot<'a, 'p>],
        index: usize,
        array: &'a RawArray,
        position: usize,
        after: &'p [Segment],
        rest: &'p [Segment],
    ) -> Result<(), Malformed> {
        let mut targets = Vec::new();
        for (place, element) in array.into_iter().enumerate() {
            let element = element?;
            if place == position {
                // At the end of the path it is taken whole, even an array.
                targets.push(if after.is_empty() { Slot::Value(element) } else { Slot::Walk(element, after) });
            }
            if matches!(element, RawBsonRef::Document(_)) {
                targets.push(Slot::Walk(element, rest));
            }
        }
        if targets.is_empty() {
            targets.push(Slot::Missing);
        }
        for target in targets {
            if self.entries.incomplete {
                break;
            }
            let mut branch = slots.to_vec();
            branch[index] = target;
            self.expand(&mut branch)?;
        }
        Ok(())
    }

    fn emit(&mut self, slots: &[Slot<'_, '_>]) -> Result<(), Malformed> {
        if self.sparse && slots.iter().all(|slot| matches!(slot, Slot::Missing)) {
            return Ok(());
        }
        if self.components.len() > 1 && self.entries.keys.len() >= MOST_COMBINATIONS {
            self.entries.incomplete = true;
            return Ok(());
        }
        let mut entry = Vec::with_capacity(24 * slots.len());
        for (slot, component) in slots.iter().zip(self.components) {
            let start = entry.len();
            match slot {
                Slot::Value(value) => {
                    key::append(*value, &mut entry)?;
                    self.entries.long |= key::shorten(&mut entry, start);
                }
                _ => entry.push(key::tag::NULL),
            }
            if component.descending {
                entry[start..].iter_mut().for_each(|byte| *byte = !*byte);
            }
        }
        self.entries.keys.push(entry);
        Ok(())
    }
}

#[cfg(test)]
#[path = "entries_tests.rs"]
mod tests;
