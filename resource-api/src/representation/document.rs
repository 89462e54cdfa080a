//! One document as the client sees it (LIST-05, GET-01): its shown fields, defaulted meta fields and links.

use bson::raw::{RawBsonRef, RawDocument};
use bson::{Bson, DateTime, Document};

use super::json::{JsonStyle, write_string};
use super::links::{Relation, push_text, relations, write_named_link};
use crate::domain::{Domain, Names, Resource, Settings};
use crate::etag::etag;
use crate::query::Fields;

/// Top-level fields whose value is replaced by what they refer to.
pub type Embedded = Vec<(String, Bson)>;

/// How the documents of one response are shown.
pub struct View<'a> {
    domain: &'a Domain,
    resource: &'a Resource,
    fields: &'a Fields,
    style: JsonStyle<'a>,
    /// The resource path (LINK-01).
    path: &'a str,
    relations: Vec<Relation<'a>>,
    /// Members of `_links` behind `self`, written already.
    links: &'a [u8],
    /// Members behind all others, written already.
    tail: &'a [u8],
}

/// What a response's headers say of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// `None` with IF_MATCH off (GET-06).
    pub etag: Option<String>,
    /// Its own `_updated`.
    pub stored: DateTime,
    /// The latest `_updated` of it and of its embedded documents (GET-04).
    pub latest: DateTime,
}

impl<'a> View<'a> {
    /// Documents of `resource`, read at `path`.
    pub fn new(domain: &'a Domain, resource: &'a Resource, fields: &'a Fields, path: &'a str) -> Self {
        let relations = if resource.hateoas { relations(domain, resource, path) } else { Vec::new() };
        let style = JsonStyle { dates: &domain.settings.date_format };
        Self { domain, resource, fields, style, path, relations, links: &[], tail: &[] }
    }

    /// With more members of `_links`, such as `, "parent": {…}`.
    #[must_use]
    pub fn with_links(mut self, links: &'a [u8]) -> Self {
        self.links = links;
        self
    }

    /// With more members at the end, such as `, "_status": "OK"`.
    #[must_use]
    pub fn with_tail(mut self, tail: &'a [u8]) -> Self {
        self.tail = tail;
        self
    }

    /// Appends the document as a JSON object.
    pub fn write(
        &self,
        document: &RawDocument,
        embedded: &Embedded,
        out: &mut Vec<u8>,
    ) -> Result<Seen, bson::error::Error> {
        let names = self.names();
        let epoch = DateTime::from_millis(0);
        let cut = self.fields.cut();
        let (mut id, mut updated, mut created, mut tag) = (None, None, false, None);
        let mut related: Vec<(&Relation<'a>, RawBsonRef<'_>)> = Vec::new();
        out.push(b'{');
        for member in document {
            let (key, value) = member?;
            let key = key.as_str();
            if key == self.resource.id_field {
                id = Some(value);
            } else if key == names.last_updated {
                updated = Some(value.as_datetime().unwrap_or(epoch));
            } else if key == names.date_created {
                created = true;
            } else if key == names.etag {
                tag = value.as_str();
            } else if self.is_hidden(key) {
                continue;
            }
            let shown = cut.field(key);
            // LINK-10: the answer to a write links also what it does not show.
            if (shown.is_some() || !self.tail.is_empty())
                && let Some(relation) = self.relations.iter().find(|relation| relation.field == key)
                && Relation::relates(value)
            {
                related.push((relation, value));
            }
            let Some(shown) = shown else { continue };
            let replaced = embedded.iter().find(|(field, _)| field == key).map(|(_, value)| value);
            if let Some(value) = replaced {
                write_key(key, out);
                self.style.write(value, out);
            } else if shown.is_whole() {
                write_key(key, out);
                self.style.write_raw(value, out)?;
            } else if let Some(part) = shown.value(Bson::try_from(value)?) {
                write_key(key, out);
                self.style.write(&part, out);
            }
        }
        if updated.is_none() {
            write_key(&names.last_updated, out);
            self.style.write(&Bson::DateTime(epoch), out);
        }
        if !created {
            write_key(&names.date_created, out);
            self.style.write(&Bson::DateTime(epoch), out);
        }
        let if_match = self.settings().if_match;
        let tag = match tag {
            Some(tag) => Some(tag.to_owned()),
            None if if_match => {
                let tag = self.digest(document)?;
                write_key(&names.etag, out);
                write_string(&tag, out);
                Some(tag)
            }
            None => None,
        };
        if self.resource.hateoas {
            write_key(&names.links, out);
            self.write_links(id, &related, out)?;
        }
        out.extend_from_slice(self.tail);
        out.push(b'}');
        let latest =
            embedded.iter().filter_map(|(_, value)| value.as_document()?.get_datetime(&names.last_updated).ok());
        let stored = updated.unwrap_or(epoch);
        Ok(Seen { etag: tag.filter(|_| if_match), stored, latest: latest.copied().fold(stored, DateTime::max) })
    }

    fn write_links(
        &self,
        id: Option<RawBsonRef<'_>>,
        related: &[(&Relation<'a>, RawBsonRef<'_>)],
        out: &mut Vec<u8>,
    ) -> Result<(), bson::error::Error> {
        let mut href = String::with_capacity(self.path.len() + 25);
        href.push_str(self.path);
        href.push('/');
        push_text(id.unwrap_or(RawBsonRef::Null), &mut href);
        out.push(b'{');
        write_named_link("self", &self.resource.item_title, &href, out);
        out.extend_from_slice(self.links);
        if !related.is_empty() {
            out.extend_from_slice(b", \"related\": {");
            for (relation, value) in related {
                relation.write(self.domain, *value, out)?;
            }
            out.push(b'}');
        }
        out.push(b'}');
        Ok(())
    }

    /// ETAG-04: over the shown fields, with dates.
    fn digest(&self, document: &RawDocument) -> Result<String, bson::error::Error> {
        let mut document = Document::try_from(document)?;
        self.fields.apply(&mut document);
        default_dates(&mut document, self.names());
        Ok(etag(&document, &self.resource.etag_ignore_fields))
    }

    /// URRA-04: the owner's field is shown only if the schema has it.
    fn is_hidden(&self, key: &str) -> bool {
        self.resource.auth_field.as_deref() == Some(key) && !self.resource.schema.contains_key(key)
    }

    fn settings(&self) -> &'a Settings {
        &self.domain.settings
    }

    fn names(&self) -> &'a Names {
        &self.domain.settings.names
    }
}

fn write_key(key: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.extend_from_slice(b", ");
    }
    write_string(key, out);
    out.extend_from_slice(b": ");
}

/// `_updated` and `_created` of documents that somebody else stored without.
pub fn default_dates(document: &mut Document, names: &Names) {
    for name in [&names.last_updated, &names.date_created] {
        if !document.contains_key(name) {
            document.insert(name, DateTime::from_millis(0));
        }
    }
}
