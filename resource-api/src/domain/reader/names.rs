//! What the domain calls the members of answers, the fields that the service keeps, and the parameters of queries.

use super::section::Section;
use crate::domain::{Names, QueryNames};

/// The members of answers and the fields that the service keeps.
pub fn names(section: &Section<'_>) -> Names {
    let names = Names {
        status: section.text("STATUS", "_status"),
        status_ok: section.text("STATUS_OK", "OK"),
        status_err: section.text("STATUS_ERR", "ERR"),
        issues: section.text("ISSUES", "_issues"),
        error: section.text("ERROR", "_error"),
        items: section.text("ITEMS", "_items"),
        links: section.text("LINKS", "_links"),
        meta: section.text("META", "_meta"),
        last_updated: section.text("LAST_UPDATED", "_updated"),
        date_created: section.text("DATE_CREATED", "_created"),
        etag: section.text("ETAG", "_etag"),
        deleted: section.text("DELETED", "_deleted"),
        version: section.text("VERSION", "_version"),
        latest_version: section.text("LATEST_VERSION", "_latest_version"),
    };
    let kept = [
        ("LAST_UPDATED", &names.last_updated),
        ("DATE_CREATED", &names.date_created),
        ("ETAG", &names.etag),
        ("DELETED", &names.deleted),
        ("VERSION", &names.version),
        ("LATEST_VERSION", &names.latest_version),
    ];
    for (setting, name) in kept {
        if !is_field_name(name) {
            section.fault(setting, NO_FIELD_NAME);
        }
    }
    // All of them are members of the same documents.
    apart(
        section,
        [("", "_id"), ("LINKS", &names.links)].into_iter().chain(kept.map(|(key, name)| (key, name.as_str()))),
    );
    names
}

/// The names of query parameters.
pub fn query_names(section: &Section<'_>) -> QueryNames {
    let names = QueryNames {
        filter: section.text("QUERY_WHERE", "where"),
        sort: section.text("QUERY_SORT", "sort"),
        projection: section.text("QUERY_PROJECTION", "projection"),
        page: section.text("QUERY_PAGE", "page"),
        max_results: section.text("QUERY_MAX_RESULTS", "max_results"),
        embedded: section.text("QUERY_EMBEDDED", "embedded"),
        aggregation: section.text("QUERY_AGGREGATION", "aggregate"),
        version: section.text("VERSION_PARAM", "version"),
        show_deleted: section.text("SHOW_DELETED_PARAM", "show_deleted"),
        after: section.text("QUERY_AFTER", "after"),
        paginate: section.text("QUERY_PAGINATE", "paginate"),
        total: section.text("QUERY_TOTAL", "total"),
    };
    let read = [
        ("QUERY_WHERE", &names.filter),
        ("QUERY_SORT", &names.sort),
        ("QUERY_PROJECTION", &names.projection),
        ("QUERY_PAGE", &names.page),
        ("QUERY_MAX_RESULTS", &names.max_results),
        ("QUERY_EMBEDDED", &names.embedded),
        ("QUERY_AFTER", &names.after),
        ("QUERY_PAGINATE", &names.paginate),
        ("QUERY_TOTAL", &names.total),
    ];
    apart(section, read.map(|(key, name)| (key, name.as_str())).into_iter());
    names
}

/// No two of these names can be the same.
fn apart<'n>(section: &Section<'_>, names: impl Iterator<Item = (&'static str, &'n str)>) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (setting, name) in names {
        match seen.iter().find(|(_, other)| *other == name) {
            Some(("", _)) => section.fault(setting, format!("'{name}' is the store's own")),
            Some((other, _)) => section.fault(setting, format!("'{name}' is what {other} says, too")),
            None => seen.push((setting, name)),
        }
    }
}

/// CFG-08: what every store can address.
pub fn is_field_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['$', '.', '\0'])
}

pub const NO_FIELD_NAME: &str = "a name cannot be empty or contain any of '$', '.'";
