//! The documentation says what is so.

use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// the table of settings has every key of the configuration, and no other.
#[test]
fn the_table_of_settings_is_complete() {
    let config = std::fs::read_to_string(root().join("auth-server/config.toml")).unwrap();
    let docs = std::fs::read_to_string(root().join("docs/auth-server.md")).unwrap();
    let mut keys = Vec::new();
    let mut section = String::new();
    for line in config.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            keys.push(format!("{section}{key}"));
        }
    }
    let settings = docs.split("## Settings").nth(1).unwrap().split("\n## ").next().unwrap();
    let told = settings.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut told: Vec<&str> = told.collect();
    told.sort_unstable();
    keys.sort_unstable();
    assert_eq!(told, keys);
}

/// Each attack of RFC 9700 4.1 to 4.17 names a test that is there.
#[test]
fn each_attack_names_its_tests() {
    let docs = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    for section in 1..=17 {
        let line = docs.lines().find(|line| line.starts_with(&format!("| 4.{section} |"))).unwrap();
        let file = line.rsplit('`').nth(1).unwrap();
        assert!(root().join(file).is_file(), "{file}");
    }
}
