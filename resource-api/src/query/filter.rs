//! The filter tree: what is asked of a document. Its one meaning is in `matching.rs` (FILT-14), its native form in `native.rs`.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Deref;

use bson::Bson;

use super::compare::compare;
use super::pattern::Pattern;

/// A condition on a document.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Filter {
    /// Every document.
    #[default]
    All,
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Nor(Vec<Filter>),
    /// The test holds for the values at the dotted path.
    Field {
        path: String,
        test: Test,
    },
}

/// What is asked of the values at a path. Where the path leads into arrays, one value that satisfies the test is enough.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Never a regular expression's match: a stored regular expression equal to it.
    Eq(Bson),
    Ne(Bson),
    Gt(Bson),
    Gte(Bson),
    Lt(Bson),
    Lte(Bson),
    In(Choices),
    Nin(Choices),
    Exists(bool),
    /// BSON type numbers and aliases, as written.
    Type(Vec<Bson>),
    Mod {
        divisor: i64,
        remainder: i64,
    },
    Regex(Pattern),
    /// All hold, each for a value of its own; empty: never (`$all`).
    All(Vec<Test>),
    /// An `$in` that has regular expressions among its choices.
    InPatterns {
        values: Choices,
        patterns: Vec<Pattern>,
    },
    /// Conditions on the element as a document.
    ElemMatchDocument(Box<Filter>),
    /// Conditions on the element itself.
    ElemMatchValue(Vec<Test>),
    Size(i64),
    /// The set bits of the mask are the positions meant, in this and the next three.
    BitsAllClear(u64),
    BitsAllSet(u64),
    BitsAnyClear(u64),
    BitsAnySet(u64),
    /// Not all of them hold.
    Not(Vec<Test>),
}

/// The values of an `$in`: sorted and without repetitions, so that a long list costs little for each document.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Choices(Vec<Bson>);

impl Choices {
    /// Whether a value equal to it is among them.
    pub(super) fn find(&self, order: impl Fn(&Bson) -> Ordering) -> bool {
        self.0.binary_search_by(order).is_ok()
    }
}

impl From<Vec<Bson>> for Choices {
    fn from(mut values: Vec<Bson>) -> Self {
        values.sort_by(compare);
        values.dedup_by(|one, other| compare(one, other).is_eq());
        Self(values)
    }
}

impl FromIterator<Bson> for Choices {
    fn from_iter<I: IntoIterator<Item = Bson>>(values: I) -> Self {
        values.into_iter().collect::<Vec<_>>().into()
    }
}

impl Deref for Choices {
    type Target = [Bson];

    fn deref(&self) -> &[Bson] {
        &self.0
    }
}

impl Filter {
    /// A test of one path.
    pub fn field(path: impl Into<String>, test: Test) -> Self {
        Self::Field { path: path.into(), test }
    }

    /// The path has exactly this value, or an array with it.
    pub fn equal(path: impl Into<String>, value: impl Into<Bson>) -> Self {
        Self::field(path, Test::Eq(value.into()))
    }

    /// The path has one of these values.
    pub fn one_of(path: impl Into<String>, values: impl IntoIterator<Item = Bson>) -> Self {
        Self::field(path, Test::In(values.into_iter().collect()))
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Filter) -> Filter {
        match (self, other) {
            (Filter::All, filter) | (filter, Filter::All) => filter,
            (Filter::And(mut all), Filter::And(more)) => {
                all.extend(more);
                Filter::And(all)
            }
            (Filter::And(mut all), filter) => {
                all.push(filter);
                Filter::And(all)
            }
            (filter, Filter::And(mut all)) => {
                all.insert(0, filter);
                Filter::And(all)
            }
            (one, other) => Filter::And(vec![one, other]),
        }
    }

    /// The dotted paths it asks about, from the document's root.
    pub fn fields(&self) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        self.collect_fields("", &mut paths);
        paths
    }

    fn collect_fields(&self, prefix: &str, paths: &mut BTreeSet<String>) {
        match self {
            Filter::All => {}
            Filter::And(filters) | Filter::Or(filters) | Filter::Nor(filters) => {
                filters.iter().for_each(|filter| filter.collect_fields(prefix, paths));
            }
            Filter::Field { path, test } => {
                let path = format!("{prefix}{path}");
                test.collect_fields(&path, paths);
                paths.insert(path);
            }
        }
    }
}

impl Test {
    fn collect_fields(&self, path: &str, paths: &mut BTreeSet<String>) {
        match self {
            Test::ElemMatchDocument(filter) => filter.collect_fields(&format!("{path}."), paths),
            Test::All(tests) | Test::ElemMatchValue(tests) | Test::Not(tests) => {
                tests.iter().for_each(|test| test.collect_fields(path, paths));
            }
            _ => {}
        }
    }
}
