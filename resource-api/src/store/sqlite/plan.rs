//! How to find what a filter wants: which index to search, between which keys, and what that already tells.

mod spans;

use std::borrow::Cow;
use std::cmp::Reverse;

use bson::Bson;

use super::bounds::{self, Points};
use super::catalogue::{INCOMPLETE, LONG, MULTIKEY, Source, Tree};
use super::sort::Place;
use crate::query::{Direction, Filter, Test};
use crate::store::keys::Malformed;
use crate::store::keys::key;
use crate::store::keys::path::Component;
use spans::{intersection, product, ranges, stored_keys};

/// More ranges than this are not worth a search.
const MOST_RANGES: usize = 2000;

/// Keys from one to before another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    pub from: Vec<u8>,
    pub to: Vec<u8>,
}

/// A part of an index (or of the ids) that holds everything the filter wants.
#[derive(Debug)]
pub(super) struct Access<'s> {
    pub tree: &'s Tree,
    /// In the order of the keys, without overlaps.
    pub ranges: Vec<Range>,
    /// It holds nothing else, so that documents need not be looked at.
    pub exact: bool,
    /// A document may be in it several times.
    pub repeats: bool,
    /// Walked so, it gives the order that is asked for.
    pub walk: Option<Direction>,
    /// Each range holds one document at most.
    single: bool,
    /// How many components have known values.
    known: usize,
    /// The next component lies in a range.
    between: bool,
    /// The part of each component in every key, where it is one and the same.
    fixed: Vec<Option<Vec<u8>>>,
}

impl Access<'_> {
    /// The higher, the less is left to do.
    fn rank(&self) -> (bool, bool, usize, bool, bool, Reverse<(usize, usize)>) {
        let size = (self.ranges.len(), self.tree.components.len());
        (self.single, self.exact, self.known, self.between, self.walk.is_some(), Reverse(size))
    }

    /// The ranges as `walk` takes them.
    pub(super) fn ranges_in_order(&self) -> impl Iterator<Item = &Range> {
        let (forward, backward) = match self.walk {
            Some(Direction::Descending) => (None, Some(self.ranges.iter().rev())),
            _ => (Some(self.ranges.iter()), None),
        };
        forward.into_iter().flatten().chain(backward.into_iter().flatten())
    }

    /// What is left of it behind a place in the order that `walk` gives, or all of it.
    pub(super) fn segments(&self, place: Option<&Place>) -> Vec<Segment<'_>> {
        let Some(place) = place else {
            return self.ranges_in_order().map(|range| Segment::Keys(Cow::Borrowed(range))).collect();
        };
        let (key, id) = self.key_of(place);
        let mut segments = Vec::with_capacity(self.ranges.len() + 1);
        let inside = |range: &Range| range.from <= key && key < range.to;
        let above = if self.tree.components.iter().any(|component| component.field == "_id") {
            // What else the tree has comes behind the id, and is of one document.
            key::after(&key)
        } else {
            // No key is the beginning of another: the next one is above this one with anything behind it.
            [key.as_slice(), &[0]].concat()
        };
        for range in self.ranges_in_order() {
            if inside(range) {
                segments.push(Segment::Behind(key.clone(), id.clone()));
            }
            let (from, to) = match self.walk {
                Some(Direction::Descending) => (&range.from, (&range.to).min(&key)),
                _ => ((&range.from).max(&above), &range.to),
            };
            if from < to {
                segments.push(Segment::Keys(Cow::Owned(Range { from: from.clone(), to: to.clone() })));
            }
        }
        segments
    }

    /// The key and the id that a document at the place has in the tree. A component that has one value in all keys has
    /// it; the order need not have the component.
    fn key_of(&self, place: &Place) -> (Vec<u8>, Vec<u8>) {
        let mut key = Vec::new();
        for (component, fixed) in self.tree.components.iter().zip(&self.fixed) {
            match fixed {
                Some(fixed) => key.extend_from_slice(fixed),
                None => place.append_key(component, !self.tree.of_ids, &mut key),
            }
            if component.field == "_id" {
                break;
            }
        }
        let mut id = Vec::new();
        place.append_key(&Component::new("_id", self.tree.id_descending), false, &mut id);
        (key, id)
    }

    /// Something the filter asks is answered by it.
    fn narrows(&self) -> bool {
        self.known > 0 || self.between
    }
}

/// A step of a walk.
#[derive(Debug)]
pub(super) enum Segment<'r> {
    Keys(Cow<'r, Range>),
    /// What has this key and lies behind this id.
    Behind(Vec<u8>, Vec<u8>),
}

/// The choices there are. Without a `search`, every document has to be looked at.
#[derive(Debug, Default)]
pub(super) struct Plan<'s> {
    /// The narrowest part of an index.
    pub search: Option<Access<'s>>,
    /// The narrowest that gives the order.
    pub ordered: Option<Access<'s>>,
}

/// `sort` ends in `_id`. `marks` are those indexes that have any, by their numbers. `place`: where to begin.
pub(super) fn plan<'s>(
    source: &'s Source,
    marks: &[(i64, i64)],
    filter: &Filter,
    sort: &[Component],
    place: Option<&Place>,
) -> Result<Plan<'s>, Malformed> {
    let mut conjunction = Conjunction::default();
    conjunction.add(filter);
    let marks_of = |number: i64| marks.iter().find(|(marked, _)| *marked == number).map_or(0, |(_, marks)| *marks);
    let indexes = source.indexes.iter().filter(|index| index.built && conjunction.implies(&index.partial));
    let indexes = indexes.map(|index| (&index.tree, marks_of(index.number), index.unique));
    let mut plan = Plan::default();
    for (tree, marks, unique) in std::iter::once((&source.ids, 0, true)).chain(indexes) {
        if marks & INCOMPLETE != 0 {
            continue;
        }
        let access = || conjunction.access(tree, marks, unique, sort, place);
        let found = access()?;
        if tree.sparse && !found.narrows() {
            continue;
        }
        let better = |best: &Option<Access<'_>>| best.as_ref().is_none_or(|best| found.rank() > best.rank());
        let (search, ordered) =
            (found.narrows() && better(&plan.search), found.walk.is_some() && better(&plan.ordered));
        match (search, ordered) {
            (true, true) => {
                plan.ordered = Some(access()?);
                plan.search = Some(found);
            }
            (true, false) => plan.search = Some(found),
            (false, true) => plan.ordered = Some(found),
            (false, false) => {}
        }
    }
    Ok(plan)
}

/// A filter as tests that must all hold.
#[derive(Default)]
struct Conjunction<'f> {
    tests: Vec<(&'f str, Cow<'f, Test>)>,
    /// There is more to the filter than these tests.
    more: bool,
}

impl<'f> Conjunction<'f> {
    fn add(&mut self, filter: &'f Filter) {
        match filter {
            Filter::All => {}
            Filter::And(filters) => filters.iter().for_each(|filter| self.add(filter)),
            Filter::Field { path, test } => self.tests.push((path, Cow::Borrowed(test))),
            Filter::Or(filters) => match choice(filters) {
                Some((path, test)) => self.tests.push((path, Cow::Owned(test))),
                None => self.more = true,
            },
            Filter::Nor(_) => self.more = true,
        }
    }

    /// Whether every document that is wanted is one that a partial index is for. Of the filters an index can have, only
    /// that of a rule of uniqueness per owner is looked into: that there is a value.
    fn implies(&self, partial: &Filter) -> bool {
        match partial {
            Filter::All => true,
            Filter::Field { path, test: Test::Exists(true) } => {
                self.tests.iter().any(|(tested, test)| tested == path && needs_value(test))
            }
            _ => false,
        }
    }

    fn access<'s>(
        &self,
        tree: &'s Tree,
        marks: i64,
        unique: bool,
        sort: &[Component],
        place: Option<&Place>,
    ) -> Result<Access<'s>, Malformed> {
        let multikey = marks & MULTIKEY != 0;
        let components = tree.components.as_slice();
        // In a multikey index two tests may hold for two elements, whose values are in two keys.
        let usable = if multikey { &components[..1] } else { components };
        let mut settled = vec![false; self.tests.len()];
        let mut constant = vec![false; components.len()];
        let mut fixed = vec![None; components.len()];
        let mut prefixes = vec![Vec::new()];
        let mut known = 0;
        let mut intervals = None;
        for component in usable {
            match self.points(component)? {
                Some((test, points))
                    if prefixes.len() * points.keys.len() <= MOST_RANGES
                        && !(known == 0 && tree.sparse && points.missing) =>
                {
                    settled[test] = points.exact;
                    constant[known] = points.exact && points.keys.len() == 1 && !multikey;
                    let keys = stored_keys(points.keys, component.descending, !tree.of_ids);
                    if let [only] = keys.as_slice() {
                        fixed[known] = Some(only.clone());
                    }
                    prefixes = product(&prefixes, &keys);
                    known += 1;
                }
                _ => {
                    intervals = self.intervals(component, multikey, &mut settled)?;
                    break;
                }
            }
        }
        let between = intervals.is_some();
        let ranges = ranges(prefixes, intervals.as_deref());
        let single = unique && known == components.len();
        let strays = place.is_some_and(|place| {
            components.iter().zip(&fixed).any(|(component, fixed)| {
                fixed.as_ref().is_some_and(|fixed| place.differs(component, !tree.of_ids, fixed))
            })
        });
        // Only an id is surely unique: other duplicates may have been stored before the rule.
        let walk = if single && tree.of_ids && ranges.len() <= 1 && place.is_none() {
            Some(Direction::Ascending)
        } else if marks & LONG != 0 || strays {
            // A place without the value that all keys have is of a document that has changed since: no key of the tree tells it.
            None
        } else if multikey {
            // Only the ids behind one key are in order.
            let one_key = components.len() == 1 && ranges.len() == 1 && known == 1;
            direction(&[], &[], tree.id_descending, sort).filter(|_| one_key)
        } else {
            direction(components, &constant, tree.id_descending, sort)
        };
        Ok(Access {
            exact: !self.more && settled.iter().all(|settled| *settled),
            repeats: multikey && !(components.len() == 1 && ranges.len() <= 1 && !between),
            single,
            walk,
            tree,
            ranges,
            known,
            between,
            fixed,
        })
    }

    /// The first test that leaves only certain values of the component, and its place.
    fn points(&self, component: &Component) -> Result<Option<(usize, Points)>, Malformed> {
        for (place, (_, test)) in self.tests_of(component) {
            if let Some(points) = bounds::points(test)? {
                return Ok(Some((place, points)));
            }
        }
        Ok(None)
    }

    /// Where the component's keys lie; of a multikey index one test only, as another may hold for another element.
    fn intervals(
        &self,
        component: &Component,
        multikey: bool,
        settled: &mut [bool],
    ) -> Result<Option<Vec<Range>>, Malformed> {
        let mut common: Option<Vec<Range>> = None;
        for (place, (_, test)) in self.tests_of(component) {
            let Some(intervals) = bounds::intervals(test, component.descending)? else { continue };
            settled[place] = intervals.exact;
            common = Some(match common {
                None => intervals.ranges,
                Some(others) => intersection(&intervals.ranges, &others),
            });
            if multikey {
                break;
            }
        }
        Ok(common)
    }

    fn tests_of(&self, component: &Component) -> impl Iterator<Item = (usize, &(&'f str, Cow<'f, Test>))> {
        self.tests.iter().enumerate().filter(|(_, (path, _))| *path == component.field)
    }
}

/// Whether the test never holds where nothing is: null would be there, too.
fn needs_value(test: &Test) -> bool {
    let absent = |value: &Bson| matches!(value, Bson::Null | Bson::Undefined);
    match test {
        Test::Eq(value) => !absent(value),
        Test::In(choices) => !choices.iter().any(absent),
        _ => false,
    }
}

/// `a == 1 or a == 2` is a choice of values.
fn choice(filters: &[Filter]) -> Option<(&str, Test)> {
    let mut values = Vec::new();
    let mut common = None;
    for filter in filters {
        let Filter::Field { path, test } = filter else { return None };
        if *common.get_or_insert(path) != path {
            return None;
        }
        match test {
            Test::Eq(value) => values.push(value.clone()),
            Test::In(choices) => values.extend(choices.iter().cloned()),
            _ => return None,
        }
    }
    Some((common?, Test::In(values.into())))
}

/// The way to walk keys of these components so that documents come in the order of `sort`. Components with one known value
/// count in neither.
fn direction(
    components: &[Component],
    constant: &[bool],
    id_descending: bool,
    sort: &[Component],
) -> Option<Direction> {
    let is_constant = |field: &str| {
        components.iter().zip(constant).any(|(component, constant)| *constant && component.field == field)
    };
    let id = Component::new("_id", id_descending);
    let varying = components.iter().zip(constant).filter(|(_, constant)| !**constant).map(|(component, _)| component);
    let mut keys = varying.chain(std::iter::once(&id));
    let mut direction = None;
    for wanted in sort.iter().filter(|wanted| !is_constant(&wanted.field)) {
        let next = keys.next().filter(|next| next.field == wanted.field)?;
        let this = if next.descending == wanted.descending { Direction::Ascending } else { Direction::Descending };
        if *direction.get_or_insert(this) != this {
            return None;
        }
    }
    direction
}
