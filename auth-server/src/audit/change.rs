//! What the log tells of a change: who made it, and what is not as it was (F-062).

use serde_json::{Map, Value, json};

use super::Event;
use crate::origin::Origin;

/// Who makes a change, and from where.
#[derive(Debug, Clone)]
pub struct Author {
    actor: String,
    origin: Option<Origin>,
}

impl Author {
    /// Whoever may use the command line.
    pub const COMMAND_LINE: &str = "command_line";
    /// A file of declared clients, users and scopes.
    pub const DECLARATION: &str = "declaration";
    /// Whoever holds the link that makes the first admin (H-002).
    pub const SETUP_LINK: &str = "setup_link";
    /// This program by itself.
    pub const SERVER: &str = "server";

    pub fn user(id: &str, origin: &Origin) -> Self {
        Self { actor: id.to_owned(), origin: Some(origin.clone()) }
    }

    pub fn command_line() -> Self {
        Self { actor: Self::COMMAND_LINE.to_owned(), origin: None }
    }

    pub fn declaration() -> Self {
        Self { actor: Self::DECLARATION.to_owned(), origin: None }
    }

    pub fn setup_link(origin: &Origin) -> Self {
        Self { actor: Self::SETUP_LINK.to_owned(), origin: Some(origin.clone()) }
    }

    pub fn server() -> Self {
        Self { actor: Self::SERVER.to_owned(), origin: None }
    }

    /// Whether it is this user.
    pub fn is_user(&self, id: &str) -> bool {
        self.actor == id
    }
}

impl Event {
    /// Who caused it, and from where.
    pub fn by(self, author: &Author) -> Self {
        let event = self.actor(&author.actor);
        match &author.origin {
            Some(origin) => event.sent_from(origin),
            None => event,
        }
    }

    /// From what to what: the members that differ. `null` stands for what was not there before, or is not there after.
    pub fn changing(mut self, before: &Value, after: &Value) -> Self {
        let (before, after) = differing(before, after);
        let detail = self.detail.get_or_insert_with(|| json!({}));
        for (name, part) in [("before", before), ("after", after)] {
            if !part.is_empty() {
                detail[name] = Value::Object(part);
            }
        }
        self
    }

    /// Whether [`Event::changing`] found anything.
    pub fn changes_anything(&self) -> bool {
        self.detail.as_ref().is_some_and(|detail| detail.get("before").or(detail.get("after")).is_some())
    }
}

/// The members of two objects that are not the same. Of something new or gone, what is nothing, empty or false is not worth
/// telling.
fn differing(before: &Value, after: &Value) -> (Map<String, Value>, Map<String, Value>) {
    let nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    let whole = before.is_null() || after.is_null();
    let part = |of: &Value, other: &Value| {
        let members = of.as_object().into_iter().flatten();
        let told = members.filter(
            |(name, value)| {
                if whole { !nothing(value) } else { other.get(name.as_str()) != Some(*value) }
            },
        );
        told.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    (part(before, after), part(after, before))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::audit::EventKind;

    /// F-062: what a change is told as; what has nothing in it is left out of what is new or gone.
    #[test]
    fn a_change_is_told_by_the_members_that_differ() {
        let told =
            |before: &Value, after: &Value| Event::new(EventKind::UserChanged).changing(before, after).detail.unwrap();
        let (before, after) = (json!({"a": 1, "b": [], "c": "x"}), json!({"a": 2, "b": [], "d": false}));
        assert_eq!(told(&before, &after), json!({"before": {"a": 1, "c": "x"}, "after": {"a": 2, "d": false}}));
        assert_eq!(told(&Value::Null, &before), json!({"after": {"a": 1, "c": "x"}}));
        assert_eq!(told(&after, &Value::Null), json!({"before": {"a": 2}}));
        assert!(!Event::new(EventKind::UserChanged).changing(&after, &after).changes_anything());
        let scoped = Event::new(EventKind::ScopeChanged).detail(json!({"scope": "read"})).changing(&before, &after);
        assert_eq!(scoped.detail.unwrap()["scope"], "read");
    }

    /// F-060.
    #[test]
    fn an_event_tells_its_author() {
        let origin = Origin { ip: "192.0.2.1".parse().unwrap(), agent: None };
        let event = Event::new(EventKind::UserCreated).by(&Author::user("u_1", &origin));
        assert_eq!((event.actor.as_deref(), event.ip), (Some("u_1"), Some(origin.ip)));
        assert_eq!(
            Event::new(EventKind::UserCreated).by(&Author::command_line()).actor.as_deref(),
            Some("command_line")
        );
    }
}
