//! `where` and `sort`.

use crate::server::Answer;

use super::{Case, Difference};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference { id: "python-literals", explains: python_literals, parts: false },
    Difference { id: "python-where", explains: python_where, parts: false },
    Difference { id: "field-names", explains: field_names, parts: false },
    Difference { id: "operators", explains: operators, parts: false },
    Difference { id: "patterns", explains: patterns, parts: false },
    Difference { id: "validate-filters", explains: validate_filters, parts: false },
];

/// FILT-06: numbers are decimal, strings are plain.
fn python_literals(case: &Case<'_>) -> bool {
    let odd = ["==0x10", "==1_000", "==1e400", "==u'a'", "==b'a'", "==f'a'", "=='a' 'b'"];
    let filter = case.filter();
    odd.iter().any(|odd| filter.contains(odd)) && case.statuses().1 == 400
}

/// FILT-09: what is no comparison of a field with a value is refused; negative numbers, booleans and null are values.
fn python_where(case: &Case<'_>) -> bool {
    let filter = case.filter();
    !filter.trim_start().starts_with('{')
        && !filter.is_empty()
        && matches!(case.statuses(), (200, 200 | 400) | (400, 400))
}

/// SORT-03: any name is one of a field, in `where` too.
fn field_names(case: &Case<'_>) -> bool {
    let sort = case.step.parameter(&case.world.words.sort).unwrap_or_default();
    let odd = [".0", ".1", "class", "from", ".is", "1a", "in", "or"];
    case.statuses() == (400, 200) && odd.iter().any(|odd| case.filter().contains(odd) || sort.contains(odd))
}

/// FILT-14: an operator out of place, or with an operand it has no meaning for, is refused.
fn operators(case: &Case<'_>) -> bool {
    case.statuses().1 == 400 && case.answers.tested.body.contains("operator '")
}

/// Patterns are matched in linear time: without look-around and back-references.
fn patterns(case: &Case<'_>) -> bool {
    case.statuses().1 == 400 && case.answers.tested.body.contains("invalid regular expression")
}

/// FILT-12: operands are validated, not the objects that operators stand in, and dates and ETags may be asked for.
fn validate_filters(case: &Case<'_>) -> bool {
    let refused = |answer: &Answer| answer.status == 400 && answer.body.contains("filter on '");
    let (reference, tested) = (&case.answers.reference, &case.answers.tested);
    case.world.domain["VALIDATE_FILTERS"] == true
        && (refused(reference) || refused(tested))
        && matches!(case.statuses(), (400, 200 | 400) | (200, 400))
}
