//! What a valid authorization request needs next. Pure: the dispatcher acts on the answer.

use shared::oauth::Scopes;

use super::request::AuthorizationRequest;
use crate::client::Client;
use crate::consent::Consent;
use crate::scope::ScopeRegistry;
use crate::user::User;

/// The next page, or the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Login,
    /// The password must be changed before anything else (F-014).
    NewPassword,
    /// Ask whether the client may have these.
    Consent(Scopes),
    /// Give the client these.
    Issue(Scopes),
    /// access_denied: none of what it asks for is open to this user.
    Refuse,
}

/// `user`: who is signed in in this browser. `consent`: what he allowed this client before.
pub fn next_step(
    request: &AuthorizationRequest,
    client: &Client,
    user: Option<&User>,
    consent: Option<&Consent>,
    registry: &ScopeRegistry,
) -> Step {
    let Some(user) = user else { return Step::Login };
    if user.must_change {
        return Step::NewPassword;
    }
    // What needs a role goes to its holders only; the token response says what was left out (RFC 6749 3.3).
    let scopes = registry.open_to(user, &request.scopes);
    if scopes.is_empty() {
        return Step::Refuse;
    }
    // Any program on the device can claim to be this client, so a remembered answer would serve the claimant.
    let redirect_uri = client.redirect_uri(&request.target.redirect_uri);
    if client.is_public() && redirect_uri.is_none_or(|uri| uri.is_native()) {
        return Step::Consent(scopes);
    }
    let allowed = consent.is_some_and(|consent| consent.covers(&scopes, &request.resources));
    if client.flags.first_party || allowed { Step::Issue(scopes) } else { Step::Consent(scopes) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::authorize::request::Target;
    use crate::client::AuthMethod;
    use crate::client_metadata::ClientMetadata;
    use crate::scope::Scope;

    const WEB: &str = "https://shop.example/cb";
    const NATIVE: &str = "http://127.0.0.1/cb";
    const RESOURCE: &str = "https://api.example";

    fn scopes(text: &str) -> Scopes {
        text.parse().unwrap()
    }

    fn registry() -> ScopeRegistry {
        let scope = |name: &str, role: Option<&str>| Scope {
            name: name.to_owned(),
            text: name.to_owned(),
            role: role.map(str::to_owned),
        };
        [scope("read", None), scope("write", None), scope("manage", Some("admin"))].into_iter().collect()
    }

    fn client(public: bool, first_party: bool) -> Client {
        ClientMetadata {
            client_name: "Shop".to_owned(),
            token_endpoint_auth_method: public.then_some(AuthMethod::None),
            redirect_uris: vec![WEB.to_owned(), NATIVE.to_owned()],
            scope: scopes("read write manage"),
            first_party,
            ..ClientMetadata::default()
        }
        .declare("shop".to_owned(), 0)
        .unwrap()
    }

    fn request(asked: &str, redirect_uri: &str) -> AuthorizationRequest {
        AuthorizationRequest {
            client: "shop".to_owned(),
            target: Target { redirect_uri: redirect_uri.to_owned(), state: None },
            redirect_uri_sent: true,
            scopes: scopes(asked),
            resources: vec![RESOURCE.to_owned()],
            code_challenge: None,
        }
    }

    fn consent(allowed: &str) -> Consent {
        Consent::none("u_1", "shop").widened(&scopes(allowed), &[RESOURCE.to_owned()], 0)
    }

    /// nobody signed in means login; remembered consent must cover all; first-party clients skip it;
    /// a public native client is asked about every time.
    #[test]
    fn the_table_of_next_steps() {
        let alice = User::new("alice".to_owned(), 0);
        let confidential = client(false, false);
        let ask = |text: &str| Step::Consent(scopes(text));
        let issue = |text: &str| Step::Issue(scopes(text));
        let cases = [
            (&confidential, WEB, "read", None, None, Step::Login),
            (&confidential, WEB, "read", None, Some("read"), Step::Login),
            (&confidential, WEB, "read", Some(&alice), None, ask("read")),
            (&confidential, WEB, "read", Some(&alice), Some("read write"), issue("read")),
            (&confidential, WEB, "read write", Some(&alice), Some("read"), ask("read write")),
            (&confidential, NATIVE, "read", Some(&alice), Some("read"), issue("read")),
            (&client(true, false), WEB, "read", Some(&alice), Some("read"), issue("read")),
            (&client(true, false), NATIVE, "read", Some(&alice), Some("read"), ask("read")),
            (&client(true, true), NATIVE, "read", Some(&alice), Some("read"), ask("read")),
            (&client(true, true), WEB, "read", Some(&alice), None, issue("read")),
            (&client(false, true), WEB, "read", Some(&alice), None, issue("read")),
            (&client(false, true), WEB, "read", None, None, Step::Login),
        ];
        for (number, (client, uri, asked, user, remembered, expected)) in cases.into_iter().enumerate() {
            let remembered = remembered.map(consent);
            let step = next_step(&request(asked, uri), client, user, remembered.as_ref(), &registry());
            assert_eq!(step, expected, "case {number}");
        }
    }

    /// another resource asks again.
    #[test]
    fn consent_for_one_resource_does_not_cover_another() {
        let alice = User::new("alice".to_owned(), 0);
        let mut other = request("read", WEB);
        other.resources.push("https://files.example".to_owned());
        let step = next_step(&other, &client(false, false), Some(&alice), Some(&consent("read")), &registry());
        assert_eq!(step, Step::Consent(scopes("read")));
    }

    /// F-014: no code, and no question, before the password is changed.
    #[test]
    fn a_password_set_by_an_admin_is_changed_first() {
        let mut alice = User::new("alice".to_owned(), 0);
        alice.must_change = true;
        let first_party = client(false, true);
        let step = next_step(&request("read", WEB), &first_party, Some(&alice), None, &registry());
        assert_eq!(step, Step::NewPassword);
    }

    /// B-076 at the source: a scope bound to a role is for its holders; with nothing left the client hears access_denied.
    #[test]
    fn scopes_bound_to_a_role_are_offered_to_its_holders_only() {
        let mut user = User::new("alice".to_owned(), 0);
        let step = |user: &User, asked: &str| {
            next_step(&request(asked, WEB), &client(false, true), Some(user), None, &registry())
        };
        assert_eq!(step(&user, "read manage"), Step::Issue(scopes("read")));
        assert_eq!(step(&user, "manage"), Step::Refuse);
        user.roles.push("admin".to_owned());
        assert_eq!(step(&user, "read manage"), Step::Issue(scopes("read manage")));
    }
}
