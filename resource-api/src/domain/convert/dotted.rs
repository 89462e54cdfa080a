//! `{"a.b": 1}` → `{"a": {"b": 1}}`, at every depth (SER-01).

use bson::{Bson, Document};

use super::DEEPEST;

/// Expands the dotted names. Where something else is in the way, or the result were too deep, a name stays as it is: an
/// unknown field's.
pub fn expand(document: &mut Document) {
    expand_at(document, 1);
}

/// `depth` is that of the document itself; the root's is 1.
fn expand_at(document: &mut Document, depth: usize) {
    let depth_below = |name: &str| depth + name.split('.').count();
    document.iter_mut().for_each(|(name, value)| expand_value(value, depth_below(name)));
    if !document.keys().any(|name| name.contains('.')) {
        return;
    }
    let (dotted, plain): (Vec<_>, Vec<_>) =
        std::mem::take(document).into_iter().partition(|(name, _)| name.contains('.'));
    document.extend(plain);
    for (name, value) in dotted {
        if depth_below(&name) <= DEEPEST && fits(document, &name) {
            insert(document, &name, value);
        } else {
            document.insert(name, value);
        }
    }
}

fn expand_value(value: &mut Bson, depth: usize) {
    match value {
        Bson::Document(document) => expand_at(document, depth),
        Bson::Array(items) => items.iter_mut().for_each(|item| expand_value(item, depth + 1)),
        _ => {}
    }
}

fn insert(document: &mut Document, name: &str, value: Bson) {
    let (above, last) = name.rsplit_once('.').unwrap_or(("", name));
    let mut target = document;
    for part in above.split('.') {
        let entry = target.entry(part).or_insert_with(|| Bson::Document(Document::new()));
        let Bson::Document(inner) = entry else { unreachable!("`fits` has looked at every step") };
        target = inner;
    }
    target.insert(last, value);
}

/// Whether every step above the last is a dict or free.
fn fits(document: &Document, name: &str) -> bool {
    let mut current = Some(document);
    let mut parts = name.split('.').peekable();
    while let Some(part) = parts.next() {
        if part.is_empty() {
            return false;
        }
        if parts.peek().is_none() {
            return true;
        }
        current = match current.and_then(|current| current.get(part)) {
            None => None,
            Some(Bson::Document(inner)) => Some(inner),
            Some(_) => return false,
        };
    }
    true
}
