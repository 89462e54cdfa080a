//! GET of one document, by its id or by an additional look-up (GET-01 to GET-06).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::context::Context;
use super::reply::Reply;
use crate::domain::Event;
use crate::error::ApiError;
use crate::preconditions::Conditions;
use crate::query::Query;
use crate::representation::document::View;
use crate::representation::links::{write_home_link, write_named_link};

pub async fn get(context: &Context<'_>) -> Result<HttpResponse, ApiError> {
    let (app, resource) = (context.app, context.resource);
    let query = context.item_query()?;
    let filter = context.own(context.domain_filter()?)?;
    let document = context.find(&filter).await?.ok_or(ApiError::Missing)?;
    let shape = context.shape(&query);
    let embedded = context.embed(&query, &shape, std::slice::from_ref(&document)).await?.pop().unwrap_or_default();

    let links = if resource.hateoas { links(context, &query) } else { Vec::new() };
    let view = View::new(&app.domain, resource, &shape, context.path).with_links(&links);
    let mut out = Vec::with_capacity(document.as_bytes().len() * 3 / 2 + links.len() + 256);
    let seen = view.write(&document, &embedded, &mut out)?;

    let conditions = Conditions::new(context.request.headers());
    let etag = seen.etag.as_deref();
    if conditions.not_modified(etag, seen.latest.timestamp_millis().div_euclid(1000)) {
        return Ok(Reply::new(StatusCode::NOT_MODIFIED).cached(context, true).etag(etag).not_modified());
    }
    let reply = Reply::new(StatusCode::OK).cached(context, true).etag(etag).last_modified(seen.latest);
    // HOOK-04: the headers stay.
    if let Some(listeners) = context.listeners(Event::FetchedItem) {
        out = listeners.show("document", out).await?;
    }
    Ok(reply.json(app.lay_out(out, query.pretty)))
}

/// LINK-06: the collection's link repeats what a collection would have understood.
fn links(context: &Context<'_>, query: &Query) -> Vec<u8> {
    let page = query.page.number;
    let href = |page| format!("{}{}", context.path, query.link_suffix(page));
    let mut out = Vec::with_capacity(160);
    write_home_link(&mut out);
    write_named_link("collection", &context.resource.title, &href(page), &mut out);
    if context.resource.pagination && !query.count {
        write_named_link("next", "next page", &href(page + 1), &mut out);
    }
    if page > 1 {
        write_named_link("prev", "previous page", &href(page - 1), &mut out);
    }
    out
}
