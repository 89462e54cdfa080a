//! A stack that `evergate prepare` made, in a folder of its own, and services of it that run one by one.
#![allow(dead_code, reason = "not every test needs all of it")]

#[path = "demo.rs"]
mod demo;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::processes::{Processes, evergate, free_ports};

/// By noun: the service's configuration file.
pub const SERVICES: [(&str, &str); 3] =
    [("auth", "auth-server.toml"), ("api", "resource-api.toml"), ("client", "oauth-client.toml")];

/// Everything ends with the value.
pub struct Prepared {
    folder: tempfile::TempDir,
    /// What `prepare` told last.
    pub made: Value,
    services: Processes,
}

impl Prepared {
    /// On ports of its own.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings: String = SERVICES
            .iter()
            .zip(free_ports::<3>())
            .map(|((noun, _), port)| format!("[{noun}]\nlisten = '127.0.0.1:{port}'\nhost = 'localhost'\n"))
            .collect();
        std::fs::write(folder.path().join("evergate.toml"), settings).unwrap();
        let mut prepared = Self { folder, made: Value::Null, services: Processes(Vec::new()) };
        prepared.again();
        prepared
    }

    pub fn again(&mut self) {
        let output = evergate(self.path(), &["prepare", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.made = serde_json::from_slice(&output.stdout).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn address(&self, noun: &str) -> &str {
        self.made[noun].as_str().unwrap()
    }

    /// Starts a service, with these variables.
    pub fn serve(&mut self, noun: &str, variables: &[(&str, &str)]) {
        let (_, file) = SERVICES.iter().find(|(known, _)| *known == noun).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_evergate"))
            .current_dir(self.path())
            .args([noun, "serve", "--config", &format!("data/{file}")])
            .envs(variables.iter().copied())
            .stderr(Stdio::null())
            .spawn();
        self.services.0.push(child.unwrap());
    }

    /// Trusts the stack's certificates.
    pub fn http(&self) -> reqwest::Client {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(self.file("certs/ca.pem")).unwrap()).unwrap();
        #[allow(clippy::disallowed_methods, reason = "a stranger's client, not one of the product's")]
        reqwest::Client::builder().add_root_certificate(ca).build().unwrap()
    }

    /// A token of the demo's user.
    pub async fn token(&self, http: &reqwest::Client) -> String {
        let demo = self.made["logins"].as_array().unwrap().iter().find(|login| login["username"] == "demo").unwrap();
        demo::token(http, self.address("auth"), demo["password"].as_str().unwrap()).await
    }
}
