//! A folder with a configuration, a domain file and a store.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use resource_api::config::AuthMode;
use resource_api::domain::{Format, parse};
use resource_api::query::Filter;
use resource_api::{App, Config};
use serde_json::Value;
use shared::store::StoreUrl;
use tempfile::TempDir;

pub struct Place {
    folder: TempDir,
    domain: Value,
}

/// What a command did.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub error: String,
}

impl Done {
    #[track_caller]
    pub fn is(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text) || self.error.contains(text), "{text} is missing in {self:?}");
        self
    }
}

impl Place {
    pub fn new(domain: Value) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), domain };
        place.write("domain.json", &place.domain.to_string());
        let config = format!(
            "domain = {:?}\nstore = \"sqlite:{}\"\nlog = \"warn\"\n[server]\nlisten = \"127.0.0.1:0\"\ntls = false\n[auth]\nmode = \"none\"\n",
            place.at("domain.json"),
            place.at("api.db").display()
        );
        place.write("config.toml", &config);
        place
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn path(&self, name: &str) -> String {
        self.at(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.at(name), text).unwrap();
        self.path(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.at(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_resource-api"));
        command.args(arguments).arg("--config").arg(self.at("config.toml"));
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Done {
        self.run_with(&[], arguments)
    }

    /// The same with more variables.
    pub fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Done {
        let mut command = self.command(arguments);
        let output = command.envs(variables.iter().copied()).stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Done { code: output.status.code().unwrap(), out: text(output.stdout), error: text(output.stderr) }
    }

    /// Starts one, to be killed.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The service, and where it listens.
    pub fn serve(&self) -> (Child, String) {
        let mut command = self.command(&["serve"]);
        let mut child = command.env("RESOURCE_API__LOG", "info").stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            Some(line.split_once(" listens on ")?.1.split_whitespace().next()?.to_owned())
        });
        // Its log goes on; a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        (child, format!("http://{}", address.expect("it says where it listens")))
    }

    /// The service's parts on the same store.
    pub async fn app(&self) -> App {
        let mut config = Config { store: StoreUrl::Sqlite(self.at("api.db")), ..Config::default() };
        config.auth.mode = AuthMode::None;
        let domain = parse(Format::Json, &self.domain.to_string()).unwrap();
        App::open(&config, domain, "127.0.0.1:1".parse().unwrap()).await.unwrap()
    }

    /// Every document of a resource by its id, as a line of Extended JSON.
    pub async fn stored(&self, resource: &str) -> Vec<String> {
        let mut lines = Vec::new();
        resource_api::transfer::export(&self.app().await, resource, &Filter::All, &mut lines, &()).await.unwrap();
        String::from_utf8(lines).unwrap().lines().map(str::to_owned).collect()
    }
}
