//! What the whole-system tests share.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr, dead_code)]

pub mod browser;
mod demo;
pub mod recorder;

use evergate::{Stack, StackSettings};

/// The three services on free ports, with everything they keep in a folder that goes with them.
pub struct Running {
    pub stack: Stack,
    pub settings: StackSettings,
    pub folder: tempfile::TempDir,
}

impl Running {
    /// `more` is TOML over the usual settings.
    pub async fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let any = "listen = '127.0.0.1:0'";
        let base = format!(
            "data = '{path}/data'\ncerts = '{path}/certs'\nauth = {{ {any} }}\napi = {{ {any} }}\nclient = {{ {any} }}\n"
        );
        let mut table: toml::Table = base.parse().unwrap();
        merge(&mut table, more.parse().unwrap());
        let settings: StackSettings = shared::config::parse(&table.to_string()).unwrap();
        let stack = Stack::start(&settings).await.unwrap();
        Self { stack, settings, folder }
    }

    pub fn password(&self, username: &str) -> &str {
        &self.stack.logins.iter().find(|login| login.username == username).unwrap().password
    }

    /// Trusts the development CA, follows nothing.
    pub fn client(&self) -> reqwest::Client {
        let mut builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        if let Some(ca) = &self.stack.ca {
            let pem = std::fs::read(ca).unwrap();
            builder = builder.add_root_certificate(reqwest::Certificate::from_pem(&pem).unwrap());
        }
        builder.build().unwrap()
    }

    /// A token of the demo user by the password grant.
    pub async fn token(&self) -> String {
        demo::token(&self.client(), &self.stack.addresses.auth, self.password("demo")).await
    }
}

fn merge(into: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(over)) => merge(into, over),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}
