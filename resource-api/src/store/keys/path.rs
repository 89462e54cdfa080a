//! Dotted paths, and the components of indexes and sorts that they are.

/// A dotted path, split once.
pub(in crate::store) type Path = Box<[Segment]>;

#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) struct Segment {
    pub name: Box<str>,
    /// The segment as a position in an array.
    pub position: Option<usize>,
}

/// A component of an index or of a sort.
#[derive(Debug, Clone)]
pub(in crate::store) struct Component {
    /// As written, to compare with the paths of filters.
    pub field: String,
    pub path: Path,
    pub descending: bool,
}

impl Component {
    pub(in crate::store) fn new(field: &str, descending: bool) -> Self {
        Self { field: field.to_owned(), path: field.split('.').map(Segment::new).collect(), descending }
    }
}

impl Segment {
    fn new(name: &str) -> Self {
        let canonical = name == "0" || !name.starts_with('0');
        let digits = name.bytes().all(|byte| byte.is_ascii_digit());
        Self { name: name.into(), position: if canonical && digits { name.parse().ok() } else { None } }
    }
}
