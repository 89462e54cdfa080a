//! Where documents come from and what keeps them apart: sources, filters, orders, indexes.

use super::*;

/// Contract 2.2, 2.4: source, filter with typed values, order; and the same through TOML.
#[test]
fn a_datasource_is_read_from_toml() {
    let text = r#"
        [DOMAIN.adults]
        etag_ignore_fields = ["seen"]
        cache_control = "max-age=20"
        cache_expires = 20
        required_scopes = { read = ["people"], write = [] }
        [DOMAIN.adults.datasource]
        source = "people"
        filter = { "born" = { "$lt" = 2000-01-01T00:00:00Z }, "$or" = [{ "a" = 1 }, { "b" = { "$in" = ["x"] } }] }
        default_sort = [["name", 1], ["born", -1]]
        [DOMAIN.adults.schema]
        name = { type = "string" }
        born = { type = "datetime" }
    "#;
    let domain = parse(Format::Toml, text).unwrap();
    let resource = domain.resource("adults").unwrap();
    assert_eq!(resource.datasource.source, "people");
    assert_eq!(
        resource.datasource.default_sort,
        [("name".to_owned(), Direction::Ascending), ("born".to_owned(), Direction::Descending)]
    );
    let filter = resource.datasource.filter.for_operator();
    let young = DateTime::from_millis(946_684_800_000);
    let old = DateTime::from_millis(0);
    assert!(filter.matches(&doc! { "born": old, "a": 1 }));
    assert!(filter.matches(&doc! { "born": old, "b": "x" }));
    assert!(!filter.matches(&doc! { "born": young, "a": 1 }));
    assert!(!filter.matches(&doc! { "born": old }));
    assert_eq!(resource.etag_ignore_fields, ["seen"]);
    assert_eq!((resource.cache_control.as_str(), resource.cache_expires), ("max-age=20", 20));
    assert_eq!(resource.required_scopes.read, ["people"]);
    assert!(resource.required_scopes.write.is_empty());
}

/// CFG-19 and VAL-43: declared indexes, and one for each unique rule that an index can keep.
#[test]
fn indexes_come_from_settings_and_rules() {
    let resource = people(json!({
        "auth_field": "owner",
        "mongo_indexes": {"place": [["loc", "2dsphere"]], "names": [[["last", 1], ["first", -1]], {"unique": true, "sparse": true}]},
        "schema": {
            "email": {"type": "string", "unique": true},
            "nick": {"type": "string", "unique_to_user": true},
            "tags": {"type": "list", "unique": true},
            "address": {"type": "dict", "schema": {"code": {"type": "integer", "unique": true}}},
            "keys": {"type": "list", "schema": {"type": "dict", "schema": {"name": {"type": "string", "unique": true}}}},
            "any": {"unique": true},
            "part": {"unique_within_resource": true},
            "off": {"unique": false},
        },
    }));
    let ascending =
        |paths: &[&str]| paths.iter().map(|path| ((*path).to_owned(), IndexDirection::Ascending)).collect::<Vec<_>>();
    let unique = |name: &str, paths: &[&str]| Index {
        name: name.to_owned(),
        keys: ascending(paths),
        unique: true,
        sparse: true,
        options: doc! {},
    };
    assert_eq!(
        resource.indexes,
        [
            Index {
                name: "place".to_owned(),
                keys: vec![("loc".to_owned(), IndexDirection::Special("2dsphere".to_owned()))],
                unique: false,
                sparse: false,
                options: doc! {},
            },
            Index {
                name: "names".to_owned(),
                keys: vec![
                    ("last".to_owned(), IndexDirection::Ascending),
                    ("first".to_owned(), IndexDirection::Descending),
                ],
                unique: true,
                sparse: true,
                options: doc! { "unique": true, "sparse": true },
            },
            unique("unique_email", &["email"]),
            Index {
                sparse: false,
                options: doc! { "partialFilterExpression": { "nick": { "$exists": true } } },
                ..unique("unique_owner_nick", &["nick", "owner"])
            },
            unique("unique_address.code", &["address.code"]),
            unique("unique_keys.name", &["keys.name"]),
        ]
    );
}

/// PUT-04: an id of the domain's own choice is kept apart like `_id`, once.
#[test]
fn an_id_field_has_a_unique_index_of_its_own() {
    let unique = |more: serde_json::Value| {
        let mut file = json!({"id_field": "isbn", "auth_field": "owner", "schema": {"isbn": {"type": "string"}}});
        file.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let resource = people(file);
        resource.indexes.iter().filter(|index| index.unique).map(|index| index.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(unique(json!({})), ["id_isbn"]);
    assert_eq!(unique(json!({"schema": {"isbn": {"type": "string", "unique": true}}})), ["unique_isbn"]);
    assert_eq!(unique(json!({"mongo_indexes": {"own": [[["isbn", -1]], {"unique": true}]}})), ["own"]);
    assert_eq!(
        unique(json!({"schema": {"isbn": {"type": "string", "unique_to_user": true}}})),
        ["unique_owner_isbn", "id_isbn"]
    );
    assert_eq!(unique(json!({"id_field": "_id"})), [""; 0]);
}
