//! `find` against its meaning: every document asked with [`Filter::matches`], then sorted.

use std::sync::LazyLock;

use bson::oid::ObjectId;
use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRunner};

use super::constructs::{Server, can_be_made, is_left_out, known_types, server};
use super::*;
use crate::query::{Pattern, Test, compare, compare_by, place, total_order};

/// Sets of documents, each with its own indexes.
const SETS: usize = 50;
/// Queries on each set: ten thousand in all.
const QUERIES: usize = 200;
/// Fewer where each query goes over a socket.
const SETS_OF_A_SERVER: usize = 10;

const PATTERNS: [&str; 12] =
    ["^a", "^ab*", "^ab?$", "^a|b", "^l{5}", "^ab{0}", "^", "a", "^b\u{1}", "^a\\x00", "^(a|b)", "^ll"];
const PATHS: [&str; 9] = ["a", "b", "a.b", "a.b.c", "b.0", "a.0.b", "c", "_id", "d.0.0"];

fn scalar() -> impl Strategy<Value = Bson> {
    prop_oneof![
        6 => (-2..4).prop_map(Bson::Int32),
        2 => (-2_i64..4).prop_map(Bson::Int64),
        2 => prop_oneof![Just(0.0), Just(-0.0), Just(1.0), Just(1.5), Just(f64::NAN), Just(f64::NEG_INFINITY)].prop_map(Bson::Double),
        1 => prop_oneof![Just((1_i64 << 53) + 1), Just(i64::MAX), Just(i64::MIN)].prop_map(Bson::Int64),
        2 => prop_oneof![Just("1"), Just("1.50"), Just("1E+400"), Just("-0.1"), Just("NaN"), Just("-Infinity")]
            .prop_map(|text| Bson::Decimal128(text.parse().unwrap())),
        5 => prop_oneof![Just(""), Just("a"), Just("ab"), Just("a\0"), Just("b\u{1}")].prop_map(Bson::from),
        1 => Just(Bson::Symbol("a".to_owned())),
        1 => (1020_usize..1030).prop_map(|length| Bson::String("l".repeat(length))),
        2 => any::<bool>().prop_map(Bson::Boolean),
        2 => Just(Bson::Null),
        1 => Just(Bson::Undefined),
        1 => pattern().prop_map(|pattern| {
            let (pattern, options) = (pattern.pattern().try_into().unwrap(), pattern.options().try_into().unwrap());
            Bson::RegularExpression(bson::Regex { pattern, options })
        }),
        1 => (-2_i64..2).prop_map(|millis| DateTime::from_millis(millis).into()),
        1 => (0_u8..3).prop_map(|byte| ObjectId::from_bytes([byte; 12]).into()),
        1 => prop_oneof![Just(Bson::MinKey), Just(Bson::MaxKey)],
    ]
}

fn value() -> impl Strategy<Value = Bson> {
    scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 0..4).prop_map(Bson::Array),
            2 => fields(inner).prop_map(Bson::Document),
        ]
    })
}

fn fields(value: impl Strategy<Value = Bson>) -> impl Strategy<Value = Document> {
    let name = prop::sample::select(vec!["a", "b", "c", "d", "0", "1"]);
    prop::collection::vec((name, value), 0..4)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn documents() -> impl Strategy<Value = Vec<Document>> {
    // Some sets have no arrays at all, so that their indexes say everything.
    let plain = fields(prop_oneof![4 => scalar(), 1 => fields(scalar()).prop_map(Bson::Document)]).boxed();
    let any = fields(value()).boxed();
    prop_oneof![Just(plain), Just(any)].prop_flat_map(|fields| prop::collection::vec(fields, 0..40)).prop_map(|set| {
        let with_id = |(id, fields): (usize, Document)| {
            let mut document = doc! { "_id": (id as i32 * 17) % 41 };
            document.extend(fields.into_iter().filter(|(name, _)| name != "_id"));
            document
        };
        set.into_iter().enumerate().map(with_id).collect()
    })
}

fn pattern() -> impl Strategy<Value = Pattern> {
    // Compiled once: it takes longer than all else here.
    static COMPILED: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
        let options = ["", "i", "m", "s", "x"];
        let pairs = PATTERNS.iter().flat_map(|pattern| options.map(|options| (pattern, options)));
        pairs.map(|(pattern, options)| Pattern::new(pattern, options).unwrap()).collect()
    });
    prop::sample::select(COMPILED.as_slice())
}

fn test() -> impl Strategy<Value = Test> {
    let leaf = prop_oneof![
        6 => value().prop_map(Test::Eq),
        1 => value().prop_map(Test::Ne),
        2 => value().prop_map(Test::Gt),
        2 => value().prop_map(Test::Gte),
        2 => value().prop_map(Test::Lt),
        2 => value().prop_map(Test::Lte),
        3 => prop::collection::vec(value(), 0..4).prop_map(|values| Test::In(values.into())),
        1 => prop::collection::vec(value(), 0..3).prop_map(|values| Test::Nin(values.into())),
        1 => any::<bool>().prop_map(Test::Exists),
        1 => (0_i64..3).prop_map(Test::Size),
        2 => pattern().prop_map(Test::Regex),
        1 => (prop::collection::vec(value(), 0..3), prop::collection::vec(pattern(), 1..3))
            .prop_map(|(values, patterns)| Test::InPatterns { values: values.into(), patterns }),
        1 => prop::sample::select(vec!["number", "string", "array", "null", "date"])
            .prop_map(|kind| Test::Type(vec![kind.into()])),
        1 => (1_i64..4, -1_i64..3).prop_map(|(divisor, remainder)| Test::Mod { divisor, remainder }),
        1 => (0_u64..4).prop_map(Test::BitsAllSet),
        1 => (path(), value()).prop_map(|(path, value)| {
            Test::ElemMatchDocument(Box::new(Filter::field(path, Test::Lte(value))))
        }),
    ];
    leaf.prop_recursive(1, 3, 2, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Test::All),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Test::Not),
            prop::collection::vec(inner, 1..3).prop_map(Test::ElemMatchValue),
        ]
    })
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just("a"), 2 => Just("b"), 3 => prop::sample::select(&PATHS[..])].prop_map(str::to_owned)
}

fn filter() -> impl Strategy<Value = Filter> {
    let field = (path(), test()).prop_map(|(path, test)| Filter::field(path, test));
    prop_oneof![8 => field, 1 => Just(Filter::All)].prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..4).prop_map(Filter::And),
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Filter::Or),
            1 => prop::collection::vec(inner, 0..3).prop_map(Filter::Nor),
        ]
    })
}

fn sort() -> impl Strategy<Value = Sort> {
    let direction = prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)];
    prop::collection::vec((path(), direction), 0..3).prop_map(|mut sort| {
        // A path counts once, as the parser has it.
        let mut known = Vec::new();
        sort.retain(|(path, _)| {
            !known.contains(path) && {
                known.push(path.clone());
                true
            }
        });
        sort
    })
}

/// A query, and for some of them a document behind which to begin, stored or not.
fn query() -> impl Strategy<Value = (Find, Option<Document>)> {
    let pivot = (0_i32..41, fields(prop_oneof![6 => scalar(), 1 => value()])).prop_map(|(id, fields)| {
        let mut pivot = fields;
        pivot.insert("_id", id);
        pivot
    });
    let pivot = prop::option::weighted(0.4, pivot);
    (filter(), sort(), 0_u64..10, prop::option::of(0_u64..12), any::<bool>(), pivot).prop_map(
        |(filter, sort, skip, limit, count, pivot)| {
            let after =
                pivot.as_ref().and_then(|pivot| place(&total_order(&sort), &RawDocumentBuf::try_from(pivot).unwrap()));
            let pivot = pivot.filter(|_| after.is_some());
            let skip = if after.is_some() { 0 } else { skip };
            (Find { filter, sort, after, skip, limit, count }, pivot)
        },
    )
}

fn indexes() -> impl Strategy<Value = Vec<Index>> {
    let index =
        (prop::collection::vec((path(), any::<bool>()), 1..4), prop::bool::weighted(0.2)).prop_map(|(keys, sparse)| {
            let direction =
                |descending| if descending { IndexDirection::Descending } else { IndexDirection::Ascending };
            let keys = keys.into_iter().map(|(path, descending)| (path, direction(descending))).collect();
            Index { sparse, keys, ..index("a") }
        });
    prop::collection::vec(index, 0..5)
}

/// FILT-14, DB-07: an index may speed an answer up, never change it.
pub(in crate::store) async fn finding_equals_matching_and_sorting(store: &Store) {
    // Without optimisation, most of the time would go to better randomness than is needed.
    let mut runner = TestRunner::new(Config { rng_algorithm: RngAlgorithm::XorShift, ..Config::default() });
    let mut draw =
        || (documents(), indexes(), prop::collection::vec(query(), QUERIES)).new_tree(&mut runner).unwrap().current();
    let (mut asked, mut left_out) = (0, 0);
    for _ in 0..if server() == Server::Embedded { SETS } else { SETS_OF_A_SERVER } {
        let (documents, mut indexes, queries) = draw();
        let documents = known_types(documents);
        indexes.retain(|index| can_be_made(index, &documents));
        let delete = Write::DeleteMany { source: "things".to_owned(), filter: Filter::All };
        assert!(matches!(commit(store, [delete]).await, Outcome::Done(_)));
        // Half of the documents are there before the indexes, half come after.
        let (before, after) = documents.split_at(documents.len() / 2);
        stored(store, before.to_vec()).await;
        prepare(store, indexes.clone()).await;
        stored(store, after.to_vec()).await;
        for (query, pivot) in queries {
            asked += 1;
            if is_left_out(&query, &documents) {
                left_out += 1;
                continue;
            }
            let order = total_order(&query.sort);
            let mut expected: Vec<Document> =
                documents.iter().filter(|document| query.filter.matches(document)).cloned().collect();
            expected.sort_by(|one, other| compare_by(&order, one, other));
            let total = query.count.then_some(expected.len() as u64);
            if let Some(pivot) = &pivot {
                expected.retain(|document| compare_by(&order, document, pivot).is_gt());
            }
            let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
            let page: Vec<i32> = expected
                .iter()
                .skip(query.skip as usize)
                .take(limit)
                .map(|document| document.get_i32("_id").unwrap())
                .collect();
            let (items, told) = find(store, &query).await;
            let found: Vec<i32> = items.iter().map(|item| item.get_i32("_id").unwrap()).collect();
            assert_eq!((found, told), (page, total), "{query:#?}\nindexes {indexes:#?}\ndocuments {documents:#?}");
        }
        for document in &documents {
            let stored = get(store, document["_id"].clone()).await.unwrap();
            assert!(compare(&Bson::Document(stored), &Bson::Document(document.clone())).is_eq());
        }
    }
    assert!(left_out * 3 < asked * 2, "only {} of {asked} queries were asked", asked - left_out);
}
