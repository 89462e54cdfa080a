//! What a page about an account is for: an authorization request that waits (`tx`), or a page of ours to go on to (`next`).

use shared::form::{Parameters, encode};
use shared::page::Policy;

use crate::app::App;
use crate::authorize::respond::form_action;
use crate::authorize::transaction::{self, Open};
use crate::browser::Visitor;
use crate::error_page::PageError;

/// Carried through the page by a hidden field.
pub enum Purpose {
    Transaction(Box<Open>),
    /// A path of ours.
    Page(String),
}

impl Purpose {
    /// From the query of the page or the fields of its form; without any, the start page.
    pub async fn of(app: &App, parameters: &Parameters, visitor: &Visitor) -> Result<Self, PageError> {
        Self::or_page(app, parameters, visitor, "/").await
    }

    /// The same with another page (a path below our root) to go on to where none is asked for.
    pub async fn or_page(app: &App, parameters: &Parameters, visitor: &Visitor, page: &str) -> Result<Self, PageError> {
        if let Some(tx) = parameters.one("tx")? {
            return Ok(Purpose::Transaction(Box::new(transaction::open(app, tx, Some(visitor)).await?)));
        }
        let root = app.config.root();
        let next = parameters.one("next")?.filter(|next| is_own_path(&root, next));
        Ok(Purpose::Page(next.map_or_else(|| format!("{root}{page}"), str::to_owned)))
    }

    /// Where it goes on once the page has done its part.
    pub fn onward(&self, app: &App) -> String {
        match self {
            Purpose::Transaction(open) => format!("{}/authorize/continue?tx={}", app.config.root(), open.id),
            Purpose::Page(path) => path.clone(),
        }
    }

    /// Another page of ours, for the same purpose.
    pub fn by_way_of(&self, app: &App, page: &str) -> String {
        let root = app.config.root();
        match self {
            Purpose::Transaction(open) => format!("{root}/{page}?tx={}", open.id),
            Purpose::Page(path) => format!("{root}/{page}?next={}", encode(path)),
        }
    }

    pub fn tx(&self) -> Option<&str> {
        match self {
            Purpose::Transaction(open) => Some(&open.id),
            Purpose::Page(_) => None,
        }
    }

    pub fn next(&self) -> Option<&str> {
        match self {
            Purpose::Transaction(_) => None,
            Purpose::Page(path) => Some(path),
        }
    }

    /// The application that waits.
    pub fn client_name(&self) -> Option<&str> {
        match self {
            Purpose::Transaction(open) => Some(&open.client.name),
            Purpose::Page(_) => None,
        }
    }

    /// The redirect after the page's form may lead through to the client at once, and Chromium holds the form's policy
    /// against the whole way.
    pub fn policy(&self) -> Policy {
        let targets = match self {
            Purpose::Transaction(open) => form_action(&open.request.target.redirect_uri).into_iter().collect(),
            Purpose::Page(_) => Vec::new(),
        };
        Policy { form_action: targets, ..Policy::default() }
    }
}

/// Only paths below our own root, in plain characters: nothing that a browser could take for another host.
fn is_own_path(root: &str, path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/?=&%+".contains(&byte);
    path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
        && !path.starts_with("//")
        && path.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H-001: the way on after a sign-in never leads to another host.
    #[test]
    fn only_paths_of_ours_are_gone_on_to() {
        for good in ["/oauth/", "/oauth/management", "/oauth/management/users?q=a%20b&after=u_1"] {
            assert!(is_own_path("/oauth", good), "{good}");
        }
        for bad in [
            "",
            "/",
            "//evil.example/oauth/",
            "https://evil.example/oauth/",
            "/oauth",
            "/oauthx/",
            "/oauth\\evil",
            "/oauth/\r\nSet-Cookie:x",
            "javascript:alert(1)",
        ] {
            assert!(!is_own_path("/oauth", bad), "{bad}");
        }
        assert!(is_own_path("", "/management"));
        assert!(!is_own_path("", "//evil.example/"));
    }
}
