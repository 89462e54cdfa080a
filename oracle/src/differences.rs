//! What resource-api does otherwise on purpose. Each has its row in docs/from-eve.md; a test holds the two together.

use crate::compare::{Mismatch, Place};
use crate::server::Answer;
use crate::state::Pair;
use crate::step::{Body, Step};
use crate::world::{Resource, World, members};

use serde_json::Value;

/// Two answers that are not the same, and what they answer.
pub struct Case<'a> {
    pub world: &'a World,
    pub step: &'a Step,
    pub answers: &'a Pair<Answer>,
    pub mismatches: &'a [Mismatch],
}

/// One deliberate difference.
pub struct Difference {
    /// Its id in the table.
    pub id: &'static str,
    /// Whether it explains every mismatch of a case.
    explains: fn(&Case<'_>) -> bool,
    /// Whether the two servers hold different documents afterwards.
    pub parts: bool,
}

/// The first that explains a case.
pub fn explain(case: &Case<'_>) -> Option<&'static Difference> {
    DIFFERENCES.iter().find(|difference| (difference.explains)(case))
}

pub const DIFFERENCES: &[Difference] = &[
    Difference { id: "location", explains: location, parts: false },
    Difference { id: "links", explains: links, parts: false },
    Difference { id: "no-500", explains: no_500, parts: true },
    Difference { id: "unique-in-bulk", explains: unique_in_bulk, parts: true },
    Difference { id: "later-fields", explains: later_fields, parts: false },
    Difference { id: "projected-etag", explains: projected_etag, parts: true },
    Difference { id: "automatic-fields", explains: automatic_fields, parts: false },
    Difference { id: "projection-values", explains: projection_values, parts: false },
    Difference { id: "dotted-exclusion", explains: dotted_exclusion, parts: false },
    Difference { id: "options-nowhere", explains: options_nowhere, parts: false },
    Difference { id: "null-names", explains: null_names, parts: false },
    Difference { id: "not-a-document", explains: not_a_document, parts: false },
    Difference { id: "unhashable", explains: unhashable, parts: true },
    Difference { id: "reasons", explains: reasons, parts: false },
    Difference { id: "numbers", explains: numbers, parts: true },
    Difference { id: "python-literals", explains: python_literals, parts: false },
    Difference { id: "field-names", explains: field_names, parts: false },
    Difference { id: "python-where", explains: python_where, parts: false },
    Difference { id: "hidden-fields", explains: hidden_fields, parts: false },
    Difference { id: "merge-over-values", explains: merge_over_values, parts: true },
    Difference { id: "first-fault", explains: first_fault, parts: false },
    Difference { id: "order", explains: order, parts: true },
    Difference { id: "converted", explains: converted, parts: true },
];

/// PROJ-04.
fn dotted_exclusion(case: &Case<'_>) -> bool {
    let projection = case.step.parameter(&case.world.words.projection).and_then(|text| serde_json::from_str(text).ok());
    let excluded =
        |value: &Value| members(value).any(|(name, shown)| name.contains('.') && *shown != 1 && *shown != true);
    projection.is_some_and(|projection: Value| excluded(&projection))
        && case.all(|mismatch| matches!(mismatch.place, Place::Body(_)) && mismatch.values.tested == "(none)")
}

/// Eve answers OPTIONS with 200 at any path.
fn options_nowhere(case: &Case<'_>) -> bool {
    let overridden = case.step.header("X-HTTP-Method-Override") == Some("OPTIONS");
    (case.step.method == "OPTIONS" || overridden) && case.statuses() == (200, 404)
}

/// BSON has no names with a null character.
fn null_names(case: &Case<'_>) -> bool {
    case.answers.tested.body.contains("has a null character")
}

/// POST-02, PUT-04: what is no document is refused as such, also where the URL has a field for it.
fn not_a_document(case: &Case<'_>) -> bool {
    let told = ["is not a document, must be a dict", "document is missing"];
    told.iter().any(|text| case.answers.tested.body.contains(text))
        && matches!(case.answers.reference.status, 400 | 422)
}

/// Lists and dicts can be compared with `allowed`, `forbidden` and `contains`; Eve fails at some.
fn unhashable(case: &Case<'_>) -> bool {
    case.answers.reference.body.contains("unhashable type")
}

/// VAL-30: why a conversion failed is worded otherwise.
fn reasons(case: &Case<'_>) -> bool {
    case.all(|mismatch| {
        let before = |text: &str| text.split_once(": ").map(|(before, _)| before.to_owned());
        let (reference, tested) = (before(&mismatch.values.reference), before(&mismatch.values.tested));
        reference.is_some_and(|text| text.ends_with("cannot be coerced"))
            && tested.is_some_and(|text| text.ends_with("cannot be coerced"))
    })
}

/// REQ-05: only numbers that JSON knows and 64 bits hold.
fn numbers(case: &Case<'_>) -> bool {
    match &case.step.body {
        Body::Text(text) if text.contains("12345678901234567890") => {
            case.answers.tested.body.contains("must be of integer type") || case.statuses().0 == 500
        }
        Body::Text(text) => {
            ["NaN", "Infinity", "1e400", "\\ud800"].iter().any(|odd| text.contains(odd)) && case.statuses().1 == 400
        }
        Body::Json(body) => {
            body.to_string().contains("1e+20")
                && case.all(|mismatch| mismatch.values.tested.contains("must be of integer type"))
        }
        _ => false,
    }
}

/// FILT-06: numbers are decimal, strings are plain.
fn python_literals(case: &Case<'_>) -> bool {
    let odd = ["==0x10", "==1_000", "==1e400", "==u'a'", "==b'a'", "==f'a'", "=='a' 'b'"];
    let filter = case.filter();
    odd.iter().any(|odd| filter.contains(odd)) && case.statuses().1 == 400
}

/// SORT-03: any name is one of a field, in `where` too.
fn field_names(case: &Case<'_>) -> bool {
    let sort = case.step.parameter(&case.world.words.sort).unwrap_or_default();
    let odd = [".0", ".1", "class", "from", ".is", "1a", "in"];
    case.statuses() == (400, 200) && odd.iter().any(|odd| case.filter().contains(odd) || sort.contains(odd))
}

/// FILT-09: what is no comparison of a field with a value is refused; negative numbers, booleans and null are values.
fn python_where(case: &Case<'_>) -> bool {
    let filter = case.filter();
    !filter.trim_start().starts_with('{') && !filter.is_empty() && matches!(case.statuses(), (200, 200 | 400))
}

/// Decisions 23: nobody learns of a hidden field by asking for it.
fn hidden_fields(case: &Case<'_>) -> bool {
    let body = &case.answers.tested.body;
    case.statuses().1 == 400
        && (body.contains("filter on '") || body.contains("sort on '"))
        && body.contains("not allowed")
}

/// PATCH-06: a dict takes the place of what is none; Eve fails.
fn merge_over_values(case: &Case<'_>) -> bool {
    case.step.method == "PATCH" && case.statuses() == (400, 200)
}

/// Of several faults another one may be told.
fn first_fault(case: &Case<'_>) -> bool {
    case.statuses() == (400, 400)
        && case.step.query.len() > 1
        && case.all(|mismatch| matches!(&mismatch.place, Place::Body(path) if path.last().is_some_and(|name| name == "message")))
}

/// What is not sorted comes by id, also where the first of several is taken.
fn order(case: &Case<'_>) -> bool {
    let Some(resource) = case.resource() else { return false };
    let unique =
        |field: &str| field == "_id" || resource.schema.get(field).is_some_and(|rules| rules["unique"] == true);
    let vague =
        !unique(&resource.lookup_field) || resource.additional.as_ref().is_some_and(|(field, _)| !unique(field));
    vague && case.step.target.is_some() && matches!(case.step.method.as_str(), "GET" | "DELETE" | "PUT" | "PATCH")
}

/// SER-05: values are converted wherever their rules are.
fn converted(case: &Case<'_>) -> bool {
    let Some(resource) = case.resource() else { return false };
    let asks = |rules: &Value| {
        let rules = rules.to_string();
        ["valuesrules", "valueschema", "allow_unknown\":{", "items"].iter().any(|rule| rules.contains(rule))
    };
    let Body::Json(body) = &case.step.body else { return false };
    let fields = match body {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    };
    let rules = |name: &str| resource.schema.get(name.split('.').next().unwrap_or_default());
    fields.iter().flat_map(members).any(|(name, _)| rules(name).is_some_and(asks))
}

/// RESP-08: Eve resolves the document's path against the request's, which doubles its last segments.
fn location(case: &Case<'_>) -> bool {
    case.all(|mismatch| is_location(case, mismatch))
}

fn is_location(_: &Case<'_>, mismatch: &Mismatch) -> bool {
    let tail = |text: &str| text.rsplit('/').next().map(str::to_owned);
    let (reference, tested) = (&mismatch.values.reference, &mismatch.values.tested);
    mismatch.place == Place::Header("location".to_owned())
        && reference.len() > tested.len()
        && tail(reference) == tail(tested)
}

/// LINK-12: Eve shows the pattern of a url, or the path of the request in a link to elsewhere.
fn links(case: &Case<'_>) -> bool {
    let spans = case.resource().is_some_and(|resource| resource.item_url == "path");
    case.all(|mismatch| {
        is_location(case, mismatch)
            || is_link(mismatch)
            || (spans && matches!(&mismatch.place, Place::Body(path) if path.last().is_some_and(|name| name == "href")))
    })
}

fn is_link(mismatch: &Mismatch) -> bool {
    let Place::Body(path) = &mismatch.place else { return false };
    path.last().is_some_and(|name| name == "href")
        && (mismatch.values.reference.contains('<') || path.iter().any(|name| name == "related"))
}

/// Where Eve fails, the request is refused, or what is wrong with it ignored.
fn no_500(case: &Case<'_>) -> bool {
    let (reference, tested) = case.statuses();
    reference == 500 && tested != 500
}

/// POST-11: unique rules hold within one request, too.
fn unique_in_bulk(case: &Case<'_>) -> bool {
    let several = matches!(&case.step.body, Body::Json(Value::Array(items)) if items.len() > 1);
    several && case.statuses() == (201, 422) && case.answers.tested.body.contains("is not unique")
}

/// Eve reads no field after one that it can't read.
fn later_fields(case: &Case<'_>) -> bool {
    let issues = &case.world.words.issues;
    case.statuses().0 == case.world.status_of_invalid()
        && case.all(|mismatch| {
            let Place::Body(path) = &mismatch.place else { return false };
            path.contains(issues) && mismatch.values.reference.contains(" type\"") && mismatch.values.tested == "(none)"
        })
        && case.answers.tested.body.contains(issues)
}

/// ETAG-03, URRA-07: where a projection hides the ETag from Eve, no If-Match is right.
fn projected_etag(case: &Case<'_>) -> bool {
    let shown = case.resource().is_some_and(|resource| resource.allow_unknown && resource.projects());
    shown && case.statuses().0 == 412 && case.statuses().1 != 412
}

/// Dates and ETags are always those stored, whatever fields are asked for.
fn automatic_fields(case: &Case<'_>) -> bool {
    let words = &case.world.words;
    case.resource().is_some_and(|resource| resource.allow_unknown)
        && case.all(|mismatch| match &mismatch.place {
            Place::Body(path) => {
                path.last().is_some_and(|name| [&words.updated, &words.created, &words.etag].contains(&name))
            }
            Place::Header(name) => matches!(name.as_str(), "last-modified" | "etag"),
            _ => false,
        })
}

/// PROJ-06: what is neither 0 nor 1 is refused.
fn projection_values(case: &Case<'_>) -> bool {
    case.step.parameter(&case.world.words.projection).is_some()
        && matches!(case.statuses(), (200 | 404 | 304 | 500, 400))
}

impl Case<'_> {
    fn statuses(&self) -> (u16, u16) {
        (self.answers.reference.status, self.answers.tested.status)
    }

    fn filter(&self) -> &str {
        self.step.parameter(&self.world.words.filter).unwrap_or_default()
    }

    fn all(&self, holds: impl Fn(&Mismatch) -> bool) -> bool {
        self.mismatches.iter().all(holds)
    }

    fn resource(&self) -> Option<&Resource> {
        self.world.resource(self.step.resource.as_deref()?)
    }
}
