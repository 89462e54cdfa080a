//! `evergate`'s commands on the store of its own stack.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

fn evergate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evergate")).args(arguments).current_dir(folder).output().unwrap()
}

fn told(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// H-011: `evergate auth …` works on the stack's accounts without being told where they are, or on those of a `--config`.
#[test]
fn the_auth_servers_commands_find_the_stacks_store() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("evergate.toml"), "data = 'kept'\n[auth.settings.passwords]\nminimum_length = 20\n")
        .unwrap();
    told(&evergate(folder, &["auth", "user", "create", "alice"]));
    assert!(folder.join("kept/auth.db").exists());
    assert!(told(&evergate(folder, &["auth", "user", "list"])).contains("alice"));
    let made = told(&evergate(folder, &["auth", "user", "set-password", "alice"]));
    assert!(made.trim_end().rsplit(' ').next().unwrap().len() >= 20, "the stack's own settings count");
    std::fs::write(folder.join("other.toml"), "store = 'sqlite:other.db'\nserver = { tls = false }\n").unwrap();
    assert!(!told(&evergate(folder, &["auth", "--config", "other.toml", "user", "list"])).contains("alice"));
    assert_eq!(evergate(folder, &["auth", "usr"]).status.code(), Some(2));
}
