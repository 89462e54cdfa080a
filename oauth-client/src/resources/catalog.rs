//! What the API's home lists, and where its paths are in this app.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::error::SiteError;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A resource of the API. No page is made for one whose path has parameters, but links may lead into it.
#[derive(Debug, Clone, PartialEq)]
struct Resource {
    title: String,
    /// `None`: a parameter, as in `people/<person>/invoices`.
    pattern: Vec<Option<String>>,
}

/// The resources in the order of the API's home.
#[derive(Debug, Clone)]
pub struct Catalog {
    resources: Vec<Resource>,
}

/// A resource as navigation shows it.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Listed {
    pub title: String,
    pub href: String,
    #[serde(skip)]
    pub path: Vec<String>,
}

/// What a path means.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub title: String,
    /// The resource's path, decoded.
    pub resource: Vec<String>,
    pub item: Option<String>,
}

impl Place {
    /// The whole path at the API.
    pub fn path(&self) -> Vec<String> {
        self.resource.iter().chain(&self.item).cloned().collect()
    }

    /// The resource's own page, or its form (`new`).
    pub fn resource_href(&self, page: &str) -> String {
        href(page, &self.resource)
    }

    /// The item's page (`data`), or its form (`edit`, `delete`).
    pub fn item_href(&self, page: &str) -> String {
        href(page, &self.path())
    }

    /// The name of the resource in scopes such as `people:read`.
    pub fn scope_name(&self) -> &str {
        self.resource.last().map_or("", String::as_str)
    }
}

impl Catalog {
    /// `home`: the body of the API's home (HOME-01). The schema endpoint is no resource (HOME-03).
    pub fn read(api: &Url, home: &Value, schema_endpoint: Option<&str>) -> Self {
        let children = home["_links"]["child"].as_array().map_or(&[][..], Vec::as_slice);
        let resources = children
            .iter()
            .filter_map(|child| {
                let path = relative(api, child["href"].as_str()?)?;
                let title = child["title"].as_str().filter(|title| !title.is_empty());
                let pattern = path.iter().map(|part| {
                    let parameter = part.starts_with('<') && part.ends_with('>');
                    (!parameter).then(|| part.clone())
                });
                Some(Resource { title: title.map_or_else(|| path.join("/"), headline), pattern: pattern.collect() })
            })
            .filter(|resource| schema_endpoint.is_none_or(|endpoint| resource.pattern != [Some(endpoint.to_owned())]))
            .collect();
        Self { resources }
    }

    /// Every resource that has a page.
    pub fn listed(&self) -> Vec<Listed> {
        let path = |resource: &Resource| resource.pattern.iter().cloned().collect::<Option<Vec<String>>>();
        self.resources
            .iter()
            .filter_map(|resource| {
                let path = path(resource)?;
                Some(Listed { title: resource.title.clone(), href: href("data", &path), path })
            })
            .collect()
    }

    /// The place of a path: the longest resource path that fits it, and what is left as the item's id.
    pub fn place(&self, path: &[String]) -> Option<Place> {
        let fits = |resource: &&Resource| {
            let pattern = &resource.pattern;
            (path.len() == pattern.len() || path.len() == pattern.len() + 1)
                && pattern.iter().zip(path).all(|(part, segment)| part.as_ref().is_none_or(|part| part == segment))
        };
        let resource = self.resources.iter().filter(fits).max_by_key(|resource| resource.pattern.len())?;
        let (own, rest) = path.split_at(resource.pattern.len());
        Some(Place { title: resource.title.clone(), resource: own.to_vec(), item: rest.first().cloned() })
    }
}

/// `people` → `People`: titles default to the resource's key.
fn headline(title: &str) -> String {
    let mut letters = title.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// A path of this app.
pub fn href(page: &str, path: &[String]) -> String {
    path.iter().fold(format!("/{page}"), |mut href, segment| {
        href.push('/');
        href.extend(utf8_percent_encode(segment, SEGMENT));
        href
    })
}

/// The segments behind `/page/` in the path of a request.
pub fn segments(path: &str) -> Result<Vec<String>, SiteError> {
    let rest = path.trim_matches('/').split_once('/').map_or("", |(_, rest)| rest);
    rest.split('/')
        .map(|segment| {
            let text = percent_decode_str(segment).decode_utf8().map_err(|_| SiteError::NotFound)?;
            if text.is_empty() || text.contains('\0') { Err(SiteError::NotFound) } else { Ok(text.into_owned()) }
        })
        .collect()
}

/// The path of a link in the API's data, from the API's home; `None` when it leads elsewhere. Links are relative to the
/// home and not encoded.
pub fn relative(api: &Url, link: &str) -> Option<Vec<String>> {
    let path = link.split(['?', '#']).next().unwrap_or_default();
    let path = if path.contains("://") {
        let home = api.as_str().trim_end_matches('/');
        path.strip_prefix(home)?.strip_prefix('/')?
    } else {
        path.trim_start_matches('/')
    };
    let path: Vec<String> = path.trim_end_matches('/').split('/').map(str::to_owned).collect();
    let odd = |segment: &String| segment.is_empty() || segment == "." || segment == "..";
    if path.iter().any(odd) { None } else { Some(path) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn api() -> Url {
        Url::parse("https://api.test/v1").unwrap()
    }

    fn catalog() -> Catalog {
        let home = json!({"_links": {"child": [
            {"href": "people", "title": "people"},
            {"href": "people/<person>/works", "title": "works of a person"},
            {"href": "tools/hammers", "title": "Hammers"},
            {"href": "schema", "title": "schema"},
            {"href": "https://evil.test/x", "title": "elsewhere"},
            {"title": "no link"},
            7,
        ]}});
        Catalog::read(&api(), &home, Some("schema"))
    }

    fn place(path: &[&str]) -> Option<(String, Vec<String>, Option<String>)> {
        let path: Vec<String> = path.iter().map(|&segment| segment.to_owned()).collect();
        catalog().place(&path).map(|place| (place.title, place.resource, place.item))
    }

    #[test]
    fn resources_are_those_of_the_home_without_parameters_and_schema() {
        let listed: Vec<_> = catalog().listed().into_iter().map(|listed| (listed.title, listed.href)).collect();
        assert_eq!(
            listed,
            [("People".into(), "/data/people".into()), ("Hammers".into(), "/data/tools/hammers".to_owned())]
        );
        assert!(Catalog::read(&api(), &json!({}), None).listed().is_empty());
        assert!(Catalog::read(&api(), &json!([1]), None).listed().is_empty());
    }

    #[test]
    fn a_path_is_a_resource_or_an_item_of_it() {
        let strings = |parts: &[&str]| parts.iter().map(|&part| part.to_owned()).collect::<Vec<_>>();
        assert_eq!(place(&["people"]), Some(("People".into(), strings(&["people"]), None)));
        assert_eq!(place(&["people", "7"]), Some(("People".into(), strings(&["people"]), Some("7".into()))));
        let works = strings(&["people", "7", "works"]);
        assert_eq!(place(&["people", "7", "works"]), Some(("Works of a person".into(), works.clone(), None)));
        assert_eq!(place(&["people", "7", "works", "9"]), Some(("Works of a person".into(), works, Some("9".into()))));
        assert_eq!(place(&["tools"]), None);
        assert_eq!(place(&["schema"]), None);
        assert_eq!(place(&["people", "7", "x"]), None);
    }

    /// E-037: links in data lead to the API's own pages or nowhere.
    #[test]
    fn links_of_the_data_lead_to_the_api_or_nowhere() {
        assert_eq!(relative(&api(), "people/7?version=2").unwrap(), ["people", "7"]);
        assert_eq!(relative(&api(), "/people/").unwrap(), ["people"]);
        assert_eq!(relative(&api(), "https://api.test/v1/people/7").unwrap(), ["people", "7"]);
        for elsewhere in
            ["https://evil.test/v1/people", "https://api.test.evil.test/v1/x", "../x", "", "a//b", "javascript:x/.."]
        {
            assert_eq!(relative(&api(), elsewhere), None, "{elsewhere}");
        }
        assert_eq!(href("data", &["people".into(), "a b/<c>".into()]), "/data/people/a%20b%2F%3Cc%3E");
        assert_eq!(segments("/data/people/a%20b%2F%3Cc%3E").unwrap(), ["people", "a b/<c>"]);
        assert!(segments("/data/people//x").is_err());
    }
}
