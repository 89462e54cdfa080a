//! The requests that are measured.

use serde_json::{Value, json};

use crate::Fault;
use crate::cities::{COUNTRY, MATCHES};
use crate::connection::{Connection, Target};
use crate::load::{Request, SERIAL};
use crate::stage::{ARRIVAL, Running, introspection_request, text, token_request};

/// Documents in a bulk.
const BULK: usize = 1000;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Row {
    /// GET one document with a bearer token whose introspection is cached.
    Item,
    /// The same among a million documents, beside one among 10,000.
    ItemOfMillion,
    /// GET 25 of the 200 documents that an indexed filter finds among 10,000, with their number.
    ListOfFew,
    /// The same 200 among all documents.
    ListOfAll,
    /// The same 200 among a million, beside those among 10,000.
    ListOfMillion,
    /// GET the first 25 of all documents, with their number.
    FirstPage,
    /// The same of a million, beside that of 10,000.
    FirstPageOfMillion,
    /// GET the page 5,000 of all documents.
    Page5000,
    /// GET the page behind a cursor in the middle of all documents, beside the first page.
    Cursor,
    /// GET 25 of the 200 documents, each with the country it refers to.
    Embedded,
    /// The same among a million, beside those among 10,000.
    EmbeddedOfMillion,
    /// POST a document of its own, 32 in flight.
    Post,
    /// The same beside 32 callers that put such documents into the store themselves.
    PostBesideWriter,
    /// POST a thousand documents at once.
    Bulk,
    /// POST /introspect as the resource server.
    Introspection,
    /// POST /token for a new machine token.
    ClientCredentials,
}

/// What a row is measured beside.
pub enum Beside {
    /// A handler that sends the same bytes.
    Bare,
    /// Another request to the same server.
    Request(Request),
    /// Callers of the store.
    Writer,
    /// A handler that makes the same calls of the drivers.
    Driver,
}

/// A row ready to run.
pub struct Prepared {
    pub target: Target,
    /// The process that answers.
    pub server: u32,
    pub request: Request,
    pub beside: Beside,
    /// Requests a second of the open loop.
    pub rate: u32,
}

impl Row {
    /// Those that are measured on MongoDB and Redis.
    pub const ON_CLUSTER: [Row; 4] = [Row::Item, Row::ListOfFew, Row::Post, Row::Introspection];

    pub fn title(self) -> &'static str {
        match self {
            Row::Item => "GET item",
            Row::ItemOfMillion => "GET item of 1,000,000",
            Row::ListOfFew => "GET list, 25 of 200 in 10,000",
            Row::ListOfAll => "GET list, 25 of 200 in all",
            Row::ListOfMillion => "GET list, 25 of 200 in 1,000,000",
            Row::FirstPage => "GET first page of all",
            Row::FirstPageOfMillion => "GET first page of 1,000,000",
            Row::Page5000 => "GET page 5,000 of all",
            Row::Cursor => "GET behind a cursor",
            Row::Embedded => "GET list, 25 of 200 with countries",
            Row::EmbeddedOfMillion => "GET list with countries in 1,000,000",
            Row::Post | Row::PostBesideWriter => "POST",
            Row::Bulk => "POST of 1,000",
            Row::Introspection => "introspection",
            Row::ClientCredentials => "client_credentials",
        }
    }

    /// What stands in the table's column.
    pub fn beside(self, on_cluster: bool) -> &'static str {
        match self {
            _ if on_cluster => "driver",
            Row::ItemOfMillion | Row::ListOfMillion | Row::FirstPageOfMillion | Row::EmbeddedOfMillion => "10,000",
            Row::Cursor => "first page",
            Row::PostBesideWriter => "writer",
            _ => "bare",
        }
    }

    /// Documents in one request.
    pub fn documents(self) -> Option<usize> {
        (self == Row::Bulk).then_some(BULK)
    }

    /// `on_cluster`: beside the drivers' calls, among the documents that are there.
    pub async fn prepare(self, running: &Running, on_cluster: bool) -> Result<Prepared, Fault> {
        let bearer = running.bearer();
        let get = |path: &str| Request::new("GET", path, &[("authorization", &bearer)], "", 200);
        let filter = format!("where=%7B%22country%22%3A%22{COUNTRY}%22%7D&max_results=25");
        let list = |resource: &str| get(&format!("/{resource}?{filter}"));
        let embedded = |resource: &str| get(&format!("/{resource}?{filter}&embedded=%7B%22country%22%3A1%7D"));
        let post = |body: &str| {
            let headers = [("authorization", &*bearer), ("content-type", "application/json")];
            Request::new("POST", "/arrivals", &headers, body, 201)
        };
        let ask = Asking { running, list: &list };
        let (request, beside, rate) = match self {
            Row::Item if on_cluster => (get(&ask.item("cities").await?), Beside::Driver, 1000),
            Row::ListOfFew if on_cluster => (ask.checked("cities").await?, Beside::Driver, 200),
            Row::Post if on_cluster => (post(ARRIVAL), Beside::Driver, 200),
            Row::Introspection if on_cluster => (introspection_request(&running.token), Beside::Driver, 1000),
            Row::Item => (get(&ask.item("places").await?), Beside::Bare, 5000),
            Row::ItemOfMillion => {
                let few = get(&ask.item("cities").await?);
                (get(&ask.item("million").await?), Beside::Request(few), 5000)
            }
            Row::ListOfFew => (ask.checked("cities").await?, Beside::Bare, 1000),
            Row::ListOfAll => (ask.checked("places").await?, Beside::Bare, 1000),
            Row::ListOfMillion => (ask.checked("million").await?, Beside::Request(ask.checked("cities").await?), 1000),
            Row::FirstPage => (get("/places"), Beside::Bare, 1000),
            Row::FirstPageOfMillion => (get("/million"), Beside::Request(get("/cities")), 1000),
            Row::Page5000 => (get("/places?page=5000"), Beside::Bare, 50),
            Row::Cursor => {
                let first = get("/places?paginate=cursor");
                (get(&ask.cursor(&get).await?), Beside::Request(first), 1000)
            }
            Row::Embedded => (embedded("places"), Beside::Bare, 500),
            Row::EmbeddedOfMillion => (embedded("million"), Beside::Request(embedded("cities")), 500),
            Row::Post => (post(ARRIVAL), Beside::Bare, 1000),
            Row::PostBesideWriter => (post(ARRIVAL), Beside::Writer, 1000),
            Row::Bulk => (post(&format!("[{}]", vec![ARRIVAL; BULK].join(","))), Beside::Bare, 5),
            Row::Introspection => (introspection_request(&running.token), Beside::Bare, 5000),
            Row::ClientCredentials => (token_request(), Beside::Bare, 1000),
        };
        debug_assert!(request.status < 300 && ARRIVAL.contains(SERIAL));
        let auth = matches!(self, Row::Introspection | Row::ClientCredentials);
        let (target, server) = if auth { (&running.auth, running.auth_id) } else { (&running.api, running.api_id) };
        Ok(Prepared { target: target.clone(), server, request, beside, rate })
    }
}

/// Questions before the measuring.
struct Asking<'a> {
    running: &'a Running,
    list: &'a dyn Fn(&str) -> Request,
}

impl Asking<'_> {
    async fn page(&self, request: &Request) -> Result<Value, Fault> {
        let (_, body) = request.once(&mut Connection::open(&self.running.api).await?).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// The path of one of the 200.
    async fn item(&self, resource: &str) -> Result<String, Fault> {
        let found = self.page(&(self.list)(resource)).await?;
        Ok(format!("/{resource}/{}", text(&found["_items"][0], "_id")?))
    }

    /// The list of the 200, which must be that.
    async fn checked(&self, resource: &str) -> Result<Request, Fault> {
        let request = (self.list)(resource);
        let found = self.page(&request).await?;
        let total = &found["_meta"]["total"];
        if *total != json!(MATCHES) || found["_items"].as_array().is_none_or(|items| items.len() != 25) {
            return Err(format!("/{resource}: 25 of {MATCHES} were expected, of {total}").into());
        }
        Ok(request)
    }

    /// The path of the page that lies in the middle of all documents.
    async fn cursor(&self, get: &dyn Fn(&str) -> Request) -> Result<String, Fault> {
        let first = self.page(&get("/places?max_results=1000&paginate=cursor")).await?;
        let pages = first["_meta"]["total"].as_u64().unwrap_or(0) / 1000 / 2;
        let mut next = text(&first["_links"]["next"], "href")?;
        for _ in 1..pages {
            let page = self.page(&get(&format!("/{next}"))).await?;
            next = text(&page["_links"]["next"], "href")?;
        }
        if !next.contains("after=") {
            return Err(format!("{next} has no cursor").into());
        }
        Ok(format!("/{}", next.replace("max_results=1000", "max_results=25")))
    }
}
