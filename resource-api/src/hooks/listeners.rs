//! Those who hear of one event of one request, and what they may change.

use bson::{Document, error::Error};

use super::message::{About, Message, typed, typed_list};
use super::{HookError, Hooks, answer};
use crate::domain::{self, Event, Method, Names, Resource, Settings, Webhook};
use crate::query::{Filter, cast_by_schema, parse_trusted};
use crate::representation::json::write_value;

/// At least one, in the order they are called: those of the whole API first (HOOK-02).
pub struct Listeners<'a> {
    hooks: &'a Hooks,
    webhooks: &'a [Webhook],
    about: About<'a>,
}

impl Hooks {
    /// Of `webhooks`, those of `about`'s event; `None`: nobody listens.
    pub fn listeners<'a>(&'a self, webhooks: &'a domain::Hooks, about: About<'a>) -> Option<Listeners<'a>> {
        let webhooks = webhooks.of(about.event);
        (!webhooks.is_empty()).then_some(Listeners { hooks: self, webhooks, about })
    }
}

impl Listeners<'_> {
    /// HOOK-01: the condition that the documents of the request must fulfil too. `lookup`: what the URL asks for.
    pub async fn narrow(
        &self,
        lookup: &Document,
        resource: &Resource,
        settings: &Settings,
    ) -> Result<Filter, HookError> {
        let lookup = self.written(typed(lookup))?;
        let mut narrowed = Filter::All;
        for webhook in self.webhooks {
            let message = Message::new(&self.about, &[("lookup", &lookup)]);
            let Some(body) = self.hooks.ask(webhook, &message).await? else { continue };
            let fault = |reason| message.fault(webhook, reason);
            let Some(mut condition) = answer::lookup(&body).map_err(fault)? else { continue };
            if self.about.event == Event::Pre(Method::Post) {
                return Err(message.fault(webhook, "its answer has a lookup, and a POST looks nothing up"));
            }
            cast_by_schema(&mut condition, &resource.schema, &settings.date_format);
            let condition = parse_trusted(&condition)
                .map_err(|error| message.fault(webhook, format!("its answer's lookup: {error}")))?;
            narrowed = narrowed.and(condition);
        }
        Ok(narrowed)
    }

    /// The documents to store in the place of these (HOOK-03).
    pub async fn insert(&self, mut documents: Vec<Document>, names: &Names) -> Result<Vec<Document>, HookError> {
        for webhook in self.webhooks {
            let written = self.written(typed_list(documents.iter().map(typed)))?;
            let message = Message::new(&self.about, &[("documents", &written)]);
            let Some(body) = self.hooks.ask(webhook, &message).await? else { continue };
            let changed = answer::documents(&body, documents.len(), names);
            if let Some(changed) = changed.map_err(|reason| message.fault(webhook, reason))? {
                documents = changed;
            }
        }
        Ok(documents)
    }

    /// The document, or the updates, in the place of this one (HOOK-03). `name`: what the event calls it.
    pub async fn change(
        &self,
        name: &'static str,
        mut document: Document,
        original: &Document,
        names: &Names,
        id_field: &str,
    ) -> Result<Document, HookError> {
        let before = self.written(typed(original))?;
        for webhook in self.webhooks {
            let written = self.written(typed(&document))?;
            let message = Message::new(&self.about, &[(name, &written), ("original", &before)]);
            let Some(body) = self.hooks.ask(webhook, &message).await? else { continue };
            let changed = answer::document(&body, name, names, original, id_field);
            if let Some(changed) = changed.map_err(|reason| message.fault(webhook, reason))? {
                document = changed;
            }
        }
        Ok(document)
    }

    /// Lets them refuse; there is nothing to change.
    pub async fn permit(&self, members: &[(&str, &[u8])]) -> Result<(), HookError> {
        for webhook in self.webhooks {
            self.hooks.ask(webhook, &Message::new(&self.about, members)).await?;
        }
        Ok(())
    }

    /// What the client sees in the place of `body`, the JSON that it would see (HOOK-04).
    pub async fn show(&self, name: &'static str, mut body: Vec<u8>) -> Result<Vec<u8>, HookError> {
        for webhook in self.webhooks {
            let message = Message::new(&self.about, &[(name, &body)]);
            let Some(answer) = self.hooks.ask(webhook, &message).await? else { continue };
            let shown = answer::shown(&answer, name).map_err(|reason| message.fault(webhook, reason))?;
            if let Some(shown) = shown {
                body.clear();
                write_value(&serde_json::Value::Object(shown), &mut body);
            }
        }
        Ok(body)
    }

    /// Tells them of what is done; nobody waits. What can't be written is told without.
    pub fn tell(&self, members: &[(&str, Result<Vec<u8>, Error>)]) {
        let mut written = Vec::with_capacity(members.len());
        for (name, value) in members {
            match value {
                Ok(value) => written.push((*name, value.as_slice())),
                Err(error) => log::warn!("{} is told without its {name}: {error}", self.about.event.name()),
            }
        }
        for webhook in self.webhooks {
            self.hooks.outbox.put(webhook, Message::new(&self.about, &written));
        }
    }

    fn written(&self, written: Result<Vec<u8>, Error>) -> Result<Vec<u8>, HookError> {
        written.map_err(|error| HookError::Fault {
            event: self.about.event.name(),
            origin: self.webhooks.first().map_or("", Webhook::origin).to_owned(),
            reason: format!("what it is to be told of can't be written: {error}"),
        })
    }
}
