//! What is wrong with a query.

use thiserror::Error;

/// Why a query string is refused; always a 400. The text is Eve's where Eve has one (ERR-01, ERR-03).
#[derive(Debug, Clone, PartialEq, Error)]
pub enum QueryError {
    /// FILT-01, FILT-02, FILT-08, FILT-09.
    #[error("Unable to parse `where` clause")]
    Where,
    /// FILT-03.
    #[error("Query contains unknown or unsupported operators: {}", .0.join(", "))]
    UnknownOperators(Vec<String>),
    /// FILT-04.
    #[error("Query contains operators banned in MONGO_QUERY_BLACKLIST")]
    BannedOperators,
    /// FILT-10, and hidden fields.
    #[error("filter on '{0}' not allowed")]
    FilterNotAllowed(String),
    /// FILT-12.
    #[error("filter on '{0}' is invalid")]
    FilterInvalid(String),
    /// An operator that is used wrongly, or not supported here (FILT-14).
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// SORT-03: what the parser says.
    #[error("Unable to parse `sort` clause: {0}")]
    Sort(&'static str),
    /// A hidden field.
    #[error("sort on '{0}' not allowed")]
    SortNotAllowed(String),
    /// PROJ-01, PROJ-06.
    #[error("Unable to parse `projection` clause")]
    Projection,
    /// EMB-01.
    #[error("Unable to parse `embedded` clause")]
    Embedded,
    /// What `after` says was never said by this service.
    #[error("the cursor in `after` can't be read")]
    Cursor,
    #[error("the cursor in `after` belongs to another query: it needs the same resource, `where` and `sort`")]
    ForeignCursor,
    #[error("the document that the cursor in `after` stands at has changed or gone: begin again without it")]
    LostCursor,
    /// More than one response is to bear.
    #[error(
        "`embedded` brings more than {documents} documents or {bytes} bytes: ask for fewer fields or a smaller page"
    )]
    EmbeddedTooLarge { documents: usize, bytes: usize },
}

impl QueryError {
    /// Whether a client is told the text; otherwise it gets the general one of 400, unless DEBUG is on (ERR-01, ERR-03).
    pub fn is_told(&self) -> bool {
        match self {
            QueryError::FilterNotAllowed(_)
            | QueryError::FilterInvalid(_)
            | QueryError::Filter(_)
            | QueryError::SortNotAllowed(_)
            | QueryError::Embedded
            | QueryError::Cursor
            | QueryError::ForeignCursor
            | QueryError::LostCursor
            | QueryError::EmbeddedTooLarge { .. } => true,
            QueryError::Where
            | QueryError::UnknownOperators(_)
            | QueryError::BannedOperators
            | QueryError::Sort(_)
            | QueryError::Projection => false,
        }
    }
}

/// Why MongoDB's syntax is no filter here.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FilterError {
    /// Known to MongoDB, but no store answers it.
    #[error("operator '{0}' is not supported")]
    Unsupported(String),
    #[error("operator '{0}' is unknown or out of place")]
    Unknown(String),
    #[error("operator '{operator}' expects {expected}")]
    Operand { operator: String, expected: &'static str },
    #[error("invalid regular expression: {0}")]
    Regex(String),
    #[error("invalid value of '{0}'")]
    Value(String),
    #[error("invalid field name '{0}'")]
    Path(String),
    #[error("the filter is nested too deeply")]
    TooDeep,
}
