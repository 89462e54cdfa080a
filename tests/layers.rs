//! The walls of docs/architecture.md, section 2, held up by reading the sources.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::Path;

const CRATES: &[&str] = &["auth-server", "oauth-client", "resource-api", "shared", "benches", "oracle", "."];
const SERVICES: &[&str] = &["auth-server", "oauth-client", "resource-api"];

/// Files, and folders (with their slash), that may speak HTTP as a server: endpoints, extractors, error, routes, lib and the
/// HTTP files of `shared`. Everything else, rules and stores above all, must not.
const HTTP: &[&str] = &[
    "auth-server/src/account/",
    "auth-server/src/authorize/consent.rs",
    "auth-server/src/authorize/mod.rs",
    "auth-server/src/authorize/respond.rs",
    "auth-server/src/browser.rs",
    "auth-server/src/browser_form.rs",
    "auth-server/src/declare.rs",
    "auth-server/src/discovery.rs",
    "auth-server/src/error.rs",
    "auth-server/src/error_page.rs",
    "auth-server/src/form.rs",
    "auth-server/src/home.rs",
    "auth-server/src/introspect.rs",
    "auth-server/src/lib.rs",
    "auth-server/src/login.rs",
    "auth-server/src/logout.rs",
    "auth-server/src/main.rs",
    "auth-server/src/management/",
    "auth-server/src/origin.rs",
    "auth-server/src/revocations/stream.rs",
    "auth-server/src/revoke.rs",
    "auth-server/src/routes.rs",
    "auth-server/src/setup.rs",
    "auth-server/src/sign_in/device.rs",
    "auth-server/src/sign_in/mod.rs",
    "auth-server/src/token/",
    "benches/src/bare.rs",
    "benches/src/driver.rs",
    "oauth-client/src/app.rs",
    "oauth-client/src/error.rs",
    "oauth-client/src/forms.rs",
    "oauth-client/src/lib.rs",
    "oauth-client/src/login.rs",
    "oauth-client/src/main.rs",
    "oauth-client/src/resources/mod.rs",
    "oauth-client/src/resources/writing.rs",
    "oauth-client/src/routes.rs",
    "oauth-client/src/sign_out.rs",
    "resource-api/src/auth.rs",
    "resource-api/src/endpoints/",
    "resource-api/src/error.rs",
    "resource-api/src/lib.rs",
    "resource-api/src/main.rs",
    "resource-api/src/metadata.rs",
    "resource-api/src/preconditions.rs",
    "resource-api/src/routes.rs",
    "shared/src/drain.rs",
    "shared/src/metrics/",
    "shared/src/page.rs",
    "shared/src/request_id.rs",
    "shared/src/serve.rs",
    "shared/src/session.rs",
];
/// Database drivers and the files that may use them.
const DRIVERS: &[(&str, &[&str])] = &[
    (
        "rusqlite",
        &[
            "auth-server/src/directory/sqlite/",
            "resource-api/src/store/sqlite/",
            "shared/src/expiring/sqlite.rs",
            "shared/src/store/",
        ],
    ),
    (
        "mongodb",
        &[
            "auth-server/src/directory/mongo/",
            "auth-server/src/import/mongo.rs",
            "benches/src/cluster.rs",
            "benches/src/driver.rs",
            "resource-api/src/store/mongo/",
            "shared/src/expiring/mongo",
            "shared/src/store/mongo",
        ],
    ),
    // Their modules bear the driver's name.
    ("redis", &["benches/src/cluster.rs", "benches/src/driver.rs", "shared/src/expiring/", "shared/src/store/"]),
];

/// A source file: its path from the root and its code without comment lines.
struct Source {
    path: String,
    code: String,
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for name in CRATES {
        for part in ["src", "tests"] {
            read(root, &root.join(name).join(part), &mut found);
        }
    }
    assert!(found.len() > 50, "only {} sources were found", found.len());
    found
}

fn read(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).fold(
                String::new(),
                |mut code, line| {
                    writeln!(code, "{line}").unwrap();
                    code
                },
            );
            let path = path.strip_prefix(root).unwrap().to_str().unwrap().trim_start_matches("./").to_owned();
            found.push(Source { path, code, lines: text.lines().count() });
        }
    }
}

/// Whether the code uses something of the crate.
fn uses(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    code.match_indices(&path).any(|(start, _)| !code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

fn listed(path: &str, list: &[&str]) -> bool {
    list.iter().any(|entry| path.starts_with(entry))
}

/// Code of a program; tests drive real servers and stores and may name what they need.
fn is_product(path: &str) -> bool {
    !path.starts_with("tests/") && !path.contains("/tests/") && !path.ends_with("/tests.rs")
}

fn none(wrong: Vec<String>, why: &str) {
    assert!(wrong.is_empty(), "{why}:\n  {}", wrong.join("\n  "));
}

#[test]
fn the_http_framework_stays_in_endpoints_extractors_errors_and_routes() {
    let wrong = sources()
        .into_iter()
        .filter(|source| is_product(&source.path) && uses(&source.code, "actix_web"))
        .filter(|source| !listed(&source.path, HTTP))
        .map(|source| source.path);
    none(wrong.collect(), "rules and stores know no HTTP, yet these use actix_web");
}

#[test]
fn database_drivers_stay_in_backend_files() {
    let sources = sources();
    let wrong = DRIVERS.iter().flat_map(|(driver, allowed)| {
        let naming = sources.iter().filter(|source| is_product(&source.path) && uses(&source.code, driver));
        naming.filter(|source| !listed(&source.path, allowed)).map(move |source| format!("{}: {driver}", source.path))
    });
    none(wrong.collect(), "only backends know databases");
}

/// Tests may start a real neighbour, so only the product's code and dependencies count.
#[test]
fn services_do_not_know_each_other_and_shared_knows_no_service() {
    let owners = || SERVICES.iter().chain(&["shared"]);
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| is_product(&source.path)) {
        let Some(owner) = owners().find(|owner| source.path.starts_with(&format!("{owner}/"))) else { continue };
        let others = SERVICES.iter().filter(|other| *other != owner && uses(&source.code, &other.replace('-', "_")));
        wrong.extend(others.map(|other| format!("{}: {other}", source.path)));
    }
    for owner in owners() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(owner).join("Cargo.toml");
        let manifest = std::fs::read_to_string(path).unwrap();
        let dependencies = manifest.split("[dev-dependencies]").next().unwrap();
        let others = SERVICES.iter().filter(|other| dependencies.lines().any(|line| line.starts_with(**other)));
        wrong.extend(others.map(|other| format!("{owner}/Cargo.toml: {other}")));
    }
    none(wrong, "services meet over HTTP only");
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let long = sources().into_iter().filter(|source| source.lines > 400);
    none(long.map(|source| format!("{}: {} lines", source.path, source.lines)).collect(), "split these");
}

#[test]
fn the_lists_of_this_file_name_what_is_there() {
    let sources = sources();
    let listed = HTTP.iter().chain(DRIVERS.iter().flat_map(|(_, allowed)| *allowed));
    let stale = listed.filter(|entry| !sources.iter().any(|source| source.path.starts_with(**entry)));
    none(stale.map(|entry| (*entry).to_owned()).collect(), "these are gone");
}

/// A test that is renamed would drop out of its group without a word.
#[test]
fn the_tests_that_nextest_groups_by_name_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = std::fs::read_to_string(root.join(".config/nextest.toml")).unwrap();
    let sources = sources();
    let (mut known, mut gone) = (0, Vec::new());
    for part in config.split("package(").skip(1) {
        let Some((package, rest)) = part.split_once(") and test(/") else { continue };
        let folder = if package == "evergate" { String::new() } else { format!("{package}/") };
        for name in rest.split("/)").next().unwrap().split('|') {
            let inside = |path: &str| match folder.as_str() {
                "" => path.starts_with("tests/") || path.starts_with("src/"),
                folder => path.starts_with(folder),
            };
            let is_there = sources.iter().any(|source| inside(&source.path) && names(&source.code, name));
            known += usize::from(is_there);
            if !is_there {
                gone.push(format!("{package}: {name}"));
            }
        }
    }
    assert!(known > 20, "only {known} names were found");
    none(gone, "these tests are gone or renamed");
}

/// Whether there is a function with `wanted` in its name.
fn names(code: &str, wanted: &str) -> bool {
    code.match_indices("fn ").any(|(start, _)| {
        code[start + 3..]
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .next()
            .is_some_and(|name| name.contains(wanted))
    })
}

#[test]
fn a_crate_is_found_by_its_whole_name_only() {
    assert!(uses("use redis::Client;", "redis"));
    assert!(uses("    &redis::cmd(name)", "redis"));
    assert!(!uses("StoreUrl::Redis(\"redis://\")", "redis"));
    assert!(!uses("use actix_redis::Client;", "redis"));
}
