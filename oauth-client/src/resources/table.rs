//! A page of a resource's items: columns from the data, sorting, paging and a simple filter.

use serde::Serialize;
use serde_json::{Value, json};
use shared::form::{ParameterError, Parameters, encode};
use url::Url;

use super::catalog::{Place, href, relative};
use super::shown::{Cell, Related, cell, is_meta, is_scalar, title_field};

/// Items on a page.
const PAGE: u64 = 25;
/// Columns of a table.
const COLUMNS: usize = 7;

/// What a visitor asks of a table, read from the page's own query.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Wish {
    /// A field, with a minus before it for descending.
    pub sort: Option<String>,
    /// From 1.
    pub page: u64,
    pub field: Option<String>,
    pub test: Test,
    pub value: Option<String>,
}

/// How a filter compares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Test {
    #[default]
    Is,
    Not,
    Starts,
    Least,
    Most,
}

impl Test {
    const ALL: [(Test, &str, &str); 5] = [
        (Test::Is, "is", "is"),
        (Test::Not, "not", "is not"),
        (Test::Starts, "starts", "starts with"),
        (Test::Least, "least", "is at least"),
        (Test::Most, "most", "is at most"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(test, ..)| *test == self).map_or("is", |(_, name, _)| name)
    }
}

impl Wish {
    pub fn read(query: &Parameters) -> Result<Self, ParameterError> {
        let text = |name: &str| query.one(name).map(|text| text.map(str::to_owned));
        let test = query.one("test")?.and_then(|name| Test::ALL.iter().find(|(_, known, _)| *known == name));
        Ok(Self {
            sort: text("sort")?.filter(|sort| !sort.trim_start_matches('-').is_empty()),
            page: query.one("page")?.and_then(|page| page.parse().ok()).unwrap_or(1).clamp(1, 1_000_000),
            field: text("field")?,
            test: test.map(|(test, ..)| *test).unwrap_or_default(),
            value: text("value")?,
        })
    }

    /// The query for the API.
    pub fn api_query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("max_results", PAGE.to_string()), ("page", self.page.to_string())];
        query.extend(self.sort.as_ref().map(|sort| ("sort", sort_list(sort))));
        query.extend(self.filter().map(|filter| ("where", filter.to_string())));
        query
    }

    /// Whether a filter is set.
    pub fn filters(&self) -> bool {
        self.field.is_some() && self.value.is_some()
    }

    /// The filter as the API's `where`. A value that reads as JSON may be meant as text, too, so both are looked for.
    fn filter(&self) -> Option<Value> {
        let (field, text) = (self.field.as_deref()?, self.value.as_deref()?);
        // An operator is no field.
        if field.starts_with('$') {
            return None;
        }
        let literal = serde_json::from_str::<Value>(text).ok().filter(|value| is_scalar(value) || value.is_null());
        let meanings: Vec<Value> = literal.into_iter().filter(|value| value != text).chain([text.into()]).collect();
        Some(match (self.test, meanings.as_slice()) {
            (Test::Starts, _) => json!({ field: { "$gte": text, "$lt": format!("{text}\u{10FFFF}") } }),
            (Test::Is, [one]) => json!({ field: one }),
            (Test::Is, several) => json!({ field: { "$in": several } }),
            (Test::Not, [one]) => json!({ field: { "$ne": one } }),
            (Test::Not, several) => json!({ field: { "$nin": several } }),
            (Test::Least, meanings) => bound(field, "$gte", meanings),
            (Test::Most, meanings) => bound(field, "$lte", meanings),
        })
    }

    /// This table's address with some other wish.
    fn href(&self, place: &Place, sort: Option<&str>, page: u64) -> String {
        let mut address = place.resource_href("data");
        let page = (page > 1).then(|| page.to_string());
        let (field, value) = if self.filters() { (&self.field, &self.value) } else { (&None, &None) };
        let test = value.as_ref().map(|_| self.test.name());
        let parts = [
            ("field", field.as_deref()),
            ("test", test),
            ("value", value.as_deref()),
            ("sort", sort),
            ("page", page.as_deref()),
        ];
        let mut separator = '?';
        for (name, value) in parts {
            if let Some(value) = value {
                address.push_str(&format!("{separator}{name}={}", encode(value)));
                separator = '&';
            }
        }
        address
    }
}

/// Types are compared each with its own kind, so one of the two meanings never matches.
fn bound(field: &str, operator: &str, meanings: &[Value]) -> Value {
    match meanings {
        [one] => json!({ field: { operator: one } }),
        several => {
            json!({ "$or": several.iter().map(|value| json!({ field: { operator: value } })).collect::<Vec<_>>() })
        }
    }
}

/// As a JSON list: a name may hold what the comma syntax can't say (SORT-01).
fn sort_list(sort: &str) -> String {
    let (name, direction) = sort.strip_prefix('-').map_or((sort, 1), |name| (name, -1));
    json!([[name, direction]]).to_string()
}

/// The data of `table.html`.
#[derive(Debug, Serialize)]
pub struct Table {
    pub title: String,
    pub address: String,
    /// The page for a new item, where the account may write.
    pub new: Option<String>,
    columns: Vec<Column>,
    rows: Vec<Row>,
    /// Items in all, where the API counts them.
    total: Option<u64>,
    first: u64,
    last: u64,
    previous: Option<String>,
    next: Option<String>,
    /// What the filter may test.
    fields: Vec<String>,
    tests: Vec<Choice>,
    filtered: bool,
    wish: Wish,
    /// Why the API refused the wish.
    pub refusal: Option<String>,
    pub done: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    number: bool,
    /// Sorts by this column, or the other way round.
    href: Option<String>,
    /// For `aria-sort`.
    sorted: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Row {
    href: String,
    /// What to call the item where its first cell is empty.
    id: String,
    cells: Vec<Cell>,
}

#[derive(Debug, Serialize)]
struct Choice {
    name: &'static str,
    label: &'static str,
    chosen: bool,
}

impl Table {
    /// `answer`: the API's collection (LIST-01). `known`: an item of the unfiltered collection, so that an empty result
    /// still says what can be asked.
    pub fn new(api: &Url, place: &Place, wish: Wish, answer: &Value, known: Option<&Value>) -> Self {
        let items: Vec<&Value> = answer["_items"].as_array().map_or(Vec::new(), |items| items.iter().collect());
        let names = names(&items);
        let columns = columns(&items, &names);
        let mut fields = if names.is_empty() { self::names(known.as_slice()) } else { names };
        fields.retain(|name| known.iter().chain(&items).any(|item| !item[name.as_str()].is_object()));
        if let Some(place) = title_field(&fields).and_then(|title| fields.iter().position(|field| field == title)) {
            fields[..=place].rotate_right(1);
        }
        // A field that no item of this page has can still be the one that is asked for.
        if let Some(field) = &wish.field
            && !fields.contains(field)
        {
            fields.push(field.clone());
        }
        let rows = items.iter().map(|item| row(api, place, item, &columns)).collect();
        let total = answer["_meta"]["total"].as_u64();
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        let before = (wish.page - 1).saturating_mul(PAGE);
        let more = match total {
            Some(total) => before + count < total,
            None => count == PAGE,
        };
        let sort = wish.sort.as_deref();
        Self {
            title: place.title.clone(),
            address: place.resource_href("data"),
            new: None,
            columns: columns.iter().map(|name| column(place, &wish, &items, name)).collect(),
            rows,
            total,
            first: before + u64::from(count > 0),
            last: before + count,
            previous: (wish.page > 1).then(|| wish.href(place, sort, wish.page - 1)),
            next: more.then(|| wish.href(place, sort, wish.page + 1)),
            fields,
            tests: Test::ALL
                .iter()
                .map(|(test, name, label)| Choice { name, label, chosen: *test == wish.test })
                .collect(),
            filtered: wish.filters(),
            wish,
            refusal: None,
            done: None,
        }
    }
}

/// The items' own fields in the order in which they turn up.
fn names(items: &[&Value]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for item in items {
        for name in item.as_object().into_iter().flat_map(|item| item.keys()) {
            if !is_meta(name) && !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}

/// The columns worth showing: what names an item first, plain values before nested ones, in the data's order.
fn columns(items: &[&Value], names: &[String]) -> Vec<String> {
    let plain = |name: &&String| items.iter().any(|item| is_scalar(&item[name.as_str()]));
    let mut chosen: Vec<&String> = names.iter().filter(plain).take(COLUMNS).collect();
    let free = COLUMNS - chosen.len();
    chosen.extend(names.iter().filter(|name| !plain(name)).take(free));
    let mut columns: Vec<String> = names.iter().filter(|name| chosen.contains(name)).cloned().collect();
    if let Some(title) = title_field(names).cloned() {
        columns.retain(|name| *name != title);
        columns.insert(0, title);
        columns.truncate(COLUMNS);
    }
    columns
}

fn column(place: &Place, wish: &Wish, items: &[&Value], name: &str) -> Column {
    let values = || items.iter().map(|item| &item[name]).filter(|value| !value.is_null());
    let sort = wish.sort.as_deref().unwrap_or_default();
    let ascending = sort == name;
    let descending = sort.strip_prefix('-') == Some(name);
    let other = if ascending { format!("-{name}") } else { name.to_owned() };
    Column {
        name: name.to_owned(),
        number: values().next().is_some() && values().all(Value::is_number),
        href: values().all(is_scalar).then(|| wish.href(place, Some(&other), 1)),
        sorted: if ascending {
            Some("ascending")
        } else if descending {
            Some("descending")
        } else {
            None
        },
    }
}

fn row(api: &Url, place: &Place, item: &Value, columns: &[String]) -> Row {
    let related = Related::of(api, item);
    let id = match &item["_id"] {
        Value::String(id) => id.clone(),
        other => other.to_string(),
    };
    // The item's own link knows which field addresses it.
    let path = item["_links"]["self"]["href"].as_str().and_then(|link| relative(api, link));
    let path = path.unwrap_or_else(|| place.resource.iter().cloned().chain([id.clone()]).collect());
    Row {
        href: href("data", &path),
        cells: columns.iter().map(|name| cell(name, &item[name.as_str()], &related)).collect(),
        id,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wish(query: &str) -> Wish {
        Wish::read(&Parameters::parse(query.as_bytes()).unwrap()).unwrap()
    }

    fn filter(query: &str) -> Value {
        wish(query).filter().unwrap_or_default()
    }

    #[test]
    fn the_filter_box_builds_a_where() {
        assert_eq!(filter("field=country&value=AT"), json!({"country": "AT"}));
        assert_eq!(filter("field=country&test=not&value=AT"), json!({"country": {"$ne": "AT"}}));
        assert_eq!(filter("field=name&test=starts&value=Wi"), json!({"name": {"$gte": "Wi", "$lt": "Wi\u{10FFFF}"}}));
        assert_eq!(filter("field=population&value=5"), json!({"population": {"$in": [5, "5"]}}));
        assert_eq!(
            filter("field=population&test=least&value=5"),
            json!({"$or": [{"population": {"$gte": 5}}, {"population": {"$gte": "5"}}]})
        );
        assert_eq!(filter("field=population&test=most&value=many"), json!({"population": {"$lte": "many"}}));
        assert_eq!(filter("field=%24where&value=1"), Value::Null);
        assert_eq!(filter("field=a&value="), Value::Null);
        assert_eq!(filter("field=a&value=%7B%22%24gt%22%3A1%7D"), json!({"a": "{\"$gt\":1}"}));
    }

    #[test]
    fn odd_wishes_are_read_as_none() {
        assert_eq!(wish("page=-1&test=boom&sort=-"), Wish { page: 1, ..Wish::default() });
        assert_eq!(wish("page=999999999999999").page, 1_000_000);
        let query = wish("sort=-name&page=2").api_query();
        assert!(query.contains(&("sort", r#"[["name",-1]]"#.to_owned())));
    }

    fn cities() -> Value {
        json!({
            "_items": [
                {"_id": "1", "id": 7, "country": "AT", "name": "Wien", "population": 1_900_000, "location": {"a": 1}},
                {"_id": "2", "id": 8, "country": "AT", "name": null, "population": 5, "area": 4,
                 "_links": {"self": {"href": "cities/by name"}}},
            ],
            "_meta": {"total": 60, "page": 2, "max_results": 25},
        })
    }

    fn place() -> Place {
        Place { title: "Cities".into(), resource: vec!["cities".into()], item: None }
    }

    #[test]
    fn columns_come_from_the_data_and_what_names_an_item_comes_first() {
        let api = Url::parse("https://api.test").unwrap();
        let table = Table::new(&api, &place(), wish("page=2&sort=name&field=country&value=AT"), &cities(), None);
        let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["name", "id", "country", "population", "location", "area"]);
        assert_eq!(table.columns[0].href.as_deref(), Some("/data/cities?field=country&test=is&value=AT&sort=-name"));
        assert_eq!(table.columns[0].sorted, Some("ascending"));
        assert_eq!(table.columns[4].href, None);
        assert!(table.columns[3].number && !table.columns[0].number);
        assert_eq!((table.first, table.last, table.total), (26, 27, Some(60)));
        assert_eq!(table.previous.as_deref(), Some("/data/cities?field=country&test=is&value=AT&sort=name"));
        assert_eq!(table.next.as_deref(), Some("/data/cities?field=country&test=is&value=AT&sort=name&page=3"));
        assert_eq!(table.rows[0].href, "/data/cities/1");
        assert_eq!(table.rows[1].href, "/data/cities/by%20name");
        assert_eq!(table.rows[1].cells[0].text, "");
    }

    #[test]
    fn an_empty_or_strange_answer_makes_an_empty_table() {
        let api = Url::parse("https://api.test").unwrap();
        for answer in [json!({"_items": []}), json!({}), json!([1]), json!({"_items": [1, null, "x"]})] {
            let known = json!({"name": "x", "size": 1});
            let table = Table::new(&api, &place(), wish("field=a&value=b"), &answer, Some(&known));
            assert!(table.columns.is_empty(), "{answer}");
            assert!(table.fields.contains(&"name".to_owned()) && table.fields.contains(&"a".to_owned()));
        }
    }
}
