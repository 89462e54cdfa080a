//! The results as a Markdown table, printed and kept beside the build.

use std::fmt::Write as _;
use std::time::Duration;

use crate::Fault;
use crate::crowd::{Crowd, RATE};
use crate::load::{Latency, Throughput};
use crate::rows::Row;
use crate::slow_sync::SlowSync;
use crate::stage::Transport;
use crate::whole::Whole;

pub struct Line {
    row: Row,
    on_cluster: bool,
    transport: Transport,
    bytes: usize,
    target: Throughput,
    bare: Throughput,
    /// Lowest, median and highest of the turns.
    ratio: [f64; 3],
    latency: Latency,
}

impl Line {
    pub fn new(
        row: Row,
        on_cluster: bool,
        transport: Transport,
        bytes: usize,
        turns: &[(Throughput, Throughput)],
        latency: Latency,
    ) -> Self {
        let ratios = sorted(turns.iter().map(|(target, bare)| target.rate / bare.rate));
        let ratio = [ratios[0], ratios[ratios.len() / 2], ratios[ratios.len() - 1]];
        let middle = |of: fn(&(Throughput, Throughput)) -> Throughput| {
            let median = |part: fn(Throughput) -> f64| {
                let values = sorted(turns.iter().map(|turn| part(of(turn))));
                values[values.len() / 2]
            };
            Throughput {
                rate: median(|t| t.rate),
                server_cpu: median(|t| t.server_cpu),
                own_cpu: median(|t| t.own_cpu),
            }
        };
        Self {
            row,
            on_cluster,
            transport,
            bytes,
            target: middle(|turn| turn.0),
            bare: middle(|turn| turn.1),
            ratio,
            latency,
        }
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

pub struct Table {
    text: String,
}

impl Table {
    pub fn new(rounds: u32, seconds: f64) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let text = format!(
            "{cores} cores, {}. {rounds} turns of {seconds} s, 32 connections, two workers, access log on. Ratio: median (lowest to highest).\n\n\
             | row | over | body | answers/s | beside | its answers/s | ratio | µs CPU | its µs | load µs | open loop | p50 | p99 | p99.9 |\n\
             | --- | --- | ---: | ---: | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
            model.map_or("an unknown processor", |(_, name)| name),
        );
        Self { text }
    }

    pub fn add(&mut self, line: Line) {
        let Line { row, on_cluster, transport, bytes, target, bare, ratio: [lowest, median, highest], latency } = line;
        let over = match transport {
            Transport::Plain => "http",
            Transport::Tls => "TLS",
        };
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        self.write(format_args!(
            "| {} | {over} | {bytes} B | {} | {} | {:.0} | {median:.2} ({lowest:.2} to {highest:.2}) | {:.1} | {:.1} | {:.1} | {}/s | {:.2} ms | {:.2} ms | {:.2} ms |",
            row.title(),
            match row.documents() {
                Some(documents) => format!("{:.1} ({:.0} documents)", target.rate, target.rate * documents as f64),
                None => format!("{:.0}", target.rate),
            },
            row.beside(on_cluster),
            bare.rate,
            target.server_cpu,
            bare.server_cpu,
            target.own_cpu,
            latency.rate,
            milliseconds(latency.median),
            milliseconds(latency.p99),
            milliseconds(latency.p999),
        ));
    }

    pub fn crowd(&mut self, crowd: &Crowd) {
        let Crowd { latency, sign_ins, resident, own } = crowd;
        let answers: Vec<String> = sign_ins.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        self.write(format_args!(
            "\n{RATE} introspections/s while 50 browsers try passwords: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms; sign-ins: {}; \
             the auth-server held {:.0} MiB at most, {:.0} MiB of them its own, the others pages of its file.",
            latency.median.as_secs_f64() * 1000.0,
            latency.p99.as_secs_f64() * 1000.0,
            latency.p999.as_secs_f64() * 1000.0,
            answers.join(", "),
            *resident as f64 / 1024.0,
            *own as f64 / 1024.0,
        ));
    }

    /// Turns of tokens a second and of writes a second.
    pub fn writer(&mut self, turns: &[(f64, f64)]) {
        let ratios = sorted(turns.iter().map(|(tokens, writes)| tokens / writes));
        let middle = |values: Vec<f64>| values[values.len() / 2];
        self.write(format_args!(
            "\nclient_credentials: {:.0} tokens/s; 32 callers make {:.0} of their writes/s without a server, on the same file: {:.2} ({:.2} to {:.2}).",
            middle(sorted(turns.iter().map(|turn| turn.0))),
            middle(sorted(turns.iter().map(|turn| turn.1))),
            ratios[ratios.len() / 2],
            ratios[0],
            ratios[ratios.len() - 1],
        ));
    }

    pub fn slow_sync(&mut self, measured: &SlowSync) {
        self.write(format_args!(
            "\nWith 2 ms more for each sync: {:.0} tokens/s, {:.1} writes in a commit (one by one they would be {:.0}/s at most).",
            measured.rate, measured.writes_per_commit, measured.alone,
        ));
    }

    pub fn whole(&mut self, whole: &Whole) {
        self.write(format_args!(
            "\nThree services in one process, second start: ready after {:.0} ms, {:.1} MiB resident after 10 s idle.",
            whole.ready.as_secs_f64() * 1000.0,
            whole.resident as f64 / 1024.0,
        ));
    }

    /// What is measured is told at once: a run may be stopped before its end.
    #[allow(clippy::print_stderr, reason = "a command line")]
    fn write(&mut self, line: std::fmt::Arguments<'_>) {
        eprintln!("{line}");
        writeln!(self.text, "{line}").expect("writing to a text does not fail");
    }

    /// Prints the table and keeps it in `bench/table.md` of the target folder.
    #[allow(clippy::print_stdout, reason = "the result")]
    pub fn publish(self) -> Result<(), Fault> {
        println!("{}", self.text);
        let program = std::env::current_exe()?;
        let folder = program.ancestors().nth(2).ok_or("the program is in no target folder")?.join("bench");
        std::fs::create_dir_all(&folder)?;
        Ok(std::fs::write(folder.join("table.md"), self.text)?)
    }
}
