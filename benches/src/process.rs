//! Servers as processes of their own: started, watched through /proc, stopped.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Fault;
use crate::connection::{Connection, Target};
use crate::load::Request;

/// Ticks of /proc/<pid>/stat in a second: Linux shows the same to every program, whatever the kernel's own clock.
const TICKS: u64 = 100;

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Processor time of all its threads.
    pub cpu: Duration,
    /// Memory it holds, in KiB.
    pub resident: u64,
    /// The most it ever held, in KiB.
    pub peak: u64,
    /// What of it no file stands behind, in KiB.
    pub own: u64,
}

impl Usage {
    pub fn of(process: u32) -> Result<Self, Fault> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The second field is the program's name in brackets, which may hold anything.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let field =
            |number: usize| fields.get(number - 3).ok_or("stat is too short")?.parse::<u64>().map_err(Fault::from);
        let ticks = field(14)? + field(15)?;
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
        let memory = |name: &str| -> u64 {
            let value = |line: &str| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok();
            status.lines().find_map(value).unwrap_or_default()
        };
        let cpu = Duration::from_millis(ticks * 1000 / TICKS);
        Ok(Self { cpu, resident: memory("VmRSS:"), peak: memory("VmHWM:"), own: memory("RssAnon:") })
    }
}

/// A running program; killed with the value.
pub struct Server {
    child: Child,
    log: PathBuf,
}

/// The binary of this name from the build that this program is part of.
pub fn binary(name: &str) -> Result<PathBuf, Fault> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is missing: scripts/bench builds it", path.display()).into()) }
}

/// An address nobody listens on at this moment.
pub fn free_address() -> Result<SocketAddr, Fault> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Runs a command to its end and gives what it printed.
pub fn run(command: &mut Command) -> Result<String, Fault> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("{command:?}: {}\n{out}{error}", output.status).into())
}

impl Server {
    /// Starts a server whose log, access lines included, goes to the file `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self, Fault> {
        let file = File::create(log)?;
        let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn()?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Starts a server that prints the address it listens on.
    pub fn announcing(command: &mut Command) -> Result<(Self, SocketAddr), Fault> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let server = Self { child, log: PathBuf::from("/dev/null") };
        Ok((server, line.trim().parse()?))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until /readyz says 200.
    pub async fn ready(&mut self, target: &Target) -> Result<(), Fault> {
        let begun = Instant::now();
        let request = Request::new("GET", "/readyz", &[], "", 200);
        loop {
            let asked = async { request.once(&mut Connection::open(target).await?).await };
            let Err(fault) = asked.await else { return Ok(()) };
            let ended = self.child.try_wait()?;
            if ended.is_some() || begun.elapsed() > Duration::from_secs(30) {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                return Err(format!("{} is not ready: {fault} ({ended:?})\n{log}", target.address).into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The same for a program that runs under a tracer: its children are asked, and the tracer ends with them.
    pub fn stop_traced(mut self) -> Result<(), Fault> {
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.child.id()))?;
        run(Command::new("kill").args(children.split_whitespace()))?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop (SIGTERM) and waits.
    pub fn stop(mut self) -> Result<(), Fault> {
        run(Command::new("kill").arg(self.child.id().to_string()))?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` both fail, and that is fine: it is gone.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
