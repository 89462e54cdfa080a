//! What the random comparison does not ask of a server, and why. Of MongoDB's own that is what it refuses; of the stand-in that
//! tests run on, what it answers otherwise than MongoDB's manual says.

use std::cell::Cell;

use bson::{Bson, Document};

use super::Index;
use crate::query::{Filter, Find, Test, parse_trusted};

/// Whom a test asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Server {
    Embedded,
    MongoDb,
    /// SecantusDB.
    StandIn,
}

thread_local! {
    /// Each test has a thread of its own.
    static SERVER: Cell<Server> = const { Cell::new(Server::Embedded) };
}

pub(in crate::store) fn is_on(server: Server) {
    SERVER.set(server);
}

pub(super) fn server() -> Server {
    SERVER.get()
}

/// Whether a query can't be asked.
pub(super) fn is_left_out(query: &Find, documents: &[Document]) -> bool {
    let of = |constructs: &[Construct]| constructs.iter().any(|construct| (construct.is_in)(query, documents));
    match server() {
        Server::Embedded => false,
        Server::MongoDb => of(REFUSED),
        Server::StandIn => of(REFUSED) || of(OTHERWISE),
    }
}

/// What a server can keep and index: the stand-in does not know two types that are written no more.
pub(super) fn known_types(documents: Vec<Document>) -> Vec<Document> {
    fn known(value: &Bson) -> Bson {
        match value {
            Bson::Undefined => Bson::Null,
            Bson::Symbol(text) => Bson::String(text.clone()),
            Bson::Array(items) => items.iter().map(known).collect::<Vec<_>>().into(),
            Bson::Document(inner) => {
                inner.iter().map(|(name, value)| (name.clone(), known(value))).collect::<Document>().into()
            }
            other => other.clone(),
        }
    }
    if server() != Server::StandIn {
        return documents;
    }
    let known = |document: &Document| document.iter().map(|(name, value)| (name.clone(), known(value))).collect();
    documents.iter().map(known).collect()
}

/// Whether a server can keep an index of these documents.
pub(super) fn can_be_made(index: &Index, documents: &[Document]) -> bool {
    let paths: Vec<&str> = index.keys.iter().map(|(path, _)| path.as_str()).collect();
    // "cannot index parallel arrays"; "Ambiguous field name found in array".
    server() == Server::Embedded
        || !(are_parallel(&paths, documents) || paths.iter().any(|path| path.split('.').any(is_number)))
}

/// Something that some queries have.
struct Construct {
    is_in: fn(&Find, &[Document]) -> bool,
}

const REFUSED: &[Construct] = &[
    // What `where` has no words for: its own parser refuses it.
    Construct { is_in: |query, _| !can_be_said(&query.filter) },
    // "cannot sort with keys that are parallel arrays".
    Construct {
        is_in: |query, documents| {
            are_parallel(&query.sort.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), documents)
        },
    },
    // "Ambiguous field name found in array".
    Construct { is_in: |query, _| query.sort.iter().any(|(path, _)| path.split('.').any(is_number)) },
    // "cannot compare to undefined".
    Construct { is_in: |query, _| any_value(&query.filter, &|value| *value == Bson::Undefined) },
];

const OTHERWISE: &[Construct] = &[
    // It does not know symbols, which are written no more.
    Construct { is_in: |query, _| any_value(&query.filter, &|value| matches!(value, Bson::Symbol(_))) },
    // To null it compares an element that an empty array does not have.
    Construct {
        is_in: |query, _| {
            any_value(&query.filter, &|value| *value == Bson::Null)
                && query.filter.fields().iter().any(|path| path.split('.').any(is_number))
        },
    },
];

fn can_be_said(filter: &Filter) -> bool {
    // As they are shown, as NaN is not equal to itself.
    parse_trusted(&filter.to_document()).is_ok_and(|parsed| format!("{parsed:?}") == format!("{filter:?}"))
}

/// Whether two of the paths lead into arrays, in one document.
fn are_parallel(paths: &[&str], documents: &[Document]) -> bool {
    let leads_into = |document: &Document, path: &str| {
        let mut above = document;
        for name in path.split('.') {
            match above.get(name) {
                Some(Bson::Array(_)) => return true,
                Some(Bson::Document(inner)) => above = inner,
                _ => return false,
            }
        }
        false
    };
    documents.iter().any(|document| paths.iter().filter(|path| leads_into(document, path)).count() > 1)
}

fn is_number(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether one of the operands, or what is in it, is such a value.
fn any_value(filter: &Filter, is: &dyn Fn(&Bson) -> bool) -> bool {
    match filter {
        Filter::All => false,
        Filter::And(filters) | Filter::Or(filters) | Filter::Nor(filters) => {
            filters.iter().any(|filter| any_value(filter, is))
        }
        Filter::Field { test, .. } => any_operand(test, is),
    }
}

fn any_operand(test: &Test, is: &dyn Fn(&Bson) -> bool) -> bool {
    match test {
        Test::Eq(value) | Test::Ne(value) | Test::Gt(value) | Test::Gte(value) | Test::Lt(value) | Test::Lte(value) => {
            within(value, is)
        }
        Test::In(values) | Test::Nin(values) | Test::InPatterns { values, .. } => {
            values.iter().any(|value| within(value, is))
        }
        Test::All(tests) | Test::ElemMatchValue(tests) | Test::Not(tests) => {
            tests.iter().any(|test| any_operand(test, is))
        }
        Test::ElemMatchDocument(filter) => any_value(filter, is),
        _ => false,
    }
}

fn within(value: &Bson, is: &dyn Fn(&Bson) -> bool) -> bool {
    is(value)
        || match value {
            Bson::Array(items) => items.iter().any(|item| within(item, is)),
            Bson::Document(inner) => inner.values().any(|inner| within(inner, is)),
            _ => false,
        }
}
