//! One keep-alive HTTP/1.1 connection that sends prepared bytes and reads whole answers, with as little work as possible:
//! the program that measures shares the machine with what it measures.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;

use memchr::memmem::find;
use openssl::ssl::{SslConnector, SslMethod};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::Fault;

/// How to reach a server.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    /// Speaks TLS, trusting this connector's certificates.
    pub tls: Option<SslConnector>,
}

/// TLS as an ordinary client does it: the server's certificate is verified.
pub fn trusting(ca: &Path) -> Result<SslConnector, Fault> {
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_ca_file(ca)?;
    Ok(connector.build())
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<SslStream<TcpStream>>),
}

impl Stream {
    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.write_all(bytes).await,
            Stream::Tls(stream) => stream.write_all(bytes).await,
        }
    }

    async fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(into).await,
            Stream::Tls(stream) => stream.read(into).await,
        }
    }
}

pub struct Connection {
    stream: Stream,
    buffer: Vec<u8>,
}

/// An answer as it came.
pub struct Answer<'a> {
    pub status: u16,
    pub head: &'a [u8],
    /// As sent, chunk marks included.
    pub body: &'a [u8],
}

impl Connection {
    pub async fn open(target: &Target) -> Result<Self, Fault> {
        let socket = TcpStream::connect(target.address).await?;
        socket.set_nodelay(true)?;
        let stream = match &target.tls {
            None => Stream::Plain(socket),
            Some(connector) => {
                let ssl = connector.configure()?.into_ssl(&target.address.ip().to_string())?;
                let mut stream = SslStream::new(ssl, socket)?;
                Pin::new(&mut stream).connect().await?;
                Stream::Tls(Box::new(stream))
            }
        };
        Ok(Self { stream, buffer: vec![0; 64 * 1024] })
    }

    /// Sends a whole request and reads the whole answer.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, Fault> {
        self.stream.write(request).await?;
        let mut filled = 0;
        let (head, end) = loop {
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err("the server closed the connection".into());
            }
            filled += read;
            if let Some(whole) = extent(&self.buffer[..filled])? {
                break whole;
            }
        };
        if end != filled {
            return Err("the server sent more than one answer".into());
        }
        let status = std::str::from_utf8(&self.buffer[9..12])?.parse()?;
        Ok(Answer { status, head: &self.buffer[..head], body: &self.buffer[head..end] })
    }
}

/// Where head and answer end, once all of it is there.
fn extent(bytes: &[u8]) -> Result<Option<(usize, usize)>, Fault> {
    let Some(head) = find(bytes, b"\r\n\r\n").map(|at| at + 4) else { return Ok(None) };
    if let Some(at) = find(&bytes[..head], b"content-length: ") {
        let digits = bytes[at + 16..head].iter().take_while(|byte| byte.is_ascii_digit());
        let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
        let end = head + length;
        return Ok((bytes.len() >= end).then_some((head, end)));
    }
    if find(&bytes[..head], b"transfer-encoding: chunked").is_some() {
        // A chunk's text may look like the last chunk, so they are walked.
        let mut at = head;
        while let Some(line) = find(&bytes[at..], b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&bytes[at..at + line])?, 16)?;
            at += line + 2 + size + 2;
            if at > bytes.len() {
                return Ok(None);
            }
            if size == 0 {
                return Ok(Some((head, at)));
            }
        }
        return Ok(None);
    }
    Ok(Some((head, head)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_last_byte_is_there() {
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nhello, world",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ] {
            let bytes = text.as_bytes();
            let head = find(bytes, b"\r\n\r\n").unwrap() + 4;
            assert_eq!(extent(bytes).unwrap(), Some((head, bytes.len())), "{text}");
            assert_eq!(extent(&bytes[..bytes.len() - 1]).unwrap(), None, "{text}");
        }
    }
}
