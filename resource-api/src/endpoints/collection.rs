//! GET and DELETE of a collection (LIST, DEL-04). POST is in `create.rs`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bson::{Bson, DateTime};
use shared::store::StoreError;

use super::context::Context;
use super::reply::Reply;
use crate::domain::Event;
use crate::error::ApiError;
use crate::hooks::{raw, typed, typed_list};
use crate::query::{Cursor, Cursors, Filter, Find, Paging, Query, QueryError, place};
use crate::representation::document::{Embedded, View};
use crate::representation::json::{write_integer, write_string};
use crate::representation::links::{PageLinks, write_home_link, write_named_link};
use crate::store::{Outcome, Write};

/// Bytes of a page. With [`crate::store::MOST_BYTES`] and what sorting keeps it bounds the memory of a request.
const LONGEST_ANSWER: usize = 24 << 20;

/// A page of documents, within the time of a query, its embedded documents included.
pub async fn list(context: &Context<'_>) -> Result<HttpResponse, ApiError> {
    let page = tokio::time::timeout(context.app.limits.query_time(), page(context)).await;
    let Page { mut body, total, latest, pretty } = page.map_err(|_| StoreError::Deadline)??;
    // HOOK-04: the headers stay.
    if let Some(listeners) = context.listeners(Event::FetchedResource) {
        body = listeners.show("response", body).await?;
    }
    let mut reply = Reply::new(StatusCode::OK).cached(context, true);
    if let Some(total) = total {
        reply = reply.total(&context.app.domain.settings.header_total_count, total);
    }
    if latest.timestamp_millis() > 0 {
        reply = reply.last_modified(latest);
    }
    Ok(reply.json(context.app.lay_out(body, pretty)))
}

/// A page as it is found.
struct Page {
    body: Vec<u8>,
    total: Option<u64>,
    /// The latest `_updated`.
    latest: DateTime,
    pretty: bool,
}

/// Conditions have no effect here (LIST-03).
async fn page(context: &Context<'_>) -> Result<Page, ApiError> {
    let (app, resource) = (context.app, context.resource);
    let query = Query::parse(&app.domain, resource, context.request.query_string())?;
    if context.caller.owner.is_none() {
        query.forbid_owner(resource)?;
    }
    let mut find = query.find();
    find.filter = context.own(find.filter.and(context.domain_filter()?))?;
    let cursors = match &query.paging {
        Paging::Pages => None,
        Paging::Cursor { cursors, after } => {
            find.after = match after {
                Some(cursor) => Some(behind(context, &find.filter, cursors, cursor).await?),
                None => None,
            };
            // One more tells whether there are more.
            find.limit = find.limit.map(|limit| limit + 1);
            Some(cursors)
        }
    };
    let mut found = context.documents().find(context.source(), &find).await?;
    let more = query.page.max_results < found.items.len() as u64;
    let next = match (cursors, query.page.max_results) {
        (Some(cursors), 1..) if more => {
            found.items.pop();
            found.items.last().map(|last| cursors.behind(last)).transpose()?
        }
        _ => None,
    };
    let shape = context.shape(&query);
    let embedded = context.embed(&query, &shape, &found.items).await?;

    let settings = &app.domain.settings;
    let names = &settings.names;
    let stored: usize = found.items.iter().map(|item| item.as_bytes().len()).sum();
    let mut out = Vec::with_capacity(stored * 3 / 2 + found.items.len() * 128 + 1024);
    let view = View::new(&app.domain, resource, &shape, context.path);
    let nothing = Embedded::new();
    // Another layout takes as much again, and more.
    let longest = if query.pretty || settings.json_sort_keys { LONGEST_ANSWER / 3 } else { LONGEST_ANSWER };
    let mut latest = DateTime::from_millis(0);
    out.push(b'{');
    write_string(&names.items, &mut out);
    out.extend_from_slice(b": [");
    for (index, item) in found.items.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        let seen = view.write(item, embedded.get(index).unwrap_or(&nothing), &mut out)?;
        if out.len() > longest {
            return Err(StoreError::Deadline.into());
        }
        latest = latest.max(seen.stored);
    }
    out.push(b']');
    if resource.hateoas {
        out.extend_from_slice(b", ");
        write_string(&names.links, &mut out);
        out.extend_from_slice(b": {");
        let any = match found.total {
            Some(total) => total > 0,
            None => query.uncounted && !found.items.is_empty(),
        };
        if cursors.is_some() {
            let href = |suffix: String| format!("{}{suffix}", context.path);
            let own = form_urlencoded::parse(context.request.query_string().as_bytes())
                .find(|(name, _)| *name == settings.query_names.after)
                .map_or_else(|| query.link_suffix(1), |(_, cursor)| query.cursor_suffix(&cursor));
            write_home_link(&mut out);
            write_named_link("self", &resource.title, &href(own), &mut out);
            if let Some(next) = &next {
                write_named_link("next", "next page", &href(query.cursor_suffix(next)), &mut out);
            }
        } else {
            let links = PageLinks {
                title: &resource.title,
                path: context.path,
                page: query.page.number,
                max_results: query.page.max_results,
                total: found.total,
                found: any,
                pagination: resource.pagination,
            };
            links.write(|page| query.link_suffix(page), &mut out);
        }
        out.push(b'}');
    }
    if resource.pagination {
        out.extend_from_slice(b", ");
        write_string(&names.meta, &mut out);
        out.extend_from_slice(b": {");
        if cursors.is_none() {
            // As the parameters are called.
            write_string(&settings.query_names.page, &mut out);
            out.extend_from_slice(b": ");
            write_number(query.page.number, &mut out);
            out.extend_from_slice(b", ");
        }
        write_string(&settings.query_names.max_results, &mut out);
        out.extend_from_slice(b": ");
        write_number(query.page.max_results, &mut out);
        if let Some(total) = found.total {
            out.extend_from_slice(b", \"total\": ");
            write_number(total, &mut out);
        }
        if let Some(next) = &next {
            out.extend_from_slice(b", \"next\": ");
            write_string(next, &mut out);
        }
        out.push(b'}');
    }
    out.push(b'}');
    Ok(Page { body: out, total: found.total, latest, pretty: query.pretty })
}

/// The place that a cursor means, for documents of this query.
async fn behind(
    context: &Context<'_>,
    filter: &Filter,
    cursors: &Cursors,
    cursor: &Cursor,
) -> Result<Vec<Bson>, ApiError> {
    match cursor {
        Cursor::Values(values) => Ok(values.clone()),
        Cursor::Document(id) => {
            let document = context.documents().get(context.source(), id, filter).await?;
            let place = document.and_then(|document| place(&cursors.order, &document));
            Ok(place.ok_or(QueryError::LostCursor)?)
        }
    }
}

fn write_number(number: u64, out: &mut Vec<u8>) {
    write_integer(i64::try_from(number).unwrap_or(i64::MAX), out);
}

/// DEL-04: everything the caller sees here goes, whatever `where` says.
pub async fn clear(context: &Context<'_>) -> Result<HttpResponse, ApiError> {
    let gone = || Ok(Reply::new(StatusCode::NO_CONTENT).cached(context, false).no_content());
    let filter = context.own(context.domain_filter()?)?;
    if let Some(listeners) = context.listeners(Event::DeleteResource) {
        listeners.permit(&[]).await?;
    }
    if let Some(listeners) = context.listeners(Event::DeleteResourceOriginals) {
        let find = Find { filter: filter.clone(), ..Find::default() };
        let originals = context.documents().find(context.source(), &find).await?.items;
        if originals.is_empty() {
            return gone();
        }
        let (originals, lookup) = (typed_list(originals.iter().map(|it| raw(it)))?, typed(&context.lookup())?);
        listeners.permit(&[("originals", &originals), ("lookup", &lookup)]).await?;
    }
    let delete = Write::DeleteMany { source: context.source().to_owned(), filter };
    // Nothing can stand in the way of a deletion without conditions.
    let outcome = context.documents().commit(vec![delete]).await?;
    // As in Eve, nobody is told where there was nothing.
    if matches!(&outcome, Outcome::Done(touched) if touched.iter().any(|count| *count > 0))
        && let Some(listeners) = context.listeners(Event::DeletedResource)
    {
        listeners.tell(&[]);
    }
    gone()
}
