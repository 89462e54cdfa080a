//! Every command and every curl line of docs/auth-server.md, run as it is printed there.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::json;
use crate::support::{API, Server};

const CALLBACK: &str = "https://shop.example/callback";

/// The lines of a section's shell blocks, by what their comment says they show.
fn steps(section: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let docs = std::fs::read_to_string(root.join("docs/auth-server.md")).unwrap();
    let section = docs.split(&format!("\n## {section}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let mut steps: Vec<(String, String)> = Vec::new();
    for block in section.split("```sh\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match line.strip_prefix("# ") {
                Some(comment) => steps.push((comment.split(':').next().unwrap().to_owned(), String::new())),
                None => {
                    let script = &mut steps.last_mut().unwrap().1;
                    script.push_str(line);
                    script.push('\n');
                }
            }
        }
    }
    steps
}

/// A reader's shell: what he has set, and the program on his path.
struct Shell {
    variables: HashMap<&'static str, String>,
}

impl Shell {
    async fn run(&self, script: &str) -> String {
        let mut shell = Command::new("bash");
        let program = Path::new(env!("CARGO_BIN_EXE_auth-server")).parent().unwrap();
        let script = format!("PATH={}:$PATH\n{script}", program.display());
        shell.args(["-euo", "pipefail", "-c", &script]).envs(self.variables.iter());
        let Output { status, stdout, stderr } =
            tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
        assert!(status.success(), "{script}\n{}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    async fn answer(&self, script: &str) -> Value {
        let text = self.run(script).await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{script}\n{text}"))
    }

    fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.insert(name, value.into());
    }

    /// Keeps what an answer of /token gave, and checks that it is one.
    fn keep_tokens(&mut self, answer: &Value) {
        assert_eq!(answer["token_type"], "Bearer", "{answer}");
        assert_eq!(answer["scope"], "people:read", "{answer}");
        self.set("TOKEN", answer["access_token"].as_str().unwrap());
        if let Some(refresh) = answer["refresh_token"].as_str() {
            self.set("REFRESH", refresh);
        }
    }
}

/// B-041, B-060, B-070, B-090, C-001, C-020, C-040 as a reader of the documentation meets them.
#[actix_rt::test]
async fn every_line_of_the_guide_does_what_it_says() {
    let server = Server::with("password_grant = true").await;
    let alice = server.user("alice").await;
    let mut shell = Shell { variables: HashMap::new() };
    for (name, value) in [
        ("AUTH", server.url.clone()),
        ("AUTH_SERVER_CONFIG", server.config_file().to_str().unwrap().to_owned()),
        ("CALLBACK", CALLBACK.to_owned()),
        ("STATE", "af0ifjsldkj".to_owned()),
        ("NAME", alice.username.clone()),
        ("PASSWORD", alice.password.clone()),
    ] {
        shell.set(name, value);
    }
    let mut shown = Vec::new();
    for (what, script) in steps("Grants") {
        match what.as_str() {
            "prepare" => {
                for line in script.replace("https://127.0.0.1:5002", API).lines() {
                    let told = shell.run(line).await;
                    let (id, secret) = match line {
                        _ if line.contains("--name Shop") => ("ID", Some("SECRET")),
                        _ if line.contains("--name Robot") => ("ROBOT_ID", Some("ROBOT_SECRET")),
                        _ if line.contains("--name Script") => ("SCRIPT_ID", None),
                        _ if line.contains("--name API") => ("API_ID", Some("API_SECRET")),
                        _ => continue,
                    };
                    let client = json(&told);
                    shell.set(id, client["client_id"].as_str().unwrap());
                    if let Some(secret) = secret {
                        shell.set(secret, client["client_secret"].as_str().unwrap());
                    }
                }
            }
            "browser" => {
                let told = shell.run(&format!("{script}\necho $VERIFIER")).await;
                let (address, verifier) = told.trim().split_once('\n').unwrap();
                shell.set("VERIFIER", verifier);
                let query = address.split_once('?').unwrap().1;
                assert!(address.starts_with(&format!("{}/oauth/authorize?", server.url)), "{address}");
                let location = alice.browser().authorize(query, &alice).await;
                let location = url::Url::parse(&location).unwrap();
                let told: HashMap<_, _> = location.query_pairs().into_owned().collect();
                assert_eq!((told["state"].as_str(), told["iss"].as_str()), ("af0ifjsldkj", server.url.as_str()));
                shell.set("CODE", &told["code"]);
            }
            "authorization_code" | "refresh_token" | "client_credentials" => {
                let answer = shell.answer(&script).await;
                shell.keep_tokens(&answer);
            }
            "password" => {
                let answer = shell.answer(&script).await;
                assert!(answer["access_token"].is_string() && answer["refresh_token"].is_string(), "{answer}");
            }
            "introspection" => {
                let answer = shell.answer(&script).await;
                assert_eq!((answer["active"].as_bool(), answer["scope"].as_str()), (Some(true), Some("people:read")));
            }
            "revocation" => {
                assert_eq!(shell.run(&script).await, "");
                let refresh = steps("Grants").into_iter().find(|(what, _)| what == "refresh_token").unwrap().1;
                assert_eq!(shell.answer(&refresh).await["error"], "invalid_grant");
            }
            "metadata" => assert_eq!(shell.answer(&script).await["issuer"], server.url.as_str()),
            other => panic!("nobody tries what the guide shows of {other}"),
        }
        shown.push(what);
    }
    assert_eq!(shown.len(), 9, "{shown:?}");
}
