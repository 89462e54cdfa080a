//! docker-compose.yml and the Dockerfile: what each container runs is run here, with its command, its variables and its health
//! check, on a MongoDB and a Redis server. What stands for the containers' own places is replaced: paths, host names, ports.
#![allow(clippy::unwrap_used)]

#[path = "support/processes.rs"]
mod processes;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_yaml_ng::Value;
use shared::store::servers;

use processes::{Processes, free_ports};

const IMAGE: &str = include_str!("../Dockerfile");
const OURS: [&str; 4] = ["prepare", "auth-server", "resource-api", "oauth-client"];

fn services() -> Value {
    let mut compose: Value = serde_yaml_ng::from_str(include_str!("../docker-compose.yml")).unwrap();
    // Twice, as what is merged merges.
    compose.apply_merge().unwrap();
    compose.apply_merge().unwrap();
    compose["services"].clone()
}

fn words(list: &Value) -> Vec<String> {
    list.as_sequence().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// A container's world on this machine.
struct World {
    folder: tempfile::TempDir,
    /// What a container calls it, and what it is called here.
    names: Vec<(String, String)>,
    stores: Vec<(&'static str, String)>,
}

impl World {
    fn new(cluster: &servers::Cluster) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut names = vec![
            ("/etc/evergate.toml".to_owned(), format!("{}/deploy/evergate.toml", env!("CARGO_MANIFEST_DIR"))),
            ("/data".to_owned(), folder.path().to_str().unwrap().to_owned()),
        ];
        for (port, own) in ["5000", "5001", "5002"].into_iter().zip(free_ports::<3>()) {
            for host in ["localhost", "0.0.0.0"] {
                names.push((format!("{host}:{port}"), format!("{host}:{own}")));
            }
        }
        // Databases of their own, in the place of the three that the file names.
        let database = |name: &str| {
            let (address, options) = cluster.store.expose().split_once('?').unwrap();
            format!("{address}_{name}?{options}")
        };
        let stores = vec![
            ("EVERGATE__AUTH__SETTINGS__STORE", database("auth")),
            ("EVERGATE__AUTH__SETTINGS__EPHEMERAL", cluster.ephemeral.expose().to_owned()),
            ("EVERGATE__API__SETTINGS__STORE", database("api")),
            ("EVERGATE__API__SETTINGS__EPHEMERAL", cluster.ephemeral.expose().to_owned()),
            ("EVERGATE__API__SETTINGS__REVOCATION_FEED__REDIS", cluster.ephemeral.expose().to_owned()),
            ("EVERGATE__CLIENT__SETTINGS__STORE", database("client")),
        ];
        Self { folder, names, stores }
    }

    fn here(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (there, here)| text.replace(there, here))
    }

    fn port(&self, known: &str) -> String {
        self.here(&format!("localhost:{known}")).split_once(':').unwrap().1.to_owned()
    }

    /// The container of `service`, with `words` in the place of its own command.
    fn command(&self, service: &Value, words: &[String]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evergate"));
        command.args(words.iter().map(|word| self.here(word))).current_dir(self.folder.path());
        let image = IMAGE.lines().find_map(|line| line.strip_prefix("ENV ")).unwrap();
        for (name, value) in image.split_whitespace().map(|pair| pair.split_once('=').unwrap()) {
            command.env(name, self.here(value));
        }
        if let Some(variables) = service["environment"].as_mapping() {
            for (name, value) in variables {
                command.env(name.as_str().unwrap(), self.here(value.as_str().unwrap()));
            }
        }
        for (part, port) in [("AUTH", "5001"), ("API", "5002"), ("CLIENT", "5000")] {
            // Without the containers' network the three are known as localhost.
            command.env(format!("EVERGATE__{part}__HOST"), "localhost");
            command.env(format!("EVERGATE__{part}__LISTEN"), format!("127.0.0.1:{}", self.port(port)));
        }
        command.envs(self.stores.iter().map(|(name, value)| (*name, value)));
        command
    }
}

fn run(mut command: Command) -> Output {
    command.output().unwrap()
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn healthy(world: &World, service: &Value) {
    let check = words(&service["healthcheck"]["test"]);
    assert_eq!(check[..2], ["CMD", "evergate"]);
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let asked = run(world.command(service, &check[2..]));
        if asked.status.success() {
            return;
        }
        assert!(Instant::now() < end, "{check:?}: {}", String::from_utf8_lossy(&asked.stderr));
        actix_rt::time::sleep(Duration::from_millis(200)).await;
    }
}

#[actix_rt::test]
async fn each_container_runs_and_is_healthy() {
    let (Some(store), Some(ephemeral)) = (servers::mongodb(), servers::redis()) else { return };
    let (services, world) = (services(), World::new(&servers::Cluster { store, ephemeral }));
    let prepare = &services["prepare"];
    let told = done(&run(world.command(prepare, &words(&prepare["command"]))));
    let password =
        told.lines().find_map(|line| line.split_once("demo")?.1.split_whitespace().next()).unwrap_or_default();
    assert!(password.len() > 10, "no login in:\n{told}");
    let again = done(&run(world.command(prepare, &words(&prepare["command"]))));
    assert!(!again.contains(password), "{again}");
    let mut running = Processes(Vec::new());
    for name in &OURS[1..] {
        let service = &services[*name];
        let mut command = world.command(service, &words(&service["command"]));
        running.0.push(command.stderr(Stdio::null()).spawn().unwrap());
        // `depends_on`: the next one waits for this.
        healthy(&world, service).await;
    }
    let ca = std::fs::read(world.folder.path().join("certs/ca.pem")).unwrap();
    #[allow(clippy::disallowed_methods, reason = "a stranger's client, not one of the product's")]
    let http =
        reqwest::Client::builder().add_root_certificate(reqwest::Certificate::from_pem(&ca).unwrap()).build().unwrap();
    let form = [
        ("grant_type", "password"),
        ("client_id", evergate::CURL_CLIENT),
        ("username", "demo"),
        ("password", password),
    ];
    let url = |port: &str, path: &str| format!("https://localhost:{}{path}", world.port(port));
    let answer = http.post(url("5001", "/oauth/token")).form(&form).send().await.unwrap().text().await.unwrap();
    let tokens: BTreeMap<String, serde_json::Value> = serde_json::from_str(&answer).unwrap();
    let token = tokens.get("access_token").unwrap_or_else(|| panic!("{answer}")).as_str().unwrap();
    let cities = http.get(url("5002", "/cities?max_results=1")).bearer_auth(token).send().await.unwrap();
    assert_eq!(cities.status(), 200);
    assert_eq!(http.get(url("5000", "/")).send().await.unwrap().status(), 200);
}

#[test]
fn containers_of_ours_can_do_nothing_but_their_work() {
    let services = services();
    for name in OURS {
        let service = &services[name];
        assert_eq!(service["read_only"], Value::Bool(true), "{name}");
        assert_eq!(words(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(words(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        assert_eq!(service["image"], "evergate", "{name}");
        for port in service["ports"].as_sequence().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name} is open to the network");
        }
    }
    let user = IMAGE.lines().find_map(|line| line.strip_prefix("USER ")).unwrap();
    assert!(!user.starts_with("0") && !user.starts_with("root"), "{user}");
}

#[test]
fn containers_wait_for_what_they_need() {
    let services = services();
    for name in OURS {
        let needs = services[name]["depends_on"].as_mapping().unwrap();
        for (other, need) in needs {
            let other = other.as_str().unwrap();
            let wanted = if other == "prepare" { "service_completed_successfully" } else { "service_healthy" };
            assert_eq!(need["condition"], wanted, "{name} needs {other}");
            assert!(
                other == "prepare" || services[other]["healthcheck"]["test"].is_sequence(),
                "{other} tells no health"
            );
        }
    }
    for store in ["mongo", "redis"] {
        assert!(services[store]["ports"].is_null(), "{store} is open to the machine");
        let networks = words(&services[store]["networks"]);
        assert_eq!(networks, ["stores"], "{store}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/evergate.toml");
    assert!(path.exists() && include_str!("../docker-compose.yml").contains("./deploy/evergate.toml"));
}
