//! Spans of keys: prefixes, their products, and what two lists of ranges have in common.

use super::*;

/// Keys of one component as a tree has them.
pub(super) fn stored_keys(mut keys: Vec<Vec<u8>>, descending: bool, shortens: bool) -> Vec<Vec<u8>> {
    for key in &mut keys {
        if shortens {
            key::shorten(key, 0);
        }
        if descending {
            key.iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
    keys
}

pub(super) fn product(prefixes: &[Vec<u8>], keys: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> =
        prefixes.iter().flat_map(|prefix| keys.iter().map(|key| [prefix.as_slice(), key].concat())).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The ranges behind each prefix, in order as both are.
pub(super) fn ranges(prefixes: Vec<Vec<u8>>, intervals: Option<&[Range]>) -> Vec<Range> {
    let Some(intervals) = intervals else {
        return prefixes.into_iter().map(|prefix| Range { to: key::after(&prefix), from: prefix }).collect();
    };
    let mut ranges = Vec::with_capacity(prefixes.len() * intervals.len());
    for prefix in &prefixes {
        let behind = |end: &[u8]| [prefix.as_slice(), end].concat();
        ranges.extend(intervals.iter().map(|range| Range { from: behind(&range.from), to: behind(&range.to) }));
    }
    ranges
}

pub(super) fn intersection(some: &[Range], others: &[Range]) -> Vec<Range> {
    let mut common = Vec::new();
    for one in some {
        for other in others {
            let (from, to) = (one.from.as_slice().max(&other.from), one.to.as_slice().min(&other.to));
            if from < to {
                common.push(Range { from: from.to_vec(), to: to.to_vec() });
            }
        }
    }
    common
}
