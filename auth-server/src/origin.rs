//! Where a request comes from, as the audit log and the lists of sessions tell it (F-053, F-060).

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;
use serde::{Deserialize, Serialize};
use shared::serve::client_ip;

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
}

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
}
