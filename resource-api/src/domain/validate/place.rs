//! Where in a document a value lies, kept on the stack; it costs nothing until something is wrong.

use bson::{Bson, Document};

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Crumb {
    Index(usize),
    Name(String),
}

impl std::fmt::Display for Crumb {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Crumb::Index(index) => write!(formatter, "{index}"),
            Crumb::Name(name) => formatter.write_str(name),
        }
    }
}

/// A path from the root down to a value.
#[derive(Clone, Copy)]
pub enum Place<'p> {
    Root,
    Name { above: &'p Place<'p>, name: &'p str },
    Index { above: &'p Place<'p>, index: usize },
}

impl<'p> Place<'p> {
    pub fn name<'q>(&'q self, name: &'q str) -> Place<'q>
    where
        'p: 'q,
    {
        Place::Name { above: self, name }
    }

    pub fn index<'q>(&'q self, index: usize) -> Place<'q>
    where
        'p: 'q,
    {
        Place::Index { above: self, index }
    }

    pub fn is_root(&self) -> bool {
        matches!(self, Place::Root)
    }

    pub fn crumbs(&self) -> Vec<Crumb> {
        match self {
            Place::Root => Vec::new(),
            Place::Name { above, name } => {
                let mut crumbs = above.crumbs();
                crumbs.push(Crumb::Name((*name).to_owned()));
                crumbs
            }
            Place::Index { above, index } => {
                let mut crumbs = above.crumbs();
                crumbs.push(Crumb::Index(*index));
                crumbs
            }
        }
    }

    /// The last step, as messages name it.
    pub fn field(&self) -> String {
        match self {
            Place::Root => String::new(),
            Place::Name { name, .. } => (*name).to_owned(),
            Place::Index { index, .. } => index.to_string(),
        }
    }

    /// The dotted path a query uses: list positions are left out (VAL-43).
    pub fn query_path(&self) -> String {
        match self {
            Place::Root => String::new(),
            Place::Index { above, .. } => above.query_path(),
            Place::Name { above, name } => match above.query_path() {
                path if path.is_empty() => (*name).to_owned(),
                path => format!("{path}.{name}"),
            },
        }
    }

    /// The value at this place of another document.
    pub fn find<'d>(&self, document: &'d Document) -> Option<&'d Bson> {
        match self {
            Place::Root => None,
            Place::Name { above: Place::Root, name } => document.get(name),
            Place::Name { above, name } => above.find(document)?.as_document()?.get(name),
            Place::Index { above, index } => above.find(document)?.as_array()?.get(*index),
        }
    }
}
