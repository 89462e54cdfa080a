//! Which fields of a document a client sees, and taking the others away.

use bson::{Bson, Document};

use crate::domain::{Resource, Settings};

/// Which fields a client sees: those of `only` if there is one, and of these none of `except`. Paths lead through arrays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields {
    only: Option<Paths>,
    except: Paths,
}

/// Names and what is meant below them, in the order of [`shortlex`]; no entries: all of it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Paths(Vec<(String, Paths)>);

impl Paths {
    fn insert(&mut self, path: &str) {
        let (name, rest) = super::matching::split(path);
        match (self.find(name), rest) {
            (Ok(index), None) => self.0[index].1 = Paths::default(),
            // A whole field needs no parts.
            (Ok(index), Some(_)) if self.0[index].1.0.is_empty() => {}
            (Ok(index), Some(rest)) => self.0[index].1.insert(rest),
            (Err(index), rest) => {
                let mut below = Paths::default();
                if let Some(rest) = rest {
                    below.insert(rest);
                }
                self.0.insert(index, (name.to_owned(), below));
            }
        }
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| shortlex(known, name))
    }

    fn get(&self, name: &str) -> Option<&Paths> {
        self.find(name).ok().map(|index| &self.0[index].1)
    }
}

/// Most comparisons end at the length: this is asked for every field of every document.
fn shortlex(one: &str, two: &str) -> std::cmp::Ordering {
    one.len().cmp(&two.len()).then_with(|| one.cmp(two))
}

impl<'p> FromIterator<&'p str> for Paths {
    fn from_iter<I: IntoIterator<Item = &'p str>>(paths: I) -> Self {
        let paths = paths.into_iter();
        let mut tree = Paths(Vec::with_capacity(paths.size_hint().0.max(16)));
        paths.for_each(|path| tree.insert(path));
        tree
    }
}

impl Fields {
    /// Every field.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only these dotted paths.
    pub fn only<'p>(paths: impl IntoIterator<Item = &'p str>) -> Self {
        Self { only: Some(paths.into_iter().collect()), except: Paths::default() }
    }

    /// All but these dotted paths.
    pub fn except<'p>(paths: impl IntoIterator<Item = &'p str>) -> Self {
        Self { only: None, except: paths.into_iter().collect() }
    }

    /// What a resource shows by itself: its datasource projection (CFG-14).
    pub fn of(resource: &Resource, settings: &Settings) -> Self {
        super::projection::of_resource(resource, settings)
    }

    /// Leaves out these dotted paths too.
    #[must_use]
    pub fn without<'p>(mut self, paths: impl IntoIterator<Item = &'p str>) -> Self {
        paths.into_iter().for_each(|path| self.except.insert(path));
        self
    }

    /// The view on a whole document.
    pub fn cut(&self) -> Cut<'_> {
        Cut { only: self.only.as_ref(), except: Some(&self.except).filter(|paths| !paths.0.is_empty()) }
    }

    /// Takes away what is not seen. Order stays.
    pub fn apply(&self, document: &mut Document) {
        self.cut().apply(document);
    }
}

/// The part of [`Fields`] that concerns one document or array within another.
#[derive(Clone, Copy)]
pub struct Cut<'f> {
    only: Option<&'f Paths>,
    except: Option<&'f Paths>,
}

impl<'f> Cut<'f> {
    /// What is seen of the field; `None`: nothing.
    pub fn field(self, name: &str) -> Option<Cut<'f>> {
        let part = |below: &'f Paths| Some(below).filter(|below| !below.0.is_empty());
        let only = match self.only {
            None => None,
            Some(paths) => part(paths.get(name)?),
        };
        let except = match self.except.and_then(|paths| paths.get(name)) {
            None => None,
            Some(below) => Some(part(below)?),
        };
        Some(Cut { only, except })
    }

    /// Nothing is left out.
    pub fn is_whole(self) -> bool {
        self.only.is_none() && self.except.is_none()
    }

    fn apply(self, document: &mut Document) {
        let whole = |name: &String| self.field(name).is_some_and(Cut::is_whole);
        if self.is_whole() || document.keys().all(whole) {
            return;
        }
        let seen = std::mem::take(document).into_iter().filter_map(|(name, value)| {
            let value = self.field(&name)?.value(value)?;
            Some((name, value))
        });
        *document = seen.collect();
    }

    /// What is seen of a field's value.
    pub fn value(self, value: Bson) -> Option<Bson> {
        match value {
            value if self.is_whole() => Some(value),
            Bson::Document(mut inner) => {
                self.apply(&mut inner);
                Some(Bson::Document(inner))
            }
            Bson::Array(items) => Some(Bson::Array(items.into_iter().filter_map(|item| self.value(item)).collect())),
            // A scalar has none of the parts that are asked for by name.
            scalar => self.only.is_none().then_some(scalar),
        }
    }
}
