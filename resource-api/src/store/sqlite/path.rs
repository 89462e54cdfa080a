//! Dotted paths, and the components of indexes and sorts that they are.

/// A dotted path, split once.
pub(super) type Path = Box<[Segment]>;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    pub name: Box<str>,
    /// The segment as a position in an array.
    pub position: Option<usize>,
}

/// A component of an index or of a sort.
#[derive(Debug, Clone)]
pub(super) struct Component {
    /// As written, to compare with the paths of filters.
    pub field: String,
    pub path: Path,
    pub descending: bool,
}

impl Component {
    pub(super) fn new(field: &str, descending: bool) -> Self {
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
