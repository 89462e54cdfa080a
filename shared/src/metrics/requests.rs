//! Requests by route, method and status, and how long they took.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage as _, HttpRequest};
use metrics::{Counter, Histogram};

use super::Metrics;

/// Put into a request's extensions by a service that routes by itself: the pattern that matched.
#[derive(Clone)]
pub struct MatchedRoute(pub Arc<str>);

/// What paths without a route are counted as: strangers invent as many as they like.
const UNMATCHED: &str = "unmatched";

/// A worker's handles: found by pattern without a lock.
pub struct Requests {
    metrics: Metrics,
    routes: RefCell<HashMap<String, Vec<OfMethod>>>,
}

struct OfMethod {
    method: &'static str,
    seconds: Histogram,
    statuses: Vec<(StatusCode, Counter)>,
}

impl Requests {
    /// `None` while nobody reads metrics.
    pub fn new(metrics: &Metrics) -> Option<Self> {
        metrics.are_on().then(|| Self { metrics: metrics.clone(), routes: RefCell::default() })
    }

    /// Counts a request that is answered, `took` after it came.
    pub fn note<B>(&self, response: &ServiceResponse<B>, took: Duration) {
        let (request, status) = (response.request(), response.status());
        let method = method(request.method());
        let matched = request.extensions().get::<MatchedRoute>().cloned();
        let mut routes = self.routes.borrow_mut();
        match matched {
            Some(MatchedRoute(route)) => self.count(&mut routes, &route, method, status, took),
            None => self.count(&mut routes, &pattern(request), method, status, took),
        }
    }

    fn count(
        &self,
        routes: &mut HashMap<String, Vec<OfMethod>>,
        route: &str,
        method: &'static str,
        status: StatusCode,
        took: Duration,
    ) {
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), Vec::new());
        }
        let Some(methods) = routes.get_mut(route) else { return };
        let place = methods.iter().position(|one| one.method == method).unwrap_or_else(|| {
            let seconds = self.metrics.histogram(
                "evergate_http_request_duration_seconds",
                "From the head of a request to the head of its answer, in seconds",
                &[("method", method), ("route", route)],
            );
            methods.push(OfMethod { method, seconds, statuses: Vec::new() });
            methods.len() - 1
        });
        let of_method = &mut methods[place];
        of_method.seconds.record(took.as_secs_f64());
        let place = of_method.statuses.iter().position(|(one, _)| *one == status).unwrap_or_else(|| {
            let counter = self.metrics.counter(
                "evergate_http_requests_total",
                "Requests answered",
                &[("method", method), ("route", route), ("status", status.as_str())],
            );
            of_method.statuses.push((status, counter));
            of_method.statuses.len() - 1
        });
        of_method.statuses[place].1.increment(1);
    }
}

fn pattern(request: &HttpRequest) -> String {
    request.match_pattern().filter(|pattern| !pattern.is_empty()).unwrap_or_else(|| UNMATCHED.to_owned())
}

/// Strangers invent methods too.
fn method(method: &Method) -> &'static str {
    [
        (Method::GET, "GET"),
        (Method::POST, "POST"),
        (Method::PUT, "PUT"),
        (Method::PATCH, "PATCH"),
        (Method::DELETE, "DELETE"),
        (Method::HEAD, "HEAD"),
        (Method::OPTIONS, "OPTIONS"),
    ]
    .into_iter()
    .find(|(known, _)| known == method)
    .map_or("other", |(_, name)| name)
}
