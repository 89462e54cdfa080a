//! Between resource-api's two stores. MongoDB's manual decides which of them is right.

use super::{Case, Difference};

pub(super) const DIFFERENCES: &[Difference] =
    &[Difference { id: "parallel-arrays", explains: parallel_arrays, parts: false }];

/// MongoDB refuses to sort by two fields that are both lists in one document.
fn parallel_arrays(case: &Case<'_>) -> bool {
    let sort = case.step.parameter(&case.world.words.sort).unwrap_or_default();
    case.statuses() == (200, 400) && sort.contains(',')
}
