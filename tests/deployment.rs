//! docs/deployment.md: its files are what three services start from, and its unit is one that systemd takes.
#![allow(clippy::unwrap_used)]

#[path = "support/processes.rs"]
mod processes;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use processes::{Processes, evergate, free_ports};

const GUIDE: &str = include_str!("../docs/deployment.md");
const FOLDERS: [&str; 2] = ["/etc/evergate", "/var/lib/evergate"];

/// The TOML below the line that names `path`.
fn file(path: &str) -> &'static str {
    let (_, below) = GUIDE.split_once(&format!("\n`{path}`:")).unwrap_or_else(|| panic!("the guide has no {path}"));
    below.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0
}

/// The guide's files in `folder`, on ports that are free; the ports of auth, api and client.
fn written(folder: &Path) -> [u16; 3] {
    std::fs::create_dir(folder.join("secrets")).unwrap();
    for secret in ["app", "api"] {
        std::fs::write(folder.join("secrets").join(secret), "0123456789abcdef".repeat(4)).unwrap();
    }
    let ports = free_ports();
    for name in ["auth", "api", "client", "declared", "domain"] {
        let mut text = file(&format!("/etc/evergate/{name}.toml")).to_owned();
        for known in FOLDERS {
            text = text.replace(known, folder.to_str().unwrap());
        }
        for (known, port) in ["127.0.0.1:5001", "127.0.0.1:5002", "127.0.0.1:5000"].into_iter().zip(ports) {
            text = text.replace(known, &format!("127.0.0.1:{port}"));
        }
        for metrics in ["127.0.0.1:9001", "127.0.0.1:9002"] {
            text = text.replace(metrics, "127.0.0.1:0");
        }
        std::fs::write(folder.join(name).with_extension("toml"), text).unwrap();
    }
    ports
}

#[actix_rt::test]
async fn three_services_start_from_the_guides_files() {
    let folder = tempfile::tempdir().unwrap();
    let ports = written(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for check in [["auth", "check", "--config", &path("auth.toml")].as_slice(), &["api", "check", &path("domain.toml")]]
    {
        let checked = evergate(folder.path(), check);
        assert!(checked.status.success(), "{check:?}: {}", String::from_utf8_lossy(&checked.stderr));
    }
    let mut services = Processes(Vec::new());
    for part in ["auth", "api", "client"] {
        let child = Command::new(env!("CARGO_BIN_EXE_evergate"))
            .args([part, "serve", "--config", &path(&format!("{part}.toml"))])
            .stderr(Stdio::null())
            .spawn();
        services.0.push(child.unwrap());
    }
    #[allow(clippy::disallowed_methods, reason = "a stranger's client, not one of the product's")]
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let get = |port: u16, path: &str| http.get(format!("http://127.0.0.1:{port}{path}")).send();
    for port in ports {
        let end = Instant::now() + Duration::from_secs(60);
        while get(port, "/healthz").await.is_err() {
            assert!(Instant::now() < end, "nobody listens on {port}");
            actix_rt::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let [auth, api, client] = ports;
    let metadata = get(auth, "/.well-known/oauth-authorization-server").await.unwrap().text().await.unwrap();
    assert!(metadata.contains(r#""https://auth.example.org""#), "{metadata}");
    let refused = get(api, "/books").await.unwrap();
    assert_eq!(refused.status(), 401);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("https://api.example.org/"), "{challenge}");
    assert_eq!(get(client, "/").await.unwrap().status(), 200);
    let admin = evergate(
        folder.path(),
        &["auth", "--config", &path("auth.toml"), "user", "create", "admin", "--role", "admin"],
    );
    assert!(admin.status.success(), "{}", String::from_utf8_lossy(&admin.stderr));
    for backup in [
        ["auth", "--config", &path("auth.toml"), "backup", &path("auth-copy.db")],
        ["api", "backup", &path("api-copy.db"), "--config", &path("api.toml")],
    ] {
        let made = evergate(folder.path(), &backup);
        assert!(made.status.success(), "{backup:?}: {}", String::from_utf8_lossy(&made.stderr));
    }
}

/// Where systemd is there to ask.
#[test]
fn the_unit_is_one_that_systemd_takes() {
    let unit =
        include_str!("../deploy/evergate@.service").replace("/usr/local/bin/evergate", env!("CARGO_BIN_EXE_evergate"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evergate@.service");
    std::fs::write(&path, unit).unwrap();
    let Ok(told) = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output() else { return };
    let told = String::from_utf8_lossy(&told.stderr);
    let ours: Vec<&str> = told.lines().filter(|line| line.contains("evergate@")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}
