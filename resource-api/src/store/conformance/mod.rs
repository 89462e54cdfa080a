//! What every [`DocumentStore`] must do: one async function a case, listed once in the macro. No case is optional.

#![allow(clippy::unwrap_used)]

mod constructs;
mod finding;
mod inserting;
mod random;
mod uniqueness;
mod writing;

use std::sync::Arc;

use bson::{Bson, Document};

pub(super) use self::constructs::{Server, is_on};
pub(super) use self::{finding::*, inserting::*, random::*, uniqueness::*, writing::*};
use super::{DocumentStore, Guard, Outcome, Write};
use crate::domain::{Domain, Format, Index, IndexDirection, parse};
use crate::query::{Direction, Filter, Find, Sort};

/// Makes a test of each case. `$empty` is an async function giving `Some((guard, Arc<dyn DocumentStore>))`
/// with an empty store; `None` where there is no server to test against. It is told the case's name.
macro_rules! document_store_conformance {
    ($empty:path) => {
        document_store_conformance!(
            $empty,
            [
                a_document_comes_back_with_every_type_as_it_was,
                an_id_that_is_taken_is_a_conflict,
                sources_are_told_by_their_names,
                a_piece_of_a_scan_is_bounded_by_its_bytes,
                ids_of_any_type_are_kept_apart_and_numbers_equal_across_types,
                a_replacement_needs_the_etag_and_filter_it_was_read_with,
                a_replacement_may_begin_with_an_operators_name,
                setting_fields_keeps_the_others_and_their_order,
                a_delete_needs_the_state_it_was_decided_on,
                a_refused_batch_changes_nothing,
                a_batch_sees_its_own_writes,
                a_unique_value_given_up_in_a_batch_is_free_in_it,
                deleting_many_takes_what_the_filter_matches,
                exactly_one_of_fifty_parallel_replacements_of_one_etag_is_done,
                exactly_one_of_sixty_four_parallel_inserts_of_a_unique_value_is_done,
                a_unique_rule_counts_equal_numbers_and_ignores_documents_without_the_field,
                a_unique_rule_holds_for_each_element_of_an_array,
                an_array_in_an_array_is_one_value_to_a_unique_rule,
                a_unique_rule_of_two_fields_holds_for_the_pair,
                a_unique_value_is_free_again_after_a_change_or_a_delete,
                stored_duplicates_stay_and_nothing_may_join_them,
                a_partial_unique_rule_counts_only_the_documents_of_its_filter,
                a_vacancy_that_is_taken_is_a_conflict,
                exactly_one_of_sixty_four_parallel_batches_finds_a_vacancy,
                of_documents_inserted_each_by_itself_what_is_taken_is_left_out,
                a_refused_further_write_undoes_documents_inserted_each_by_itself,
                a_document_of_sixteen_megabytes_is_kept,
                an_index_takes_a_text_of_megabytes,
                a_source_may_have_any_name,
                a_source_nobody_wrote_to_is_empty,
                null_matches_what_is_missing_and_comparisons_keep_to_their_type,
                elements_of_arrays_and_fields_within_them_are_found,
                mixed_types_sort_in_the_order_of_their_types,
                an_array_sorts_by_its_least_or_greatest_element,
                equal_sort_keys_come_by_id_in_the_last_direction,
                pages_are_disjoint_whole_and_tell_the_total,
                what_follows_a_place_is_the_rest_of_the_order,
                a_place_may_have_another_value_than_all_that_is_found,
                a_page_of_none_counts,
                a_search_brings_no_more_than_memory_is_for,
                an_index_changes_no_answer,
                a_reader_sees_whole_batches,
                finding_equals_matching_and_sorting,
            ]
        );
    };
    ($empty:path, [$($case:ident),* $(,)?]) => {
        $(
            #[actix_rt::test]
            async fn $case() {
                let Some((_guard, store)) = $empty(stringify!($case)).await else { return };
                crate::store::conformance::$case(&store).await;
            }
        )*
    };
}
pub(super) use document_store_conformance;

/// Tasks share it in the parallel cases.
pub(super) type Store = Arc<dyn DocumentStore>;

/// No ids.
const NONE: [i32; 0] = [];

/// `"-a b"`: descending on `a`, then ascending on `b`.
pub(super) fn index(keys: &str) -> Index {
    let keys = keys
        .split(' ')
        .map(|key| match key.strip_prefix('-') {
            Some(key) => (key.to_owned(), IndexDirection::Descending),
            None => (key.to_owned(), IndexDirection::Ascending),
        })
        .collect();
    Index { name: "test".to_owned(), keys, unique: false, sparse: false, options: Document::new() }
}

/// As unique rules of a schema make them.
pub(super) fn unique(keys: &str) -> Index {
    Index { unique: true, sparse: true, ..index(keys) }
}

pub(super) fn domain(source: &str, indexes: Vec<Index>) -> Domain {
    let text = serde_json::json!({ "DOMAIN": { "things": { "datasource": { "source": source } } } }).to_string();
    let mut domain = parse(Format::Json, &text).unwrap();
    Arc::get_mut(&mut domain.resources["things"]).unwrap().indexes = indexes;
    domain
}

async fn prepare(store: &Store, indexes: Vec<Index>) {
    store.prepare(&domain("things", indexes)).await.unwrap();
}

fn insert(document: Document) -> Write {
    Write::insert("things", &document).unwrap()
}

fn guard(id: impl Into<Bson>, etag: &str) -> Guard {
    Guard { id: id.into(), filter: Filter::All, etag: Some(("_etag".to_owned(), etag.to_owned())) }
}

fn unguarded(id: impl Into<Bson>) -> Guard {
    Guard { id: id.into(), filter: Filter::All, etag: None }
}

async fn commit(store: &Store, writes: impl IntoIterator<Item = Write>) -> Outcome {
    store.commit(writes.into_iter().collect()).await.unwrap()
}

async fn stored(store: &Store, documents: impl IntoIterator<Item = Document>) {
    let outcome = commit(store, documents.into_iter().map(insert)).await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}

async fn get(store: &Store, id: impl Into<Bson>) -> Option<Document> {
    let found = store.get("things", &id.into(), &Filter::All).await.unwrap()?;
    Some(found.try_into().unwrap())
}

fn all() -> Find {
    Find { count: true, ..Find::default() }
}

pub(super) fn by(sort: &str) -> Sort {
    sort.split(' ')
        .map(|key| match key.strip_prefix('-') {
            Some(key) => (key.to_owned(), Direction::Descending),
            None => (key.to_owned(), Direction::Ascending),
        })
        .collect()
}

async fn find(store: &Store, find: &Find) -> (Vec<Document>, Option<u64>) {
    let found = store.find("things", find).await.unwrap();
    (found.items.into_iter().map(|item| item.try_into().unwrap()).collect(), found.total)
}

/// The ids of what is found; they are numbers in these cases.
async fn ids(store: &Store, wanted: Find) -> Vec<i32> {
    let (items, total) = find(store, &wanted).await;
    assert!(total.is_none_or(|total| total >= items.len() as u64));
    items.iter().map(|item| item.get_i32("_id").unwrap()).collect()
}

async fn matching(store: &Store, filter: Filter) -> Vec<i32> {
    ids(store, Find { filter, ..all() }).await
}
