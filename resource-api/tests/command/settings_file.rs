//! Which domain file is read.

use serde_json::json;

use crate::place::Place;

/// CFG-01: the file that EVE_SETTINGS names is read instead of the configured one, not on top of it; a file that is not
/// there stops the start.
#[test]
fn the_variable_of_eve_names_another_domain_file() {
    let place = Place::new(json!({ "DOMAIN": { "people": {}, "works": {} } }));
    let other = place.write("other.json", &json!({ "DOMAIN": { "places": {} } }).to_string());
    let check = |variables: &[(&str, &str)]| place.run_with(variables, &["check"]);
    let own = place.path("domain.json");
    check(&[]).is(0).says(&format!("{own}: 2 resources, no faults"));
    check(&[("EVE_SETTINGS", "")]).is(0).says(&format!("{own}: 2 resources"));
    let done = check(&[("EVE_SETTINGS", &other)]).is(0).says(&format!("{other}: 1 resource, no faults"));
    assert!(!done.out.contains(&own), "{done:?}");
    let gone = place.path("gone.json");
    for command in ["check", "serve"] {
        let told = place.run_with(&[("EVE_SETTINGS", &gone)], &[command]).is(1);
        assert!(told.error.contains(&format!("can't read the domain file {gone}")), "{told:?}");
    }
    // This service's own variable is the last word.
    check(&[("EVE_SETTINGS", &gone), ("RESOURCE_API__DOMAIN", &own)]).is(0).says("2 resources");
}
