//! Typed configuration: defaults in the struct, then `<file>`, then `NAME__SECTION__KEY` variables.
//!
//! Every fault is found before the start is refused: what can't be read is noted, put aside, and the rest is tried again.

use std::path::{Path, PathBuf};

use config::builder::DefaultState;
use config::{ConfigBuilder, Environment, File, FileFormat, Map, Source, Value, ValueKind};
use serde::de::DeserializeOwned;

/// What is wrong with a configuration: one line a fault.
#[derive(Debug, thiserror::Error)]
#[error("{origin}:\n{}", .faults.iter().map(|fault| format!("  - {fault}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    pub origin: String,
    pub faults: Vec<String>,
}

/// A service's settings.
pub trait Settings: DeserializeOwned {
    /// Variables of other names: each is read before those with the prefix, as the value of a top-level key.
    const VARIABLES: &[(&str, &str)] = &[];

    /// Every rule between values that is broken, a line each, naming its key.
    fn faults(&self) -> Vec<String>;
}

/// Reads `file` (if given, it must exist) and the variables that begin with `<PREFIX>__`.
pub fn load<T: Settings>(file: Option<&Path>, prefix: &str) -> Result<T, ConfigError> {
    let mut builder = config::Config::builder();
    if let Some(path) = file {
        builder = builder.add_source(File::from(PathBuf::from(path)).format(FileFormat::Toml));
    }
    let origin = match file {
        Some(path) => format!("configuration {} and {prefix}__… variables", path.display()),
        None => format!("configuration from {prefix}__… variables"),
    };
    for (variable, key) in T::VARIABLES {
        builder = builder.add_source(Variable { name: variable, key });
    }
    read(builder.add_source(variables(prefix)), origin)
}

/// One variable that stands for one key.
#[derive(Debug, Clone)]
struct Variable {
    name: &'static str,
    key: &'static str,
}

impl Source for Variable {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    #[allow(clippy::disallowed_methods, reason = "this is where variables are read")]
    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let value = std::env::var(self.name).ok().filter(|value| !value.is_empty());
        let named = |value| (self.key.to_owned(), Value::new(Some(&self.name.to_owned()), ValueKind::String(value)));
        Ok(value.map(named).into_iter().collect())
    }
}

/// Reads `base`, settings in TOML, and over it the variables that begin with `<PREFIX>__`.
pub fn load_over<T: Settings>(base: &str, prefix: &str) -> Result<T, ConfigError> {
    let builder = config::Config::builder().add_source(File::from_str(base, FileFormat::Toml));
    read(builder.add_source(variables(prefix)), format!("given settings and {prefix}__… variables"))
}

/// Values stay text: parsing them would turn a secret "0123" into a number.
fn variables(prefix: &str) -> Environment {
    Environment::with_prefix(prefix).prefix_separator("__").separator("__")
}

/// The same from text, as tests and the all-in-one stack use it.
pub fn parse<T: Settings>(toml: &str) -> Result<T, ConfigError> {
    read(config::Config::builder().add_source(File::from_str(toml, FileFormat::Toml)), "configuration".to_owned())
}

fn read<T: Settings>(builder: ConfigBuilder<DefaultState>, origin: String) -> Result<T, ConfigError> {
    let collected = builder.build().and_then(|config| config.collect());
    let mut tree = match collected {
        Ok(tree) => tree,
        Err(error) => return Err(ConfigError { origin, faults: vec![without_source_lines(&error.to_string())] }),
    };
    let mut faults = Vec::new();
    loop {
        let value = Value::new(None, ValueKind::Table(tree.clone()));
        match serde_path_to_error::deserialize::<_, T>(value) {
            Ok(settings) => {
                faults.extend(settings.faults());
                return if faults.is_empty() { Ok(settings) } else { Err(ConfigError { origin, faults }) };
            }
            Err(error) => {
                let mut path: Vec<String> =
                    error.path().iter().map(ToString::to_string).filter(|part| part != "?").collect();
                let message = strip(&error.inner().to_string());
                // The path of an unknown key ends at its table; the key itself stands in the message.
                if let Some(unknown) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next())
                    && path.last().is_none_or(|last| last != unknown)
                {
                    path.push(unknown.to_owned());
                }
                faults.push(if path.is_empty() { message } else { format!("{}: {message}", path.join(".")) });
                if !remove(&mut tree, &path) {
                    return Err(ConfigError { origin, faults });
                }
            }
        }
    }
}

/// A syntax error without the lines it quotes: they may hold a secret.
fn without_source_lines(message: &str) -> String {
    let quoted = |line: &&str| line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).starts_with('|');
    message.lines().filter(|line| !quoted(line)).collect::<Vec<_>>().join("; ")
}

/// The library adds "for key …" and the origin, which the path already says.
fn strip(message: &str) -> String {
    message.split(" for key `").next().unwrap_or(message).to_owned()
}

/// Takes the key at `path` out, or the nearest table above it that is there.
fn remove(tree: &mut Map<String, Value>, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    if !rest.is_empty()
        && let Some(Value { kind: ValueKind::Table(table), .. }) = tree.get_mut(first)
        && remove(table, rest)
    {
        return true;
    }
    tree.remove(first).is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde::Deserialize;

    use super::*;
    use crate::Secret;
    use crate::store::StoreUrl;

    #[derive(Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Sample {
        listen: String,
        store: StoreUrl,
        secret: Option<Secret>,
        lifetimes: Lifetimes,
    }

    #[derive(Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Lifetimes {
        code: u64,
    }

    impl Default for Lifetimes {
        fn default() -> Self {
            Self { code: 60 }
        }
    }

    impl Default for Sample {
        fn default() -> Self {
            Self {
                listen: "127.0.0.1:1".to_owned(),
                store: StoreUrl::Sqlite("a.db".into()),
                secret: None,
                lifetimes: Lifetimes::default(),
            }
        }
    }

    impl Settings for Sample {
        fn faults(&self) -> Vec<String> {
            if self.lifetimes.code < 10 { vec!["lifetimes.code: at least 10".to_owned()] } else { Vec::new() }
        }
    }

    /// everything that is wrong is told at once.
    #[test]
    fn all_faults_are_listed_at_once() {
        let text = "
            lisen = 'x'
            store = 'postgres://user:hunter2@db'
            secret = { file = '/nowhere/secret' }
            [lifetimes]
            code = 'soon'
            cod = 5
        ";
        let error = parse::<Sample>(text).map(drop).unwrap_err();
        let told = error.to_string();
        for part in [
            "lisen",
            "store: `postgres` is not a store",
            "secret: can't read /nowhere/secret",
            "lifetimes.code:",
            "lifetimes.cod:",
        ] {
            assert!(told.contains(part), "{part} is missing in:\n{told}");
        }
        assert!(!told.contains("hunter2"));
        let bounds = parse::<Sample>("lifetimes = { code = 5 }").map(drop).unwrap_err();
        assert_eq!(bounds.faults, ["lifetimes.code: at least 10"]);
    }

    ///
    #[test]
    fn a_syntax_error_names_its_line_and_repeats_none_of_it() {
        let error = parse::<Sample>("listen = 'x'\nsecret = \"hunter2\n").map(drop).unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_secret_is_read_from_its_file_without_the_line_end_and_a_numeric_one_stays_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "0123\n").unwrap();
        let read = parse::<Sample>(&format!("secret = {{ file = '{}' }}", path.display())).unwrap();
        assert!(read.secret.unwrap().matches("0123"));
        assert_eq!(read.listen, "127.0.0.1:1");
    }
}
