//! Field rules: Cerberus's and Eve's own (contract sections 2.3 and 16), parsed and checked at start (CFG-18).

use bson::Bson;
use indexmap::IndexMap;

/// Fields by name, in the file's order.
pub type Schema = IndexMap<String, Field>;

/// All rules of one field.
#[derive(Debug, Clone, Default)]
pub struct Field {
    /// Empty: any type.
    pub types: Vec<FieldType>,
    /// The rules in the file's order, `type` aside (VAL: "then the rest in schema order").
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    String,
    Boolean,
    Integer,
    Float,
    Number,
    Datetime,
    Date,
    Dict,
    List,
    Binary,
    Set,
    Container,
    ObjectId,
    Decimal,
    DbRef,
    Media,
    Point,
    LineString,
    Polygon,
    MultiPoint,
    MultiLineString,
    MultiPolygon,
    GeometryCollection,
    Feature,
    FeatureCollection,
}

/// One rule with its parsed argument.
#[derive(Debug, Clone)]
pub enum Rule {
    Required(bool),
    Nullable(bool),
    Empty(bool),
    MinLength(u64),
    MaxLength(u64),
    Min(Bson),
    Max(Bson),
    Allowed(Vec<Bson>),
    Forbidden(Vec<Bson>),
    Contains(Vec<Bson>),
    Regex { written: String, compiled: Box<fancy_regex::Regex> },
    Items(Vec<Field>),
    /// `schema` of a dict.
    Fields(Schema),
    /// `schema` of a list.
    Elements(Box<Field>),
    KeysRules(Box<Field>),
    ValuesRules(Box<Field>),
    AllowUnknown(AllowUnknown),
    Excludes(Vec<String>),
    /// The names, or the raw mapping for the message of VAL-20.
    Dependencies(Dependencies),
    AnyOf(Vec<Field>),
    AllOf(Vec<Field>),
    OneOf(Vec<Field>),
    NoneOf(Vec<Field>),
    ReadOnly(bool),
    Unique,
    UniqueToUser,
    UniqueWithinResource,
    DataRelation(DataRelation),
    Versioned(bool),
    Default(Bson),
    DefaultSetter(DefaultSetter),
    Coerce(Vec<Coercion>),
    Rename(String),
    RenameHandler(Vec<RenameHandler>),
    PurgeUnknown(bool),
    RequireAll(bool),
    CheckWith(Vec<Check>),
}

#[derive(Debug, Clone)]
pub enum AllowUnknown {
    Any(bool),
    /// Unknown values must satisfy this.
    Rules(Box<Field>),
}

#[derive(Debug, Clone)]
pub enum Dependencies {
    Names(Vec<String>),
    Values(IndexMap<String, Bson>),
}

#[derive(Debug, Clone)]
pub struct DataRelation {
    pub resource: String,
    pub field: String,
    pub embeddable: bool,
    pub version: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultSetter {
    UtcNow,
    Uuid4,
    ObjectId,
    Subject,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coercion {
    Int,
    Float,
    Str,
    Bool,
    Lower,
    Upper,
    Strip,
    Datetime,
    ObjectId,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenameHandler {
    Lower,
    Upper,
    SnakeCase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Email,
    Url,
    Uuid,
    Ip,
    Hostname,
    Slug,
}
