//! What stands in the audit log (F-060 to F-062).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{clock, request_id};

use crate::grant::Grant;
use crate::origin::Origin;
use crate::users::Refusal;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $text:literal $outcome:ident,)*) => {
        /// What happened. A new kind is one line here; its text is what the store, the console and the export show.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventKind {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl EventKind {
            /// Every kind, for lists to choose from.
            pub const ALL: &[EventKind] = &[$(EventKind::$name,)*];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(EventKind::$name => $text,)*
                }
            }

            /// How it ends unless the event says otherwise.
            fn outcome(self) -> Outcome {
                match self {
                    $(EventKind::$name => Outcome::$outcome,)*
                }
            }
        }
    };
}

kinds! {
    /// A password was right, and somebody is signed in; with a client, through the password grant.
    LoginSucceeded "login_succeeded" Success,
    LoginFailed "login_failed" Failure,
    /// Too many failures: nothing was tried (F-041).
    LoginThrottled "login_throttled" Failure,
    /// So many sign-ins failed in a row that the account is closed to browsers that never signed in to it (F-043).
    AccountClosed "account_closed" Success,
    /// An administrator opened it again.
    AccountReopened "account_reopened" Success,
    LoggedOut "logged_out" Success,
    /// By the person himself (F-013).
    PasswordChanged "password_changed" Success,
    /// A browser's session was ended from elsewhere.
    SessionEnded "session_ended" Success,
    ConsentGranted "consent_granted" Success,
    ConsentDenied "consent_denied" Success,
    /// With it the client's grants are revoked (F-054).
    ConsentWithdrawn "consent_withdrawn" Success,
    CodeIssued "code_issued" Success,
    CodeRedeemed "code_redeemed" Success,
    /// A code was redeemed a second time; its grant was revoked (B-047).
    CodeReplayed "code_replayed" Failure,
    TokenIssued "token_issued" Success,
    TokenRefreshed "token_refreshed" Success,
    /// One access token, or a grant with all its tokens.
    TokenRevoked "token_revoked" Success,
    /// A rotated refresh token came back outside its grace; its grant was revoked (B-080).
    RefreshReused "refresh_reused" Failure,
    /// A client presented a refresh token of another (B-071).
    ForeignToken "foreign_token" Failure,
    /// A client could not prove itself.
    ClientRefused "client_refused" Failure,
    /// OAuth parameters stood in a URL, where logs and histories keep them (B-001).
    CredentialInUrl "credential_in_url" Failure,
    /// A client without the permission asked about a token (C-001).
    IntrospectionRefused "introspection_refused" Failure,
    UserCreated "user_created" Success,
    /// Name, roles, or whether it is disabled.
    UserChanged "user_changed" Success,
    UserDeleted "user_deleted" Success,
    /// By somebody else than its owner.
    PasswordSet "password_set" Success,
    /// All browsers of a person, by somebody else.
    SessionsEnded "sessions_ended" Success,
    /// All grants of a person or a client, by somebody else.
    GrantsRevoked "grants_revoked" Success,
    ClientCreated "client_created" Success,
    ClientChanged "client_changed" Success,
    /// A secret was added, taken out, or got another end.
    ClientSecretsChanged "client_secrets_changed" Success,
    ClientDeleted "client_deleted" Success,
    ScopeCreated "scope_created" Success,
    ScopeChanged "scope_changed" Success,
    ScopeDeleted "scope_deleted" Success,
    /// The server began to serve.
    Started "started" Success,
    /// It runs with other settings than at its last start.
    SettingsChanged "settings_changed" Success,
    /// The store's tables were brought to a newer version.
    Migrated "migrated" Success,
    /// A master key was added, put in front or taken out (F-071).
    KeysChanged "keys_changed" Success,
    /// The store was copied to a file.
    BackedUp "backed_up" Success,
    /// The store was replaced by a copy.
    Restored "restored" Success,
    /// Accounts and clients were taken over from elsewhere.
    Imported "imported" Success,
}

impl EventKind {
    /// Whether anybody can make it happen, and as often as he likes.
    pub fn is_anybodys(self) -> bool {
        matches!(
            self,
            EventKind::LoginFailed
                | EventKind::LoginThrottled
                | EventKind::ClientRefused
                | EventKind::CredentialInUrl
                | EventKind::IntrospectionRefused
        )
    }

    /// Whether it is the daily business of machines: a search for such a kind needs no index.
    pub fn is_common(self) -> bool {
        matches!(
            self,
            EventKind::CodeIssued | EventKind::CodeRedeemed | EventKind::TokenIssued | EventKind::TokenRefreshed
        )
    }
}

impl std::str::FromStr for EventKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such kind of event")]
pub struct UnknownKind;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Success,
    Failure,
}

/// One entry of the log. Never a secret: no password, code, token or their hashes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Epoch seconds.
    pub at: i64,
    pub kind: EventKind,
    pub outcome: Outcome,
    /// Why it failed, or what it was done by: a code of `a-z_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who did it: a user's or client's id, or what stands for the command line. `None`: nobody proved who he is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Whose account it concerns: a user's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What else is worth knowing, by the kind; of a change `{ "before": …, "after": … }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

impl Event {
    /// An event of now, in the request that is being served.
    pub fn new(kind: EventKind) -> Self {
        Self {
            at: clock::now(),
            kind,
            outcome: kind.outcome(),
            reason: None,
            actor: None,
            subject: None,
            client: None,
            ip: None,
            agent: None,
            request_id: request_id::current(),
            detail: None,
        }
    }

    pub fn sent_from(mut self, origin: &Origin) -> Self {
        self.ip = Some(origin.ip);
        self.agent.clone_from(&origin.agent);
        self
    }

    pub fn actor(mut self, id: &str) -> Self {
        self.actor = Some(id.to_owned());
        self
    }

    pub fn subject(mut self, id: &str) -> Self {
        self.subject = Some(id.to_owned());
        self
    }

    /// A person does something to his own account.
    pub fn own(self, id: &str) -> Self {
        self.actor(id).subject(id)
    }

    /// Which client it concerns. An id that was never registered is cut: it is whatever somebody sent.
    pub fn client(mut self, id: &str) -> Self {
        self.client = Some(id.chars().filter(|c| !c.is_control()).take(128).collect());
        self
    }

    /// A password did not open an account. The name that was typed is left out where it is nobody's: it may be a password.
    pub fn login_failed(refusal: &Refusal) -> Self {
        let mut event = Event::new(EventKind::LoginFailed).reason(refusal.reason);
        event.subject.clone_from(&refusal.user);
        event
    }

    /// The client and the person of a grant.
    pub fn of_grant(mut self, grant: &Grant) -> Self {
        self.client = Some(grant.client.clone());
        self.subject = grant.user.as_ref().map(|user| user.id.clone());
        self
    }

    /// A code of `a-z_`.
    pub fn reason(mut self, code: impl Into<String>) -> Self {
        self.reason = Some(code.into());
        self
    }

    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }

    /// The same, but it did not come to pass.
    pub fn failed(mut self, code: impl Into<String>) -> Self {
        self.outcome = Outcome::Failure;
        self.reason(code)
    }
}

/// Which events are asked for: all that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub kind: Option<EventKind>,
    pub outcome: Option<Outcome>,
    /// The id of whoever did it, or whose account it concerns.
    pub who: Option<String>,
    pub client: Option<String>,
    pub ip: Option<IpAddr>,
    /// Epoch seconds, inclusive.
    pub since: Option<i64>,
    /// Epoch seconds, exclusive.
    pub until: Option<i64>,
}

impl EventFilter {
    /// What the filter means; backends may only select faster.
    pub fn matches(&self, event: &Event) -> bool {
        fn fits<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none() || wanted == found
        }
        fits(self.kind.as_ref(), Some(&event.kind))
            && fits(self.outcome.as_ref(), Some(&event.outcome))
            && (fits(self.who.as_ref(), event.actor.as_ref()) || fits(self.who.as_ref(), event.subject.as_ref()))
            && fits(self.client.as_ref(), event.client.as_ref())
            && fits(self.ip.as_ref(), event.ip.as_ref())
            && self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at < until)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// F-063: the export's names are those of the console's filter.
    #[test]
    fn a_kind_is_found_by_the_text_it_is_written_with() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!("login".parse::<EventKind>(), Err(UnknownKind));
    }

    /// F-060: what an event holds, and that it says how it ended.
    #[test]
    fn an_event_tells_who_did_what_to_whom_and_how_it_ended() {
        let origin = Origin { ip: "192.0.2.1".parse().unwrap(), agent: Some("curl/8".to_owned()) };
        let event = Event::new(EventKind::PasswordChanged).own("u_1").client("c_1").sent_from(&origin);
        let written = serde_json::to_value(Event { at: 7, ..event.clone() }).unwrap();
        let expected = serde_json::json!({
            "at": 7, "kind": "password_changed", "outcome": "success", "actor": "u_1", "subject": "u_1", "client": "c_1",
            "ip": "192.0.2.1", "agent": "curl/8",
        });
        assert_eq!(written, expected);
        let failed = event.failed("store_unavailable");
        assert_eq!((failed.outcome, failed.reason.as_deref()), (Outcome::Failure, Some("store_unavailable")));
        assert_eq!(Event::new(EventKind::RefreshReused).outcome, Outcome::Failure);
    }

    /// F-063.
    #[test]
    fn a_filter_wants_all_that_it_names() {
        let event = Event { at: 10, ..Event::new(EventKind::TokenIssued).actor("c_1").subject("u_1").client("c_1") };
        let fits = |filter: EventFilter| filter.matches(&event);
        let text = |id: &str| Some(id.to_owned());
        assert!(fits(EventFilter::default()));
        assert!(fits(EventFilter { who: text("u_1"), client: text("c_1"), ..Default::default() }));
        assert!(fits(EventFilter { who: text("c_1"), since: Some(10), until: Some(11), ..Default::default() }));
        assert!(!fits(EventFilter { who: text("u_2"), ..Default::default() }));
        assert!(!fits(EventFilter { client: text("u_1"), ..Default::default() }));
        assert!(!fits(EventFilter { until: Some(10), ..Default::default() }));
        assert!(!fits(EventFilter { since: Some(11), ..Default::default() }));
        assert!(!fits(EventFilter { ip: "192.0.2.1".parse().ok(), ..Default::default() }));
        assert!(!fits(EventFilter { kind: Some(EventKind::CodeIssued), ..Default::default() }));
        assert!(!fits(EventFilter { outcome: Some(Outcome::Failure), ..Default::default() }));
    }
}
