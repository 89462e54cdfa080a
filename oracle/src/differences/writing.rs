//! Bodies, validation and what edits do.

use serde_json::Value;

use crate::compare::Place;
use crate::step::Body;
use crate::world::members;

use super::{Case, Difference, parts_silently};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference { id: "unique-in-bulk", explains: unique_in_bulk, parts: true },
    Difference { id: "half-bulk", explains: never, parts: true },
    Difference { id: "later-fields", explains: later_fields, parts: false },
    Difference { id: "exceptions", explains: exceptions, parts: true },
    Difference { id: "converted", explains: converted, parts: true },
    Difference { id: "reasons", explains: reasons, parts: false },
    Difference { id: "numbers", explains: numbers, parts: true },
    Difference { id: "null-names", explains: null_names, parts: false },
    Difference { id: "not-a-document", explains: not_a_document, parts: false },
    Difference { id: "content-type", explains: content_type, parts: true },
    Difference { id: "dotted-names", explains: dotted_names, parts: true },
    Difference { id: "projected-etag", explains: projected_etag, parts: true },
    Difference { id: "same-put", explains: same_put, parts: true },
    Difference { id: "merge-over-values", explains: merge_over_values, parts: true },
    Difference { id: "hidden-merges", explains: hidden_merges, parts: true },
    Difference { id: "immutable-ids", explains: immutable_ids, parts: true },
    Difference { id: "zero-ids", explains: zero_ids, parts: true },
    Difference { id: "repeated-messages", explains: repeated_messages, parts: false },
    Difference { id: "text-dependencies", explains: text_dependencies, parts: false },
    Difference { id: "operator-names", explains: operator_names, parts: true },
    Difference { id: "stored-links", explains: stored_links, parts: true },
    Difference { id: "writes-projection", explains: writes_projection, parts: true },
    Difference { id: "lost-fields", explains: lost_fields, parts: true },
    Difference { id: "given-away", explains: given_away, parts: true },
    Difference { id: "public-references", explains: public_references, parts: true },
];

/// POST-11: unique rules hold within one request, too.
fn unique_in_bulk(case: &Case<'_>) -> bool {
    let several = matches!(&case.step.body, Body::Json(Value::Array(items)) if items.len() > 1);
    let (reference, tested) = case.statuses();
    several
        && matches!(reference, 201 | 409)
        && tested == case.world.status_of_invalid()
        && case.answers.tested.body.contains("is not unique")
}

/// SER-01: where a dotted name has no room, it stays what it is.
fn lost_fields(case: &Case<'_>) -> bool {
    parts_silently(case.world, case.step, case.answers) == Some("lost-fields")
}

/// URRA-04: an edit leaves a document with its owner, also where the schema has the field.
fn given_away(case: &Case<'_>) -> bool {
    let Some(resource) = case.resource().filter(|_| case.world.tokens && case.step.action() == "PATCH") else {
        return false;
    };
    let owner = resource.settings.get("auth_field").and_then(Value::as_str);
    owner.is_some_and(|owner| matches!(&case.step.body, Body::Json(body) if body.get(owner).is_some()))
}

/// VAL-45: an edit may refer to what everybody may read.
fn public_references(case: &Case<'_>) -> bool {
    case.world.tokens
        && matches!(case.step.action().as_str(), "PUT" | "PATCH")
        && case.statuses().0 == case.world.status_of_invalid()
        && case.statuses().1 < 300
        && case.world.resources.iter().any(|resource| {
            let told = format!("must exist in resource '{}'", resource.key);
            resource.settings.contains_key("public_methods") && case.answers.reference.body.contains(&told)
        })
}

/// Told by [`parts_silently`] alone.
fn never(_: &Case<'_>) -> bool {
    false
}

/// Eve reads no field after one that it can't read.
fn later_fields(case: &Case<'_>) -> bool {
    let issues = &case.world.words.issues;
    case.statuses().0 == case.world.status_of_invalid()
        && case.all(|mismatch| {
            let Place::Body(path) = &mismatch.place else { return false };
            let tested = &mismatch.values.tested;
            // What was read is then asked for, and may not be there.
            let read = tested == "(none)" || tested.contains("must exist in resource");
            // One of them is what it ended at.
            path.contains(issues) && case.answers.reference.body.contains(" type\"") && read
        })
        && case.answers.tested.body.contains(issues)
}

/// Where Eve's validation fails by itself, what is wrong with the document is told.
fn exceptions(case: &Case<'_>) -> bool {
    // What POST tells of it, the others do not.
    let edit = matches!(case.step.action().as_str(), "PUT" | "PATCH")
        && case.statuses() == (400, case.world.status_of_invalid())
        && case.answers.tested.body.contains(&case.world.words.issues);
    edit || case.answers.reference.body.contains("\"exception\": ")
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
    // An id of digits and one `e` is Infinity to a form whose fields are JSON.
    let endless =
        |text: &str| text.contains("4e00000000") && case.world.domain["MULTIPART_FORM_FIELDS_AS_JSON"] == true;
    match &case.step.body {
        Body::Text(text) if endless(text) => true,
        Body::Form(fields) => fields.iter().any(|(_, value)| endless(value)),
        Body::Text(text) if text.contains("12345678901234567890") => true,
        Body::Text(text) => {
            ["NaN", "Infinity", "1e400", "\\ud800"].iter().any(|odd| text.contains(odd)) && case.statuses().1 == 400
        }
        Body::Json(body) => {
            let told = |kind| case.answers.tested.body.contains(&format!("must be of {kind} type"));
            body.to_string().contains("1e+20") && (told("integer") || told("decimal"))
        }
        _ => false,
    }
}

/// BSON has no names with a null character.
fn null_names(case: &Case<'_>) -> bool {
    case.answers.tested.body.contains("has a null character")
}

/// POST-02, PUT-04: what is no document is refused as such, also where the URL has a field for it.
fn not_a_document(case: &Case<'_>) -> bool {
    let text = match &case.step.body {
        Body::Json(body) => body.is_string(),
        Body::Text(text) => text.starts_with('"'),
        _ => false,
    };
    if text && case.step.action() == "POST" {
        return true;
    }
    let told = ["is not a document, must be a dict", "document is missing"];
    told.iter().any(|text| case.answers.tested.body.contains(text))
        && matches!(case.answers.reference.status, 400 | 422)
}

/// RFC 9110, 8.3.1: types are compared without regard to case and blanks.
fn content_type(case: &Case<'_>) -> bool {
    let kind = case.step.header("Content-Type").unwrap_or_default();
    let plain = kind.split(';').next().unwrap_or_default();
    plain != plain.trim().to_ascii_lowercase() && case.answers.reference.body.contains("Content-Type header supplied")
}

/// NORMALIZE_DOTTED_FIELDS off: no name is split, at any depth and by no write.
fn dotted_names(case: &Case<'_>) -> bool {
    parts_silently(case.world, case.step, case.answers) == Some("dotted-names")
}

/// ETAG-03, URRA-07: where a projection hides the ETag from Eve, no If-Match is right.
fn projected_etag(case: &Case<'_>) -> bool {
    let shown = case.resource().is_some_and(|resource| resource.allow_unknown && resource.projects());
    let (reference, tested) = case.statuses();
    let projects = case.step.parameter(&case.world.words.projection).is_some();
    let edits = shown && matches!(case.step.action().as_str(), "PATCH" | "PUT");
    let open = case.resource().is_some_and(|resource| resource.allow_unknown) && projects;
    let owned = case.world.tokens && case.resource().is_some_and(|resource| resource.allow_unknown);
    edits
        || (owned && reference == 412 && case.step.action() == "PUT")
        || (shown && reference == 412 && tested != 412)
        || ((shown || open) && matches!((reference, tested), (200, 304) | (304, 200)))
}

/// PUT-08: the same content in the same second is no conflict.
fn same_put(case: &Case<'_>) -> bool {
    case.step.action() == "PUT" && case.statuses() == (412, 200)
}

/// PATCH-06: a dict takes the place of what is none; Eve fails.
fn merge_over_values(case: &Case<'_>) -> bool {
    case.step.action() == "PATCH" && matches!(case.statuses(), (400, 200 | 400))
}

/// PATCH-06: a dict that the datasource hides is merged with what it holds; Eve, which has not read it, replaces it.
fn hidden_merges(case: &Case<'_>) -> bool {
    let Body::Json(body) = &case.step.body else { return false };
    let hides = |name: &str| case.resource().is_some_and(|resource| resource.hides(name));
    case.step.action() == "PATCH"
        && case.statuses() == (200, 200)
        && members(body).any(|(name, value)| match name.split_once('.') {
            Some((above, _)) => hides(above),
            None => value.is_object() && hides(name),
        })
}

/// PATCH-08: an id field never changes, whatever its name is.
fn immutable_ids(case: &Case<'_>) -> bool {
    let own = case.resource().is_some_and(|resource| resource.id_field != "_id");
    own && case.statuses() == (200, 400) && case.answers.tested.body.contains("immutable field")
}

/// VAL-43, LINK-01: a document whose id is 0 or "" is no duplicate of itself, and has a link of its own.
fn zero_ids(case: &Case<'_>) -> bool {
    let (reference, tested) = case.statuses();
    let zero = case.step.path.ends_with("/0") || case.step.path.ends_with('/');
    let links = case
        .all(|mismatch| matches!(&mismatch.place, Place::Body(path) if path.first() == Some(&case.world.words.links)));
    zero && ((reference == case.world.status_of_invalid() && tested == 200) || (reference == tested && links))
}

/// VAL-42: no message is told twice.
fn repeated_messages(case: &Case<'_>) -> bool {
    case.all(|mismatch| {
        let messages = |text: &str| serde_json::from_str::<Vec<String>>(text).ok();
        let (reference, tested) = (messages(&mismatch.values.reference), messages(&mismatch.values.tested));
        let once = |mut messages: Vec<String>| {
            messages.sort();
            messages.dedup();
            messages
        };
        // A single one is no list, unless VALIDATION_ERROR_AS_LIST says so.
        let tested = tested.or_else(|| Some(vec![serde_json::from_str::<String>(&mismatch.values.tested).ok()?]));
        reference.zip(tested).is_some_and(|(reference, tested)| once(reference) == once(tested))
    })
}

/// VAL-42: a dependency that is a text is one name, and within a document no stored field meets it.
fn text_dependencies(case: &Case<'_>) -> bool {
    let depends = |rules: &Value| rules.to_string().contains("\"dependencies\":\"");
    matches!(case.step.action().as_str(), "PUT" | "PATCH")
        && case.resource().is_some_and(|resource| resource.schema.values().any(depends))
        && case.all(|mismatch| {
            matches!(&mismatch.place, Place::Body(path) if path.contains(&case.world.words.issues))
                && mismatch.values.reference.contains("unknown field")
                && mismatch.values.tested == "(none)"
        })
}

/// VAL-36: names that begin as operators do are names, to PUT as to POST.
fn operator_names(case: &Case<'_>) -> bool {
    let Body::Json(body) = &case.step.body else { return false };
    case.step.action() == "PUT" && case.statuses() == (400, 200) && members(body).any(|(name, _)| name.starts_with('$'))
}

/// POST-07: links are the answer's own, whatever a document holds under their name.
fn stored_links(case: &Case<'_>) -> bool {
    let links = case.world.domain["LINKS"].as_str().unwrap_or("_links");
    let sent = matches!(&case.step.body, Body::Json(body) if body.to_string().contains(&format!("\"{links}")));
    sent && case.resource().is_some_and(|resource| resource.allow_unknown)
}

/// The parameters of reads mean nothing to writes.
fn writes_projection(case: &Case<'_>) -> bool {
    let asked = case.step.parameter(&case.world.words.projection).is_some();
    asked && matches!(case.step.action().as_str(), "PATCH" | "PUT" | "DELETE") && case.statuses().0 == 400
}
