//! What a service counts and measures, told in Prometheus' text form on a listener of its own.
//!
//! Handles are made once and kept where they are used: counting is one atomic addition. While no listener is configured they
//! count nothing. Each server has its own, so that several in one process don't mix.

mod listener;
mod requests;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use metrics::{Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_process::Collector;
use serde::Deserialize;

pub use ::metrics::{Counter, Gauge, Histogram};
pub use listener::Listener;
pub use requests::{MatchedRoute, Requests};

use crate::serve::ServerConfig;

/// Where metrics are read. Part of each service's configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// `None`: nothing is counted.
    pub listen: Option<SocketAddr>,
    /// Allows an address that others can reach: whoever reaches it reads how much this service does, without a password.
    pub open_to_network: bool,
}

impl MetricsConfig {
    pub fn faults(&self, server: &ServerConfig) -> Vec<String> {
        let Some(listen) = self.listen else { return Vec::new() };
        let mut faults = Vec::new();
        if !listen.ip().is_loopback() && !self.open_to_network {
            faults.push(format!(
                "metrics.listen: {listen} is not a loopback address: say metrics.open_to_network = true if only your Prometheus reaches it"
            ));
        }
        if listen.port() != 0 && listen == server.listen {
            faults.push("metrics.listen: must not be the public listener".to_owned());
        }
        faults
    }
}

/// All that one server counts; cheap to clone.
#[derive(Clone, Default)]
pub struct Metrics {
    kept: Option<Arc<Kept>>,
}

struct Kept {
    listen: SocketAddr,
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    process: Collector,
    /// Look at what is not counted but can be looked up: the length of a queue.
    looks: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
}

/// Upper bounds, in seconds, of what takes time.
const SECONDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of what comes in batches.
const WRITES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

const WHAT: Metadata<'static> = Metadata::new("evergate", Level::INFO, None);

impl Metrics {
    pub fn new(config: &MetricsConfig) -> Self {
        let Some(listen) = config.listen else { return Self::default() };
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_writes".to_owned()), &WRITES))
            .expect("the bounds are some")
            .build_recorder();
        let handle = recorder.handle();
        let kept = Kept { listen, recorder, handle, process: Collector::default(), looks: Mutex::default() };
        metrics::with_local_recorder(&kept.recorder, || kept.process.describe());
        let metrics = Self { kept: Some(Arc::new(kept)) };
        let build = [("version", env!("CARGO_PKG_VERSION"))];
        metrics.gauge("evergate_build_info", "The running version", &build).set(1.0);
        metrics
    }

    /// Whether anybody reads them.
    pub fn are_on(&self) -> bool {
        self.kept.is_some()
    }

    /// Something that only grows. `help` says what it is and in which unit.
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        let Some(kept) = &self.kept else { return Counter::noop() };
        kept.recorder.describe_counter(name.into(), None, help.into());
        kept.recorder.register_counter(&key(name, labels), &WHAT)
    }

    /// Something that grows and shrinks.
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        let Some(kept) = &self.kept else { return Gauge::noop() };
        kept.recorder.describe_gauge(name.into(), None, help.into());
        kept.recorder.register_gauge(&key(name, labels), &WHAT)
    }

    /// How values are distributed; a name that ends in `_seconds` or `_writes` has the bounds of that unit.
    pub fn histogram(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
        let Some(kept) = &self.kept else { return Histogram::noop() };
        kept.recorder.describe_histogram(name.into(), None, help.into());
        kept.recorder.register_histogram(&key(name, labels), &WHAT)
    }

    /// Counters of one name that differ in the values of `labels`, each made when it is first needed.
    pub fn counters<const N: usize>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
    ) -> Counters<N> {
        Counters { metrics: self.clone(), name, help, labels, kept: RwLock::default() }
    }

    /// Shows what `look` finds, whenever somebody reads.
    pub fn watch(&self, name: &'static str, help: &'static str, look: impl Fn() -> f64 + Send + Sync + 'static) {
        let Some(kept) = &self.kept else { return };
        let gauge = self.gauge(name, help, &[]);
        let look = Box::new(move || gauge.set(look()));
        kept.looks.lock().unwrap_or_else(PoisonError::into_inner).push(look);
    }
}

impl Kept {
    /// Everything, as Prometheus reads it.
    fn render(&self) -> String {
        for look in self.looks.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            look();
        }
        metrics::with_local_recorder(&self.recorder, || self.process.collect());
        self.handle.render()
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(name, labels)
}

/// See [`Metrics::counters`]. Values of labels come from short lists in the code, never from requests: each is kept.
pub struct Counters<const N: usize> {
    metrics: Metrics,
    name: &'static str,
    help: &'static str,
    labels: [&'static str; N],
    kept: RwLock<HashMap<[&'static str; N], Counter>>,
}

impl<const N: usize> Counters<N> {
    /// Counts one with these values.
    pub fn count(&self, values: [&'static str; N]) {
        if !self.metrics.are_on() {
            return;
        }
        if let Some(counter) = self.kept.read().unwrap_or_else(PoisonError::into_inner).get(&values) {
            counter.increment(1);
            return;
        }
        let labels: Vec<(&'static str, &str)> = self.labels.into_iter().zip(values).collect();
        let counter = self.metrics.counter(self.name, self.help, &labels);
        counter.increment(1);
        self.kept.write().unwrap_or_else(PoisonError::into_inner).insert(values, counter);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metrics({})", if self.are_on() { "on" } else { "off" })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn on() -> Metrics {
        Metrics::new(&MetricsConfig { listen: Some(([127, 0, 0, 1], 0).into()), open_to_network: false })
    }

    #[test]
    fn what_is_counted_is_told_in_prometheus_form() {
        let metrics = on();
        let outcomes = metrics.counters("evergate_things_total", "Things", ["kind", "outcome"]);
        outcomes.count(["a", "done"]);
        outcomes.count(["a", "done"]);
        outcomes.count(["b", "failed"]);
        metrics.histogram("evergate_wait_seconds", "Waits", &[]).record(0.003);
        metrics.watch("evergate_queue", "Waiting", || 7.0);
        let told = metrics.kept.as_ref().unwrap().render();
        for line in [
            "# HELP evergate_things_total Things",
            "# TYPE evergate_things_total counter",
            "evergate_things_total{kind=\"a\",outcome=\"done\"} 2",
            "evergate_things_total{kind=\"b\",outcome=\"failed\"} 1",
            "evergate_wait_seconds_bucket{le=\"0.0025\"} 0",
            "evergate_wait_seconds_bucket{le=\"0.005\"} 1",
            "evergate_wait_seconds_count 1",
            "evergate_queue 7",
        ] {
            assert!(told.lines().any(|told| told == line), "{line} is missing in:\n{told}");
        }
        assert!(told.contains("process_resident_memory_bytes"));
    }

    /// Two servers in one process don't count for each other, and what is off counts nothing.
    #[test]
    fn servers_count_for_themselves() {
        let (one, other, off) = (on(), on(), Metrics::default());
        for metrics in [&one, &off] {
            metrics.counter("evergate_things_total", "Things", &[]).increment(1);
            metrics.counters("evergate_others_total", "Others", ["kind"]).count(["a"]);
        }
        assert!(one.kept.as_ref().unwrap().render().contains("evergate_others_total"));
        assert!(!other.kept.as_ref().unwrap().render().contains("_total{"));
        assert!(!off.are_on());
    }

    /// never on the public listener, and on loopback unless told otherwise.
    #[test]
    fn a_listener_that_strangers_reach_must_be_meant() {
        let server = ServerConfig { listen: ([127, 0, 0, 1], 5001).into(), ..ServerConfig::default() };
        let faults = |listen: &str, open_to_network| {
            MetricsConfig { listen: Some(listen.parse().unwrap()), open_to_network }.faults(&server)
        };
        assert!(faults("127.0.0.1:9001", false).is_empty() && faults("[::1]:9001", false).is_empty());
        assert!(faults("0.0.0.0:9001", false)[0].contains("open_to_network"));
        assert!(faults("0.0.0.0:9001", true).is_empty());
        assert!(faults("127.0.0.1:5001", true)[0].contains("public listener"));
    }
}
