//! Where a request comes from, as the audit log and the lists of sessions tell it (F-053, F-060).

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;
use serde::{Deserialize, Serialize};
use shared::serve::client_ip;

use crate::throttle::network;

/// Characters of a `User-Agent` that are kept.
const LONGEST_AGENT: usize = 256;

/// Address and program of whoever sent a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub ip: IpAddr,
    /// The `User-Agent` it claimed, cut, without control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

impl Origin {
    pub fn of(request: &HttpRequest) -> Self {
        let sent = request.headers().get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        let agent = sent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(LONGEST_AGENT).collect());
        Self { ip: client_ip(request), agent: agent.filter(|agent: &String| !agent.is_empty()) }
    }

    /// The program and its system, as its owner may know them. What it claims is all there is to go by.
    pub fn device(&self) -> String {
        let Some(agent) = &self.agent else { return "Unknown program".to_owned() };
        let named =
            |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
        match (named(&PROGRAMS), named(&SYSTEMS)) {
            (Some(program), Some(system)) => format!("{program} on {system}"),
            (Some(program), None) => program.to_owned(),
            // A program that is no browser: its name, up to the version.
            (None, _) => agent.split(['/', ' ']).next().unwrap_or_default().chars().take(40).collect(),
        }
    }

    /// The part of the address that one party holds: a network for IPv6, where each device has many addresses.
    pub fn address(&self) -> String {
        match self.ip {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(_) => format!("{}/64", network(self.ip)),
        }
    }
}

/// Marks in a `User-Agent`, the telling ones first: most browsers also claim to be others.
const PROGRAMS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    /// F-060: what a stranger writes into the log is bounded, and can't forge a line of it.
    #[test]
    fn an_agent_is_cut_and_bare_of_controls() {
        let agent =
            |sent: &str| Origin::of(&TestRequest::default().insert_header((USER_AGENT, sent)).to_http_request()).agent;
        assert_eq!(agent("Mozilla/5.0\t(X11)").as_deref(), Some("Mozilla/5.0(X11)"));
        assert_eq!(agent(&"x".repeat(5000)).map(|agent| agent.len()), Some(LONGEST_AGENT));
        assert_eq!(agent(""), None);
    }

    /// F-053: a person knows his own browsers again.
    #[test]
    fn a_device_is_named_by_program_and_system() {
        let device = |agent: &str| Origin { ip: IpAddr::from([192, 0, 2, 1]), agent: Some(agent.to_owned()) }.device();
        for (agent, expected) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.14.1", "curl"),
            ("My App", "My"),
        ] {
            assert_eq!(device(agent), expected);
        }
        assert_eq!(Origin { ip: IpAddr::from([192, 0, 2, 1]), agent: None }.device(), "Unknown program");
    }

    /// F-053.
    #[test]
    fn an_address_is_told_as_far_as_one_party_holds_it() {
        let address = |text: &str| text.parse().map(|ip| Origin { ip, agent: None }.address());
        assert_eq!(address("192.0.2.7").as_deref(), Ok("192.0.2.7"));
        assert_eq!(address("2001:db8:1:2:3::9").as_deref(), Ok("2001:db8:1:2::/64"));
    }
}
