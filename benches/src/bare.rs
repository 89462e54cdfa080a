//! What a target is compared with: an actix handler without middleware that sends the same status, headers and body.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer, web};
use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod};
use serde::{Deserialize, Serialize};

use crate::Fault;

pub const WORKERS: usize = 2;

/// An answer of a target.
#[derive(Clone, Serialize, Deserialize)]
pub struct Canned {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Canned {
    /// Takes what the framework writes by itself out of the head.
    pub fn new(status: u16, head: &str, body: &[u8]) -> Result<Self, Fault> {
        let own = ["content-length", "date", "connection", "transfer-encoding"];
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers =
            headers.filter(|(name, _)| !own.contains(name)).map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self { status, headers: headers.collect(), body: String::from_utf8(body.to_vec())? })
    }
}

#[derive(clap::Args)]
pub struct Options {
    /// The answer to give, as JSON.
    #[arg(long)]
    answer: PathBuf,
    /// Read the request's body before answering.
    #[arg(long)]
    reads_body: bool,
    /// With a key: speak TLS.
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    #[arg(long)]
    key: Option<PathBuf>,
}

struct Prepared {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Prepared {
    fn answer(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            response.append_header((name.clone(), value.clone()));
        }
        response.body(self.body.clone())
    }
}

/// Serves until it is ended; prints its address first.
#[allow(clippy::print_stdout, reason = "the caller reads the address")]
pub async fn serve(options: Options) -> Result<(), Fault> {
    let canned: Canned = serde_json::from_slice(&std::fs::read(&options.answer)?)?;
    let headers = canned.headers.iter().map(|(name, value)| Ok((name.parse()?, value.parse()?)));
    let prepared = Data::new(Prepared {
        status: StatusCode::from_u16(canned.status)?,
        headers: headers.collect::<Result<_, Fault>>()?,
        body: canned.body.into(),
    });
    let reads_body = options.reads_body;
    let server = HttpServer::new(move || {
        let route = if reads_body {
            web::to(|prepared: Data<Prepared>, _: Bytes| async move { prepared.answer() })
        } else {
            web::to(|prepared: Data<Prepared>| async move { prepared.answer() })
        };
        App::new().app_data(prepared.clone()).default_service(route)
    })
    .workers(WORKERS);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?);
    match (options.certificate, options.key) {
        (Some(certificate), Some(key)) => {
            // As the services do it.
            let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
            acceptor.set_private_key_file(key, SslFiletype::PEM)?;
            acceptor.set_certificate_chain_file(certificate)?;
            server.listen_openssl(listener, acceptor)?.run().await?;
        }
        _ => server.listen(listener)?.run().await?,
    }
    Ok(())
}
