//! One document as the client sees it (LIST-05, GET-01): its shown fields, defaulted meta fields and links.

use std::borrow::Cow;

use bson::raw::{RawBsonRef, RawDocument};
use bson::{Bson, DateTime, Document};

use super::json::{JsonStyle, write_string};
use super::links::{close_link, open_link, relates};
use super::shape::{Role, Shape, Share, write_key, written};
use crate::domain::{Domain, Names, Resource};
use crate::etag::etag;

/// Top-level fields whose value is replaced by what they refer to.
pub type Embedded = Vec<(String, Bson)>;

/// How the documents of one response are shown.
pub struct View<'a> {
    domain: &'a Domain,
    resource: &'a Resource,
    shape: &'a Shape,
    style: JsonStyle<'a>,
    /// The beginning of every document's own link (LINK-01).
    own_link: Vec<u8>,
    /// Members of `_links` behind `self`, written already.
    links: &'a [u8],
    /// Members behind all others, written already.
    tail: &'a [u8],
}

/// What a response's headers say of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen<'d> {
    /// `None` with IF_MATCH off (GET-06).
    pub etag: Option<Cow<'d, str>>,
    /// Its own `_updated`.
    pub stored: DateTime,
    /// The latest `_updated` of it and of its embedded documents (GET-04).
    pub latest: DateTime,
}

impl<'a> View<'a> {
    /// Documents of `resource`, read at the resource path `path`.
    pub fn new(domain: &'a Domain, resource: &'a Resource, shape: &'a Shape, path: &str) -> Self {
        let own_link = if resource.hateoas { open_link(&resource.item_title, path) } else { Vec::new() };
        let style = JsonStyle { dates: &domain.settings.date_format };
        Self { domain, resource, shape, style, own_link, links: &[], tail: &[] }
    }

    /// With more members of `_links`, such as `, "parent": {…}`.
    #[must_use]
    pub fn with_links(mut self, links: &'a [u8]) -> Self {
        self.links = links;
        self
    }

    /// As the answer to a write, with more members at the end, such as `, "_status": "OK"`.
    #[must_use]
    pub fn with_tail(mut self, tail: &'a [u8]) -> Self {
        self.tail = tail;
        self
    }

    /// Appends the document as a JSON object.
    pub fn write<'d>(
        &self,
        document: &'d RawDocument,
        embedded: &Embedded,
        out: &mut Vec<u8>,
    ) -> Result<Seen<'d>, bson::error::Error> {
        self.write_document(document, embedded, false, out)
    }

    /// The same with an `_id` that was made for the document behind all it has: so GOLD-02 shows it.
    pub fn write_new<'d>(
        &self,
        document: &'d RawDocument,
        embedded: &Embedded,
        out: &mut Vec<u8>,
    ) -> Result<Seen<'d>, bson::error::Error> {
        self.write_document(document, embedded, true, out)
    }

    fn write_document<'d>(
        &self,
        document: &'d RawDocument,
        embedded: &Embedded,
        id_behind: bool,
        out: &mut Vec<u8>,
    ) -> Result<Seen<'d>, bson::error::Error> {
        let mut behind = None;
        let epoch = DateTime::from_millis(0);
        let (mut id, mut updated, mut created, mut tag) = (None, None, false, None);
        let mut related = Vec::new();
        let mut place = 0;
        out.push(b'{');
        for member in document {
            let (key, value) = member?;
            let key = key.as_str();
            let Some((member, next)) = self.shape.find(place, key) else {
                self.write_unknown(key, value, out)?;
                continue;
            };
            place = next;
            match member.role {
                Role::Id => id = Some(value),
                Role::LastUpdated => updated = Some(value.as_datetime().unwrap_or(epoch)),
                Role::DateCreated => created = true,
                Role::Etag => tag = value.as_str(),
                Role::Owner => continue,
                Role::Links if self.resource.hateoas => continue,
                Role::Status if !self.tail.is_empty() => continue,
                Role::Links | Role::Status | Role::Other => {}
            }
            // LINK-10: the answer to a write links also what it does not show. Of a reference there is no part.
            if let Some(relation) = &member.relation
                && (member.share == Share::Whole || !self.tail.is_empty())
                && relates(value)
            {
                related.extend_from_slice(&member.written);
                relation.write(self.domain, &self.own_link, value, &mut related)?;
            }
            if member.share == Share::Nothing {
                continue;
            }
            if id_behind && member.role == Role::Id && key == "_id" {
                behind = Some((&member.written, value));
            } else if let Some((_, value)) = embedded.iter().find(|(field, _)| field == key) {
                write_key(&member.written, out);
                self.style.write(value, out);
            } else if member.share == Share::Whole {
                write_key(&member.written, out);
                self.style.write_raw(value, out)?;
            } else {
                self.write_unknown(key, value, out)?;
            }
        }
        let names = self.names();
        if !created {
            write_key(&written(&names.date_created), out);
            self.style.write(&Bson::DateTime(epoch), out);
        }
        if updated.is_none() {
            write_key(&written(&names.last_updated), out);
            self.style.write(&Bson::DateTime(epoch), out);
        }
        let if_match = self.domain.settings.if_match;
        let tag = match tag {
            Some(tag) => Some(Cow::Borrowed(tag)),
            None if if_match => {
                let tag = self.digest(document)?;
                write_key(&written(&names.etag), out);
                write_string(&tag, out);
                Some(Cow::Owned(tag))
            }
            None => None,
        };
        if let Some((key, value)) = behind {
            write_key(key, out);
            self.style.write_raw(value, out)?;
        }
        if self.resource.hateoas {
            write_key(&written(&names.links), out);
            out.extend_from_slice(b"{\"self\": ");
            close_link(&self.own_link, id.unwrap_or(RawBsonRef::Null), out);
            out.extend_from_slice(self.links);
            if let Some(members) = related.get(2..) {
                out.extend_from_slice(b", \"related\": {");
                out.extend_from_slice(members);
                out.push(b'}');
            }
            out.push(b'}');
        }
        out.extend_from_slice(self.tail);
        out.push(b'}');
        let latest =
            embedded.iter().filter_map(|(_, value)| value.as_document()?.get_datetime(&names.last_updated).ok());
        let stored = updated.unwrap_or(epoch);
        Ok(Seen { etag: tag.filter(|_| if_match), stored, latest: latest.copied().fold(stored, DateTime::max) })
    }

    /// A member that is shown in part, or that no schema knows.
    fn write_unknown(&self, key: &str, value: RawBsonRef<'_>, out: &mut Vec<u8>) -> Result<(), bson::error::Error> {
        let Some(shown) = self.shape.fields.cut().field(key) else { return Ok(()) };
        let value = Bson::try_from(value)?;
        if let Some(value) = if shown.is_whole() { Some(value) } else { shown.value(value) } {
            write_key(&written(key), out);
            self.style.write(&value, out);
        }
        Ok(())
    }

    /// ETAG-04: over the shown fields, with dates.
    fn digest(&self, document: &RawDocument) -> Result<String, bson::error::Error> {
        let mut document = Document::try_from(document)?;
        self.shape.fields.apply(&mut document);
        default_dates(&mut document, self.names());
        Ok(etag(&document, &self.resource.etag_ignore_fields))
    }

    fn names(&self) -> &'a Names {
        &self.domain.settings.names
    }
}

/// `_updated` and `_created` of documents that somebody else stored without.
pub fn default_dates(document: &mut Document, names: &Names) {
    for name in [&names.last_updated, &names.date_created] {
        if !document.contains_key(name) {
            document.insert(name, DateTime::from_millis(0));
        }
    }
}
