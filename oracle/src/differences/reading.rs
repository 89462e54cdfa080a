//! What reads show, and how errors are told.

use serde_json::Value;

use crate::compare::{Mismatch, Place};
use crate::world::members;

use super::{Case, Difference};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference { id: "location", explains: location, parts: false },
    Difference { id: "links", explains: links, parts: false },
    Difference { id: "automatic-fields", explains: automatic_fields, parts: false },
    Difference { id: "projection-values", explains: projection_values, parts: false },
    Difference { id: "dotted-exclusion", explains: dotted_exclusion, parts: false },
    Difference { id: "exclusions", explains: exclusions, parts: false },
    Difference { id: "hidden-fields", explains: hidden_fields, parts: false },
    Difference { id: "order", explains: order, parts: true },
    Difference { id: "store-id", explains: store_id, parts: false },
    Difference { id: "pretty-head", explains: pretty_head, parts: false },
    Difference { id: "schema-names", explains: schema_names, parts: false },
    Difference { id: "options-nowhere", explains: options_nowhere, parts: false },
    Difference { id: "path-encoding", explains: path_encoding, parts: false },
    Difference { id: "trailing-slash", explains: trailing_slash, parts: true },
    Difference { id: "no-500", explains: no_500, parts: true },
    Difference { id: "pages", explains: pages, parts: false },
    Difference { id: "debug-texts", explains: debug_texts, parts: false },
    Difference { id: "first-fault", explains: first_fault, parts: false },
    Difference { id: "roles", explains: roles, parts: false },
    Difference { id: "shown-owners", explains: shown_owners, parts: false },
];

/// RESP-08: Eve resolves the document's path against the request's, which doubles its last segments.
fn location(case: &Case<'_>) -> bool {
    case.all(is_location)
}

/// Whether it is about where something is, whatever else a case is about.
pub(super) fn is_of_links(mismatch: &Mismatch) -> bool {
    is_location(mismatch) || is_link(mismatch)
}

fn is_location(mismatch: &Mismatch) -> bool {
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
        is_of_links(mismatch)
            || (spans && matches!(&mismatch.place, Place::Body(path) if path.last().is_some_and(|name| name == "href")))
    })
}

fn is_link(mismatch: &Mismatch) -> bool {
    let Place::Body(path) = &mismatch.place else { return false };
    path.last().is_some_and(|name| name == "href")
        && (mismatch.values.reference.contains('<') || path.iter().any(|name| name == "related"))
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

/// PROJ-04.
fn dotted_exclusion(case: &Case<'_>) -> bool {
    let projection = case.step.parameter(&case.world.words.projection).and_then(|text| serde_json::from_str(text).ok());
    let excluded =
        |value: &Value| members(value).any(|(name, shown)| name.contains('.') && *shown != 1 && *shown != true);
    projection.is_some_and(|projection: Value| excluded(&projection))
        && case.all(|mismatch| matches!(mismatch.place, Place::Body(_)) && mismatch.values.tested == "(none)")
}

/// PROJ-05: what a datasource excludes stays hidden with allow_unknown, too.
fn exclusions(case: &Case<'_>) -> bool {
    let asked = case.step.parameter(&case.world.words.projection).is_some();
    let hides = case.resource().is_some_and(|resource| resource.allow_unknown && (asked || resource.projects()));
    hides && case.all(|mismatch| matches!(mismatch.place, Place::Body(_)) && mismatch.values.tested == "(none)")
}

/// Decisions 23: nobody learns of a hidden field by asking for it.
fn hidden_fields(case: &Case<'_>) -> bool {
    let body = &case.answers.tested.body;
    case.statuses().1 == 400
        && (body.contains("filter on '") || body.contains("sort on '"))
        && body.contains("not allowed")
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

/// LIST-06: the store's own id beside another id field shows in answers to writes, too.
fn store_id(case: &Case<'_>) -> bool {
    let own = case.resource().is_some_and(|resource| resource.id_field != "_id");
    let is_id = |path: &[String]| path.last().is_some_and(|name| name == "_id");
    own && case.all(|mismatch| {
        matches!(&mismatch.place, Place::Body(path) if is_id(path)) && mismatch.values.reference == "(none)"
    })
}

/// URL-15: HEAD has the length of what GET would send.
fn pretty_head(case: &Case<'_>) -> bool {
    let pretty = case.step.parameter("pretty").is_some();
    pretty && case.all(|mismatch| mismatch.place == Place::Header("content-length".to_owned()))
}

/// HOME-05: what is a name in the domain file is shown by it.
fn schema_names(case: &Case<'_>) -> bool {
    let old = ["keysrules", "valuesrules", "keyschema", "valueschema"];
    let operators = ["anyof", "allof", "oneof", "noneof"];
    let renamed =
        |name: &String| old.contains(&name.as_str()) || operators.iter().any(|operator| name.starts_with(operator));
    case.all(|mismatch| {
        let renamed = matches!(&mismatch.place, Place::Body(path) if path.last().is_some_and(renamed));
        renamed || mismatch.values.reference == "\"<callable>\""
    })
}

/// Eve answers OPTIONS with 200 at any path.
fn options_nowhere(case: &Case<'_>) -> bool {
    let overridden = case.step.header("X-HTTP-Method-Override") == Some("OPTIONS");
    (case.step.method == "OPTIONS" || overridden) && case.statuses() == (200, 404)
}

/// URL-06: what is no UTF-8 is the value of nothing.
fn path_encoding(case: &Case<'_>) -> bool {
    case.step.path.contains("%ff") && case.statuses().1 == 404
}

/// URL-09: behind what spans slashes, too, a slash at the end means nothing.
fn trailing_slash(case: &Case<'_>) -> bool {
    case.step.path.ends_with('/') && case.resource().is_some_and(|resource| resource.item_url == "path")
}

/// Where Eve fails, the request is refused, or what is wrong with it ignored.
fn no_500(case: &Case<'_>) -> bool {
    let (reference, tested) = case.statuses();
    // RESP-05: a bad name for a function is refused before anything else is found wrong.
    let unnamed = tested == 400 && case.answers.tested.body.contains("Invalid JSONP callback name");
    // VER-09: where nothing has versions, Eve looks for them, by a `where` that items ignore.
    let versions = matches!(case.step.parameter("version"), Some("all" | "diffs")) && (reference, tested) == (400, 200);
    (reference == 500 && tested != 500) || unnamed || versions
}

/// PAGE-03: a page is a number of 64 bits.
fn pages(case: &Case<'_>) -> bool {
    case.step.parameter(&case.world.words.page).is_some_and(|page| page.len() > 18)
        && case.all(
            |mismatch| matches!(&mismatch.place, Place::Body(path) if path.last().is_some_and(|name| name == "href")),
        )
}

/// ERR-03: with DEBUG on, what parsers and drivers say is their own.
fn debug_texts(case: &Case<'_>) -> bool {
    let (reference, tested) = case.statuses();
    case.world.domain["DEBUG"] == true
        && reference == tested
        && matches!(reference, 400 | 409)
        && case.all(|mismatch| matches!(&mismatch.place, Place::Body(path) if path.last().is_some_and(|name| name == "message")))
}

/// Decisions 17: whoever is known, but may not, is told so.
fn roles(case: &Case<'_>) -> bool {
    case.world.tokens && case.statuses() == (401, 403)
}

/// URRA-04: whose a document is shows only where the schema says so.
fn shown_owners(case: &Case<'_>) -> bool {
    let Some(resource) = case.resource().filter(|resource| case.world.tokens && resource.allow_unknown) else {
        return false;
    };
    let owner = resource.settings.get("auth_field").unwrap_or(&case.world.domain["AUTH_FIELD"]).as_str();
    case.all(|mismatch| {
        let last = |path: &[String]| path.last().map(String::as_str) == owner;
        matches!(&mismatch.place, Place::Body(path) if last(path)) && mismatch.values.tested == "(none)"
    })
}

/// Of several faults another one may be told.
fn first_fault(case: &Case<'_>) -> bool {
    case.statuses() == (400, 400)
        && case.step.query.len() > 1
        && case.all(|mismatch| matches!(&mismatch.place, Place::Body(path) if path.last().is_some_and(|name| name == "message")))
}
