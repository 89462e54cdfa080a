//! Field rules: Cerberus's and Eve's own (contract sections 2.3 and 16), parsed and checked at start (CFG-18).

use std::sync::Arc;

use bson::Bson;
use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::TextPattern;

/// Fields by name, in the file's order. Every write looks each of its names up several times; what is in it no client decides.
pub type Schema = IndexMap<String, Field, RandomState>;

/// All rules of one field.
#[derive(Debug, Clone, Default)]
pub struct Field {
    /// Empty: any type.
    pub types: Vec<FieldType>,
    /// For each of `types` the one of the domain's own that narrows it; empty where there are none.
    pub custom: Vec<Option<Arc<CustomType>>>,
    /// Whether `type` was written as a list, which its message shows (VAL-04).
    pub type_list: bool,
    /// The rules in the file's order, `type` aside (VAL: "then the rest in schema order").
    pub rules: Vec<Rule>,
}

/// An entry of TYPES (contract 2.4).
#[derive(Debug)]
pub struct CustomType {
    pub name: String,
    pub base: FieldType,
    /// Bounds and patterns.
    pub rules: Vec<Rule>,
}

/// The first argument of a rule, if the field has it.
macro_rules! argument {
    ($field:expr, $pattern:pat => $value:expr) => {
        $field.rules.iter().find_map(|rule| match rule {
            $pattern => Some($value),
            _ => None,
        })
    };
}

impl Field {
    /// The types with what narrows them.
    pub fn narrowed_types(&self) -> impl Iterator<Item = (FieldType, Option<&CustomType>)> {
        let custom = |index| self.custom.get(index).and_then(Option::as_deref);
        self.types.iter().enumerate().map(move |(index, kind)| (*kind, custom(index)))
    }

    pub fn is(&self, wanted: FieldType) -> bool {
        self.types.contains(&wanted)
    }

    /// An index takes a list's elements, not the list.
    pub fn may_be_list(&self) -> bool {
        let list = |kind: &FieldType| matches!(kind, FieldType::List | FieldType::Set | FieldType::Container);
        self.types.is_empty() || self.types.iter().any(list)
    }

    pub fn nullable(&self) -> bool {
        argument!(self, Rule::Nullable(nullable) => *nullable).unwrap_or(false)
    }

    pub fn readonly(&self) -> bool {
        argument!(self, Rule::ReadOnly(readonly) => *readonly).unwrap_or(false)
    }

    /// `None` where `require_all` decides.
    pub fn required(&self) -> Option<bool> {
        argument!(self, Rule::Required(required) => *required)
    }

    /// `schema` of a dict.
    pub fn fields(&self) -> Option<&Schema> {
        argument!(self, Rule::Fields(fields) => fields)
    }

    /// `schema` of a list.
    pub fn elements(&self) -> Option<&Field> {
        argument!(self, Rule::Elements(element) => element.as_ref())
    }

    /// The reference this field is, itself or in its list elements (LINK-09, EMB-02).
    pub fn data_relation(&self) -> Option<&DataRelation> {
        argument!(self, Rule::DataRelation(relation) => relation)
            .or_else(|| argument!(self.elements()?, Rule::DataRelation(relation) => relation))
    }

    pub fn allow_unknown(&self) -> Option<&AllowUnknown> {
        argument!(self, Rule::AllowUnknown(allowed) => allowed)
    }

    pub fn purge_unknown(&self) -> Option<bool> {
        argument!(self, Rule::PurgeUnknown(purge) => *purge)
    }

    pub fn require_all(&self) -> Option<bool> {
        argument!(self, Rule::RequireAll(all) => *all)
    }
}

/// The types of `type`; those from [`FieldType::ObjectId`] on are Eve's own (contract 2.3).
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

impl FieldType {
    /// Every type with its name in a domain file. Media is known, but not served by this version.
    pub const NAMES: [(&'static str, FieldType); 25] = [
        ("string", FieldType::String),
        ("boolean", FieldType::Boolean),
        ("integer", FieldType::Integer),
        ("float", FieldType::Float),
        ("number", FieldType::Number),
        ("datetime", FieldType::Datetime),
        ("date", FieldType::Date),
        ("dict", FieldType::Dict),
        ("list", FieldType::List),
        ("binary", FieldType::Binary),
        ("set", FieldType::Set),
        ("container", FieldType::Container),
        ("objectid", FieldType::ObjectId),
        ("decimal", FieldType::Decimal),
        ("dbref", FieldType::DbRef),
        ("media", FieldType::Media),
        ("point", FieldType::Point),
        ("linestring", FieldType::LineString),
        ("polygon", FieldType::Polygon),
        ("multipoint", FieldType::MultiPoint),
        ("multilinestring", FieldType::MultiLineString),
        ("multipolygon", FieldType::MultiPolygon),
        ("geometrycollection", FieldType::GeometryCollection),
        ("feature", FieldType::Feature),
        ("featurecollection", FieldType::FeatureCollection),
    ];

    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
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
    Regex {
        written: String,
        compiled: TextPattern,
    },
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

impl DefaultSetter {
    pub const NAMES: [(&'static str, DefaultSetter); 4] = [
        ("utcnow", DefaultSetter::UtcNow),
        ("uuid4", DefaultSetter::Uuid4),
        ("objectid", DefaultSetter::ObjectId),
        ("subject", DefaultSetter::Subject),
    ];
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

impl Coercion {
    pub const NAMES: [(&'static str, Coercion); 10] = [
        ("int", Coercion::Int),
        ("float", Coercion::Float),
        ("str", Coercion::Str),
        ("bool", Coercion::Bool),
        ("lower", Coercion::Lower),
        ("upper", Coercion::Upper),
        ("strip", Coercion::Strip),
        ("datetime", Coercion::Datetime),
        ("objectid", Coercion::ObjectId),
        ("json", Coercion::Json),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenameHandler {
    Lower,
    Upper,
    SnakeCase,
}

impl RenameHandler {
    pub const NAMES: [(&'static str, RenameHandler); 3] =
        [("lower", RenameHandler::Lower), ("upper", RenameHandler::Upper), ("snake_case", RenameHandler::SnakeCase)];
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

impl Check {
    pub const NAMES: [(&'static str, Check); 6] = [
        ("email", Check::Email),
        ("url", Check::Url),
        ("uuid", Check::Uuid),
        ("ip", Check::Ip),
        ("hostname", Check::Hostname),
        ("slug", Check::Slug),
    ];
}
