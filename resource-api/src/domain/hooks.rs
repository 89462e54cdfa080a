//! Eve's event hooks as webhooks (HOOK-01 to HOOK-04, contract 2.4): which events there are, which of them a request waits for,
//! and whom each is sent to, in order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use shared::Secret;
use url::Url;

use super::Method;

/// Something that happens to a request or to documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// A caller is let in (HOOK-01). HEAD counts as GET.
    Pre(Method),
    /// A request is answered, whatever the answer is. HEAD does not count.
    Post(Method),
    FetchedResource,
    FetchedItem,
    Insert,
    Inserted,
    Replace,
    Replaced,
    Update,
    Updated,
    DeleteItem,
    DeletedItem,
    DeleteResource,
    DeleteResourceOriginals,
    DeletedResource,
}

impl Event {
    pub const NAMES: [(&'static str, Event); 23] = [
        ("on_pre_GET", Event::Pre(Method::Get)),
        ("on_pre_POST", Event::Pre(Method::Post)),
        ("on_pre_PATCH", Event::Pre(Method::Patch)),
        ("on_pre_PUT", Event::Pre(Method::Put)),
        ("on_pre_DELETE", Event::Pre(Method::Delete)),
        ("on_post_GET", Event::Post(Method::Get)),
        ("on_post_POST", Event::Post(Method::Post)),
        ("on_post_PATCH", Event::Post(Method::Patch)),
        ("on_post_PUT", Event::Post(Method::Put)),
        ("on_post_DELETE", Event::Post(Method::Delete)),
        ("on_fetched_resource", Event::FetchedResource),
        ("on_fetched_item", Event::FetchedItem),
        ("on_insert", Event::Insert),
        ("on_inserted", Event::Inserted),
        ("on_replace", Event::Replace),
        ("on_replaced", Event::Replaced),
        ("on_update", Event::Update),
        ("on_updated", Event::Updated),
        ("on_delete_item", Event::DeleteItem),
        ("on_deleted_item", Event::DeletedItem),
        ("on_delete_resource", Event::DeleteResource),
        ("on_delete_resource_originals", Event::DeleteResourceOriginals),
        ("on_deleted_resource", Event::DeletedResource),
    ];

    /// Eve's events of features that are not served.
    pub const UNSERVED: [&'static str; 4] =
        ["on_fetched_diffs", "on_oplog_push", "before_aggregation", "after_aggregation"];

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, event)| *event == self).map_or("", |(name, _)| name)
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, event)| *event)
    }
}

/// Who hears of an event.
#[derive(Clone)]
pub struct Webhook {
    pub url: Url,
    /// For one call; `None`: as the service's configuration says.
    pub timeout: Option<Duration>,
    /// What its calls are signed with; `None`: as the service's configuration says.
    pub secret: Option<Secret>,
}

impl Webhook {
    /// Scheme, host and port: one receiver, and all of a URL that may be logged. The rest may hold a secret.
    pub fn origin(&self) -> &str {
        &self.url[..url::Position::BeforePath]
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Webhook({})", self.origin())
    }
}

/// The webhooks of a resource, or of what belongs to none, by event: those of the whole API first, as in Eve.
#[derive(Debug, Clone, Default)]
pub struct Hooks(BTreeMap<Event, Vec<Webhook>>);

impl Hooks {
    pub fn add(&mut self, event: Event, webhooks: impl IntoIterator<Item = Webhook>) {
        self.0.entry(event).or_default().extend(webhooks);
    }

    pub fn of(&self, event: Event) -> &[Webhook] {
        self.0.get(&event).map_or(&[], Vec::as_slice)
    }

    pub fn all(&self) -> impl Iterator<Item = &Webhook> {
        self.0.values().flatten()
    }
}

/// Bytes of a signing key at least.
const SHORTEST_KEY: usize = 16;

/// The bytes that `secret` stands for: what follows `whsec_` is base64, as Standard Webhooks has it; all else is the key itself.
pub fn signing_key(secret: &Secret) -> Result<Cow<'_, [u8]>, &'static str> {
    let key = match secret.expose().strip_prefix("whsec_") {
        Some(encoded) => Cow::Owned(STANDARD.decode(encoded).map_err(|_| "what follows whsec_ must be base64")?),
        None => Cow::Borrowed(secret.expose().as_bytes()),
    };
    if key.len() < SHORTEST_KEY { Err("must have at least 16 bytes") } else { Ok(key) }
}
