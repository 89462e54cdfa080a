use serde_json::{Value, json};

use super::{faults, read};

/// Where the domain file says that the prefix of the one resource leads, and what it warns of.
fn url(settings: Value) -> (Option<String>, Vec<String>) {
    let mut file = json!({ "DOMAIN": { "r": { "mongo_prefix": "OTHER" } } });
    file.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let domain = read(&file);
    let (prefix, url) = domain.connections.named.first().unwrap();
    assert_eq!((prefix.as_str(), domain.connections.named.len()), ("OTHER", 1));
    (url.as_ref().map(|url| url.expose().to_owned()), domain.warnings)
}

/// Contract 2.1, `<PREFIX>_HOST` etc.: as Eve puts them together.
#[test]
fn the_settings_of_a_prefix_are_a_url() {
    let told = |settings: Value, expected: &str| {
        let (url, warnings) = url(settings);
        assert_eq!((url.as_deref(), warnings), (Some(expected), vec![]));
    };
    told(json!({ "OTHER_DBNAME": "shop" }), "mongodb://localhost:27017/shop");
    told(json!({ "OTHER_HOST": "db", "OTHER_PORT": 5, "OTHER_DBNAME": "shop" }), "mongodb://db:5/shop");
    told(json!({ "OTHER_HOST": "a:1,b:2", "OTHER_DBNAME": "shop", "OTHER_CONNECT": true }), "mongodb://a:1,b:2/shop");
    told(
        json!({
            "OTHER_DBNAME": "shop", "OTHER_AUTH_SOURCE": "admin", "OTHER_AUTH_MECHANISM": "GSSAPI",
            "OTHER_AUTH_MECHANISM_PROPERTIES": { "SERVICE_NAME": "x" }, "OTHER_REPLICA_SET": "rs0",
            "OTHER_OPTIONS": { "tz_aware": true, "connect": false, "uuidRepresentation": "standard", "maxPoolSize": 5, "tls": true },
        }),
        "mongodb://localhost:27017/shop?authSource=admin&authMechanism=GSSAPI&replicaSet=rs0&authMechanismProperties=SERVICE%5FNAME%3Ax&maxPoolSize=5&tls=true",
    );
    told(json!({ "OTHER_URI": "mongodb://a,b/shop?w=1" }), "mongodb://a,b/shop?w=1");
    told(json!({ "OTHER_URI": "mongodb+srv://a?w=1", "OTHER_DBNAME": "shop" }), "mongodb+srv://a/shop?w=1");
    told(json!({ "OTHER_URI": "mongodb://a/own", "OTHER_DBNAME": "shop", "OTHER_HOST": "b" }), "mongodb://a/own");
    assert_eq!(url(json!({})), (None, vec![]));
}

/// A password is taken, and told to be better elsewhere; none is ever printed.
#[test]
fn passwords_in_the_domain_file_are_warned_about() {
    let better = "passwords are better kept by the service's own configuration, under stores";
    let (url_of, warnings) = url(json!({ "OTHER_DBNAME": "shop", "OTHER_USERNAME": "u@h", "OTHER_PASSWORD": "p:/?" }));
    assert_eq!(url_of.as_deref(), Some("mongodb://u%40h:p%3A%2F%3F@localhost:27017/shop"));
    assert_eq!(warnings, [format!("OTHER_PASSWORD: {better}")]);
    let (_, warnings) = url(json!({ "OTHER_URI": "mongodb://u:p@h/d", "OTHER_WRITE_CONCERN": { "w": 1 } }));
    assert_eq!(
        warnings,
        ["OTHER_WRITE_CONCERN: ignored: every write is durable".to_owned(), format!("OTHER_URI: {better}")]
    );
    let domain =
        read(&json!({ "OTHER_URI": "mongodb://u:hunter2@h/d", "DOMAIN": { "r": { "mongo_prefix": "OTHER" } } }));
    assert!(!format!("{domain:?}").contains("hunter2"));
}

#[test]
fn bad_settings_of_a_prefix_are_faults() {
    let file = json!({
        "A_HOST": "db", "B_DBNAME": "d", "B_USERNAME": "u", "B_PORT": "x", "C_URI": 5, "D_DBNAME": "d", "D_OPTIONS": { "a": [1] },
        "DOMAIN": {
            "a": { "mongo_prefix": "A" }, "b": { "mongo_prefix": "B" }, "c": { "mongo_prefix": "C" }, "d": { "mongo_prefix": "D" },
            "e": { "mongo_prefix": "a b" }, "f": { "mongo_prefix": "" }, "g": { "mongo_prefix": 1 }, "h": { "mongo_prefix": "d" },
        },
    });
    assert_eq!(
        faults(&file),
        [
            "e: mongo_prefix: must be letters, digits and underscores",
            "f: mongo_prefix: must be letters, digits and underscores",
            "g: mongo_prefix: must be a string or null",
            "A_DBNAME: is missing: the connection needs a database",
            "B_USERNAME: needs a password, and a password a name",
            "B_PORT: must be a port",
            "C_URI: must be a string",
            "D_OPTIONS: 'a' must be a text, a number, true or false",
            "d: differs from the prefix D in its capitals alone",
        ]
    );
}

/// Contract 2.4: with the claim, whatever the file says where to find may be named by a caller.
#[test]
fn a_claim_makes_connections_of_all_prefixes_in_the_file() {
    let file = |claim: Value| {
        json!({
            "AUTH_MONGO_PREFIX_CLAIM": claim, "ACME_URI": "mongodb://a/acme", "SHOP_DBNAME": "shop", "MONGO_HOST": "x",
            "DOMAIN": { "r": {}, "s": { "mongo_prefix": "MONGO" } },
        })
    };
    let with = read(&file(json!("tenant")));
    assert_eq!(with.connections.named.keys().collect::<Vec<_>>(), ["ACME", "SHOP"]);
    assert_eq!(with.connections.claim.as_deref(), Some("tenant"));
    assert_eq!(with.warnings, ["MONGO_HOST: ignored: the store is named in the service's own configuration"]);
    let without = read(&file(json!(null)));
    assert!(without.connections.named.is_empty() && without.connections.claim.is_none());
    assert!(without.warnings.contains(&"ACME_URI: unknown setting, ignored".to_owned()), "{:?}", without.warnings);
}
