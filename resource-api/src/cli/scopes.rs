//! `scopes`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Done, read};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The domain file
    domain: PathBuf,
}

pub fn run(arguments: &Arguments) -> Done {
    for scope in read(&arguments.domain)?.scopes() {
        let text = |text: String| toml::Value::String(text).to_string();
        println!("[[scopes]]\nname = {}\ntext = {}\n", text(scope.scope), text(scope.text));
    }
    Ok(ExitCode::SUCCESS)
}
