//! A Redis server of a test's own, to be stopped and started again.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::free_port;
use crate::Secret;

/// What it was told before it was killed it still knows when it is started again. Ends with the value.
pub struct RedisServer {
    folder: tempfile::TempDir,
    port: u16,
    running: Option<Child>,
}

impl RedisServer {
    /// `None` where `redis-server` is not installed: the test is skipped, but not in CI.
    pub fn start() -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            super::missing("redis-server is not installed");
            return None;
        }
        let mut server = Self { folder: tempfile::tempdir().unwrap(), port: free_port(), running: None };
        server.start_again();
        Some(server)
    }

    /// Starts it again after [`RedisServer::kill`].
    pub fn start_again(&mut self) {
        assert!(self.try_start(), "redis-server does not start");
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Makes it forget everything, as one without a file does when it is started again.
    pub fn forget_everything(&self) {
        assert!(self.ask("FLUSHALL").is_some_and(|answer| answer.starts_with("+OK")));
    }

    /// From now on whoever connects has to know it; after a restart nobody.
    pub fn set_password(&self, password: &str) {
        let set = self.ask(&format!("CONFIG SET requirepass {password}"));
        assert!(set.is_some_and(|answer| answer.starts_with("+OK")));
    }

    /// Makes it a replica of another, which takes no writes.
    pub fn follow(&self, other: &Self) {
        assert!(
            self.ask(&format!("REPLICAOF 127.0.0.1 {}", other.port)).is_some_and(|answer| answer.starts_with("+OK"))
        );
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> Secret {
        Secret::new(format!("redis://{}", self.address()))
    }

    fn try_start(&mut self) -> bool {
        let (port, folder) = (self.port.to_string(), self.folder.path().to_str().unwrap().to_owned());
        let mut child = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--dir", &folder, "--databases", "1"])
            .args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + Duration::from_secs(60);
        while child.try_wait().unwrap().is_none() && Instant::now() < end {
            if self.ask("PING").is_some_and(|answer| answer.starts_with("+PONG")) {
                self.running = Some(child);
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().ok();
        child.wait().unwrap();
        false
    }

    /// The answer to one command.
    fn ask(&self, command: &str) -> Option<String> {
        let mut connection = TcpStream::connect(self.address()).ok()?;
        connection.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        connection.write_all(format!("{command}\r\n").as_bytes()).ok()?;
        let mut answer = [0; 64];
        let read = connection.read(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer[..read]).into_owned())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
