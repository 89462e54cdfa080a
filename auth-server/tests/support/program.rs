//! The program itself, as a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use shared::store::servers::free_port;

use super::API;

/// Where a program is to serve.
#[derive(Clone)]
pub struct Place {
    pub url: String,
    pub config: PathBuf,
}

impl Place {
    /// A folder with a configuration and nothing else, and a port of its own.
    pub fn new(folder: &Path) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let config = folder.join("config.toml");
        let text = format!(
            "issuer = 'http://{address}'\nstore = 'sqlite:{}'\ndev = true\ndefault_resource = '{API}'\n\
             lifetimes = {{ refresh_grace = 60 }}\n[server]\nlisten = '{address}'\ntls = false\nworkers = 2\n",
            folder.join("auth.db").display()
        );
        std::fs::write(&config, text).unwrap();
        Self { url: format!("http://{address}"), config }
    }
}

/// The program serving a store; killed when the test ends.
pub struct Program(Child);

impl Program {
    pub async fn serve(place: &Place) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_auth-server"))
            .args(["serve", "--config"])
            .arg(&place.config)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let program = Self(child);
        let end = Instant::now() + Duration::from_secs(60);
        while reqwest::get(format!("{}/readyz", place.url)).await.is_err() {
            assert!(Instant::now() < end, "the program does not get ready");
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
        program
    }

    /// SIGKILL: nothing can be written after it.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn terminate(&self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }
}
