//! What every endpoint of a resource needs to know of its request.

use std::borrow::{Borrow, Cow};

use actix_web::HttpRequest;
use bson::raw::RawDocumentBuf;
use bson::{Bson, Document};

use super::resource_path;
use crate::app::App;
use crate::auth::{AuthError, Caller};
use crate::domain::{FieldType, Method, Resource, convert};
use crate::error::ApiError;
use crate::query::{Filter, Find, Query};
use crate::representation::document::Embedded;
use crate::representation::embedded::Resolver;
use crate::representation::shape::Shape;
use crate::routes::{Captured, Kind, Matched};
use crate::store::DocumentStore;

pub struct Context<'a> {
    pub app: &'a App,
    pub request: &'a HttpRequest,
    pub resource: &'a Resource,
    pub caller: Caller,
    /// HEAD is GET.
    pub method: Method,
    /// The resource path (LINK-01).
    pub path: &'a str,
    /// Fields of the URL above the item (URL-10).
    parents: &'a [Captured<'a>],
    /// Those and the item's own.
    captured: &'a [Captured<'a>],
    /// The item's field and value.
    item: Option<(&'a str, Bson)>,
    /// What a hook makes of it (HOOK-01).
    pub narrowed: Filter,
}

impl<'a> Context<'a> {
    /// `item`: the field that the last segment of the URL is the value of.
    pub fn new(
        app: &'a App,
        request: &'a HttpRequest,
        resource: &'a Resource,
        caller: Caller,
        method: Method,
        matched: &'a Matched<'_>,
        item: Option<&'a str>,
    ) -> Self {
        let (parents, last) = match (item, matched.values.split_last()) {
            (Some(_), Some((last, parents))) => (parents, Some(last)),
            _ => (matched.values.as_slice(), None),
        };
        let path = last.map_or(matched.path.as_str(), |last| resource_path(&matched.path, &last.text));
        let item = item.zip(last).map(|(field, last)| (field, url_value(app, resource, field, last)));
        let narrowed = Filter::All;
        Self { app, request, resource, caller, method, path, parents, captured: &matched.values, item, narrowed }
    }

    pub fn documents(&self) -> &dyn DocumentStore {
        self.app.documents_of(&self.caller)
    }

    pub fn source(&self) -> &'a str {
        &self.resource.datasource.source
    }

    /// The item's field and value; at a collection there is none.
    pub fn item(&self) -> Option<(&'a str, &Bson)> {
        self.item.as_ref().map(|(field, value)| (*field, value))
    }

    /// The id that a PUT to this URL creates, if the URL is by the id (PUT-04): of the type that its field has.
    pub fn upserted(&self) -> Option<Bson> {
        let captured = self.captured.last().filter(|captured| *captured.field == self.resource.id_field)?;
        let value = number(captured).unwrap_or_else(|| Bson::String(captured.text.clone()));
        Some(match self.resource.schema.get(captured.field) {
            Some(field) => convert::value(value, field, &self.app.domain.settings),
            None => value,
        })
    }

    /// The query string as an item understands it.
    pub fn item_query(&self) -> Result<Cow<'a, Query>, ApiError> {
        match self.request.query_string() {
            "" => Ok(Cow::Borrowed(&self.app.plain(self.resource).query)),
            text => Ok(Cow::Owned(Query::parse_item(&self.app.domain, self.resource, text)?)),
        }
    }

    /// The query string as the answer to a write understands it: not at all where that shows only automatic fields.
    pub fn answer_query(&self) -> Result<Cow<'a, Query>, ApiError> {
        if self.app.domain.settings.bandwidth_saver {
            return Ok(Cow::Borrowed(&self.app.plain(self.resource).query));
        }
        self.item_query()
    }

    /// Fields and values of the URL above the item.
    pub fn parents(&self) -> impl Iterator<Item = (&'a str, Bson)> {
        self.parents.iter().map(|parent| (parent.field, url_value(self.app, self.resource, parent.field, parent)))
    }

    /// What all documents here have in common: the values in the URL, the datasource's filter, and what a hook adds.
    pub fn domain_filter(&self) -> Result<Filter, AuthError> {
        let dates = &self.app.domain.settings.date_format;
        let datasource = self.resource.filter_for(self.caller.claims(), dates).ok_or(AuthError::NoClaim)?;
        let filter = self.parents().fold(datasource, |filter, (field, value)| filter.and(Filter::equal(field, value)));
        Ok(match &self.narrowed {
            Filter::All => filter,
            narrowed => filter.and(narrowed.clone()),
        })
    }

    /// Narrows a filter to the caller's own documents (URRA-02, URRA-03).
    pub fn own(&self, filter: Filter) -> Result<Filter, AuthError> {
        match &self.caller.owner {
            None => Ok(filter),
            Some(owner) if owner.allows(&filter) => Ok(filter.and(owner.filter())),
            Some(_) => Err(AuthError::ForeignOwner),
        }
    }

    /// The document the URL names, if `filter` also holds.
    pub async fn find(&self, filter: &Filter) -> Result<Option<RawDocumentBuf>, ApiError> {
        let Some((field, value)) = self.item() else { return Ok(None) };
        if field == "_id" {
            return Ok(self.documents().get(self.source(), value, filter).await?);
        }
        let filter = Filter::equal(field, value.clone()).and(filter.clone());
        let find = Find { filter, limit: Some(1), ..Find::default() };
        Ok(self.documents().find(self.source(), &find).await?.items.pop())
    }

    /// URL-10, POST-08, PUT-09: the values in the URL overwrite the document's, but never its id.
    pub fn force_captured(&self, document: &mut Document) {
        for captured in self.captured.iter().filter(|captured| *captured.field != self.resource.id_field) {
            let Some(field) = self.resource.schema.get(captured.field) else { continue };
            let value = number(captured).unwrap_or_else(|| Bson::String(captured.text.clone()));
            document.insert(captured.field, convert::value(value, field, &self.app.domain.settings));
        }
    }

    /// For each document what takes the place of its references, as this caller may see it (EMB-05). `shape` says what of
    /// the documents themselves is shown.
    pub async fn embed(
        &self,
        query: &Query,
        shape: &Shape,
        documents: &[impl Borrow<RawDocumentBuf>],
    ) -> Result<Vec<Embedded>, ApiError> {
        if query.embedded.is_empty() {
            return Ok(Vec::new());
        }
        let resolver = Resolver {
            domain: &self.app.domain,
            documents: self.documents(),
            gate: &self.app.gate,
            caller: &self.caller,
            fields: &shape.fields,
        };
        resolver.resolve(&query.embedded, documents).await
    }

    /// The same in the answer to a write (EMB-07), which is done whether or not anything can be embedded.
    pub async fn embed_answer(
        &self,
        query: &Query,
        shape: &Shape,
        documents: &[impl Borrow<RawDocumentBuf>],
    ) -> Vec<Embedded> {
        if self.app.domain.settings.bandwidth_saver {
            return Vec::new();
        }
        self.embed(query, shape, documents).await.unwrap_or_else(|error| {
            log::warn!("the answer to a write goes without embedded documents: {error}");
            Vec::new()
        })
    }

    /// How documents look that this query asks for.
    pub fn shape(&self, query: &Query) -> Cow<'a, Shape> {
        let plain = self.app.plain(self.resource);
        if query.fields == plain.query.fields {
            Cow::Borrowed(&plain.shape)
        } else {
            Cow::Owned(Shape::new(&self.app.domain, self.resource, query.fields.clone()))
        }
    }

    /// The same in the answer to a write (POST-05).
    pub fn answer_shape(&self, query: &Query) -> Cow<'a, Shape> {
        match &self.app.plain(self.resource).answer {
            Some(shape) => Cow::Borrowed(shape),
            None => self.shape(query),
        }
    }
}

/// URL-06, URL-11: numbers of `int` and `float`; strings in DATE_FORMAT and of 24 hex digits as FILT-11 says.
fn url_value(app: &App, resource: &Resource, field: &str, captured: &Captured<'_>) -> Bson {
    let text = captured.text.as_str();
    if captured.kind != Kind::Text {
        return number(captured).unwrap_or_else(|| Bson::String(text.to_owned()));
    }
    let id = field == resource.id_field
        || !resource.query_objectid_as_string
        || resource.schema.get(field).is_some_and(|rules| rules.is(FieldType::ObjectId));
    if id
        && text.len() == 24
        && let Ok(id) = bson::oid::ObjectId::parse_str(text)
    {
        return Bson::ObjectId(id);
    }
    match app.domain.settings.date_format.parse(text) {
        Some(date) => Bson::DateTime(date),
        None => Bson::String(text.to_owned()),
    }
}

/// What a converter of numbers has taken (URL-06).
fn number(captured: &Captured<'_>) -> Option<Bson> {
    match captured.kind {
        Kind::Text => None,
        Kind::Integer => captured.text.parse().ok().map(convert::integer),
        Kind::Float => captured.text.parse().ok().map(Bson::Double),
    }
}
