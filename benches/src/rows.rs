//! The requests that are measured.

use serde_json::{Value, json};

use crate::Fault;
use crate::cities::{COUNTRY, MATCHES};
use crate::connection::{Connection, Target};
use crate::load::{Request, SERIAL};
use crate::stage::{Running, introspection_request, text, token_request};

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Row {
    /// GET one document with a bearer token whose introspection is cached.
    Item,
    /// GET 25 of the 200 documents that an indexed filter finds among 10,000, with their number.
    ListOfFew,
    /// The same 200 among all documents.
    ListOfAll,
    /// POST a document of its own, 32 in flight.
    Post,
    /// POST /introspect as the resource server.
    Introspection,
    /// POST /token for a new machine token.
    ClientCredentials,
}

/// A row ready to run.
pub struct Prepared {
    pub target: Target,
    /// The process that answers.
    pub server: u32,
    pub request: Request,
    /// Requests a second of the open loop.
    pub rate: u32,
}

impl Row {
    pub fn title(self) -> &'static str {
        match self {
            Row::Item => "GET item",
            Row::ListOfFew => "GET list, 25 of 200 in 10,000",
            Row::ListOfAll => "GET list, 25 of 200 in all",
            Row::Post => "POST",
            Row::Introspection => "introspection",
            Row::ClientCredentials => "client_credentials",
        }
    }

    pub async fn prepare(self, running: &Running) -> Result<Prepared, Fault> {
        let bearer = running.bearer();
        let get = |path: &str| Request::new("GET", path, &[("authorization", &bearer)], "", 200);
        let list =
            |resource: &str| get(&format!("/{resource}?where=%7B%22country%22%3A%22{COUNTRY}%22%7D&max_results=25"));
        let (request, rate) = match self {
            Row::Item => {
                let found = first_page(running, &list("places")).await?;
                (get(&format!("/places/{}", text(&found["_items"][0], "_id")?)), 5000)
            }
            Row::ListOfFew | Row::ListOfAll => {
                let request = list(if self == Row::ListOfFew { "cities" } else { "places" });
                let found = first_page(running, &request).await?;
                let total = &found["_meta"]["total"];
                if *total != json!(MATCHES) || found["_items"].as_array().is_none_or(|items| items.len() != 25) {
                    return Err(format!("{}: 25 of {MATCHES} were expected, of {total}", self.title()).into());
                }
                (request, 1000)
            }
            Row::Post => {
                let body = r#"{"geonameid":"#.to_owned()
                    + SERIAL
                    + r#","name":"Ohrid","country":"MK","admin1":"72","feature":"PPLA","population":42033,"location":{"type":"Point","coordinates":[20.80163,41.11722]}}"#;
                let headers = [("authorization", &*bearer), ("content-type", "application/json")];
                (Request::new("POST", "/arrivals", &headers, &body, 201), 1000)
            }
            Row::Introspection => (introspection_request(&running.token), 5000),
            Row::ClientCredentials => (token_request(), 1000),
        };
        let auth = matches!(self, Row::Introspection | Row::ClientCredentials);
        let (target, server) = if auth { (&running.auth, running.auth_id) } else { (&running.api, running.api_id) };
        Ok(Prepared { target: target.clone(), server, request, rate })
    }
}

async fn first_page(running: &Running, request: &Request) -> Result<Value, Fault> {
    let (_, body) = request.once(&mut Connection::open(&running.api).await?).await?;
    Ok(serde_json::from_slice(&body)?)
}
