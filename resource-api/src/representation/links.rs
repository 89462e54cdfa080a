//! HATEOAS links (contract section 6). Every href is relative to the API's root; query values in them stay raw (LINK-02).

use bson::raw::RawBsonRef;

use super::json::{write_double, write_hex, write_integer, write_string};
use crate::domain::{DataRelation, Domain, Resource};
use crate::routes::shown;

/// Appends `{"title": …, "href": …}`.
pub fn write_link(title: &str, href: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"title\": ");
    write_string(title, out);
    out.extend_from_slice(b", \"href\": ");
    write_string(href, out);
    out.push(b'}');
}

/// Appends `"name": {"title": …, "href": …}`, after a comma unless it is the first member of its object.
pub fn write_named_link(name: &str, title: &str, href: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.extend_from_slice(b", ");
    }
    write_string(name, out);
    out.extend_from_slice(b": ");
    write_link(title, href, out);
}

/// The home link every page has.
pub fn write_home_link(out: &mut Vec<u8>) {
    write_named_link("parent", "home", "/", out);
}

/// Where a page of a collection leads (LINK-03, LINK-04).
pub struct PageLinks<'a> {
    pub title: &'a str,
    /// The resource path.
    pub path: &'a str,
    pub page: u64,
    pub max_results: u64,
    /// `None`: not counted.
    pub total: Option<u64>,
    /// Whether the link to the page itself has a query: where nothing was found or counted, Eve's has none.
    pub found: bool,
    pub pagination: bool,
}

impl PageLinks<'_> {
    /// Appends the members of `_links`; `suffix` makes the query of a page (LINK-02).
    pub fn write(&self, suffix: impl Fn(u64) -> String, out: &mut Vec<u8>) {
        let href = |page| format!("{}{}", self.path, suffix(page));
        write_home_link(out);
        write_named_link("self", self.title, &if self.found { href(self.page) } else { self.path.to_owned() }, out);
        if !self.pagination {
            return;
        }
        let more = self.total.is_none_or(|total| self.page.saturating_mul(self.max_results) < total);
        if more {
            write_named_link("next", "next page", &href(self.page + 1), out);
            if let Some(total) = self.total.filter(|total| *total > 0) {
                write_named_link("last", "last page", &href(total.div_ceil(self.max_results.max(1))), out);
            }
        }
        if self.page > 1 {
            write_named_link("prev", "previous page", &href(self.page - 1), out);
        }
    }
}

/// Where the values of a top-level reference field lead (LINK-09).
#[derive(Debug, Clone)]
pub struct Relation {
    /// The field of the target that the values are.
    field: String,
    /// `{"title": …, "href": "path/`, written already; `None`: the resource itself, at the path of the request (LINK-12).
    target: Option<Vec<u8>>,
}

impl Relation {
    /// Of a field of `resource`, if it is a reference to a resource there is.
    pub fn new(domain: &Domain, resource: &Resource, relation: &DataRelation) -> Option<Self> {
        let target = domain.resource(&relation.resource)?;
        let elsewhere = target.key != resource.key;
        let target = elsewhere.then(|| open_link(&target.item_title, &shown(target.url.trim_matches('/'))));
        Some(Self { field: relation.field.clone(), target })
    }

    /// Appends a link, or a list of links for a list. `own` is the opened link to a document of the resource itself.
    pub fn write(
        &self,
        domain: &Domain,
        own: &[u8],
        value: RawBsonRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), bson::error::Error> {
        let RawBsonRef::Array(items) = value else { return self.write_one(domain, own, value, out) };
        for (index, item) in items.into_iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"[" } else { b", " });
            self.write_one(domain, own, item?, out)?;
        }
        out.push(b']');
        Ok(())
    }

    fn write_one(
        &self,
        domain: &Domain,
        own: &[u8],
        value: RawBsonRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), bson::error::Error> {
        let open = self.target.as_deref().unwrap_or(own);
        if let RawBsonRef::Document(reference) = value {
            if let (Some(RawBsonRef::String(source)), Some(id)) = (reference.get("$ref")?, reference.get("$id")?) {
                let named = domain.resource(source);
                let named = named.map(|target| open_link(&target.item_title, &shown(target.url.trim_matches('/'))));
                close_link(named.as_deref().unwrap_or(open), id, out);
                return Ok(());
            }
            if let Some(inner) = reference.get(&self.field)? {
                // A versioned reference.
                close_link(open, inner, out);
                return Ok(());
            }
        }
        close_link(open, value, out);
        Ok(())
    }
}

/// Whether a reference leads anywhere: null and `[]` do not (LINK-09).
pub fn relates(value: RawBsonRef<'_>) -> bool {
    match value {
        RawBsonRef::Null => false,
        RawBsonRef::Array(items) => items.into_iter().next().is_some(),
        _ => true,
    }
}

/// The beginning of every link to a document below `path`: `{"title": …, "href": "path/`.
pub fn open_link(title: &str, path: &str) -> Vec<u8> {
    let mut open = Vec::with_capacity(title.len() + path.len() + 32);
    write_link(title, &format!("{path}/"), &mut open);
    // The id and the end follow.
    open.truncate(open.len() - 2);
    open
}

/// Appends an opened link to the document with this id.
pub fn close_link(open: &[u8], id: RawBsonRef<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(open);
    if let RawBsonRef::ObjectId(id) = id {
        write_hex(&id.bytes(), out);
    } else {
        let mut text = String::new();
        push_text(id, &mut text);
        let quote = out.len();
        write_string(&text, out);
        out.remove(quote);
        out.pop();
    }
    out.extend_from_slice(b"\"}");
}

/// A value as a part of a URL.
pub fn push_text(value: RawBsonRef<'_>, out: &mut String) {
    let mut bytes = Vec::new();
    match value {
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) => return out.push_str(text),
        RawBsonRef::ObjectId(id) => write_hex(&id.bytes(), &mut bytes),
        RawBsonRef::Int32(number) => write_integer(i64::from(number), &mut bytes),
        RawBsonRef::Int64(number) => write_integer(number, &mut bytes),
        RawBsonRef::Double(number) => write_double(number, &mut bytes),
        RawBsonRef::Boolean(flag) => return out.push_str(if flag { "True" } else { "False" }),
        RawBsonRef::Decimal128(number) => return out.push_str(&number.to_string()),
        RawBsonRef::Binary(binary) => {
            if let Ok(uuid) = binary.to_binary().to_uuid() {
                out.push_str(&uuid.to_string());
            }
        }
        _ => return out.push_str("None"),
    }
    out.push_str(&String::from_utf8_lossy(&bytes));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn links(page: u64, total: Option<u64>) -> Vec<(String, String)> {
        let found = total.is_some_and(|total| total > 0);
        let links = PageLinks { title: "people", path: "people", page, max_results: 2, total, found, pagination: true };
        let mut out = vec![b'{'];
        links.write(|page| format!("?page={page}"), &mut out);
        out.push(b'}');
        let links: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&out).unwrap();
        links.into_iter().map(|(name, link)| (name, link["href"].as_str().unwrap().to_owned())).collect()
    }

    fn names(page: u64, total: Option<u64>) -> String {
        links(page, total).into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ")
    }

    /// LINK-03, LINK-04.
    #[test]
    fn a_page_links_to_its_neighbours_that_exist() {
        assert_eq!(names(1, Some(5)), "parent self next last");
        assert_eq!(links(1, Some(5))[3].1, "people?page=3");
        assert_eq!(names(2, Some(5)), "parent self next last prev");
        assert_eq!(names(3, Some(5)), "parent self prev");
        assert_eq!(names(9, Some(5)), "parent self prev");
        // A last page that is full.
        assert_eq!(names(2, Some(4)), "parent self prev");
        assert_eq!(names(1, Some(2)), "parent self");
        assert_eq!(names(1, Some(0)), "parent self");
        assert_eq!(links(1, Some(0))[1].1, "people");
        assert_eq!(names(2, None), "parent self next prev");
        assert_eq!(links(2, None)[1].1, "people");
    }
}
