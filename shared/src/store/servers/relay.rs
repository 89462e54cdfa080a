//! Stands between a service and a server, and delays or cuts what passes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Connections made to it are made to the server behind it. Ends with the value.
pub struct Relay {
    address: SocketAddr,
    target: Arc<Mutex<String>>,
    passing: watch::Sender<Passing>,
    allowance: Arc<AtomicUsize>,
}

/// What becomes of what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passing {
    /// Each answer comes so much later.
    After(Duration),
    /// All connections are closed, and new ones too.
    Cut,
}

impl Relay {
    /// Before the server at `target`, a host and port. It runs on a thread of its own, so that a test may block.
    pub fn before(target: &str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (passing, watched) = watch::channel(Passing::After(Duration::ZERO));
        let target = Arc::new(Mutex::new(target.to_owned()));
        let leads_to = target.clone();
        let allowance = Arc::new(AtomicUsize::new(usize::MAX));
        let allowed = allowance.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime
                .block_on(async { serve(TcpListener::from_std(listener).unwrap(), leads_to, watched, allowed).await });
        });
        Self { address, target, passing, allowance }
    }

    /// Lets about so many more bytes through to the server, and then nothing, on no connection.
    pub fn stop_after(&self, bytes: usize) {
        self.allowance.store(bytes, Ordering::SeqCst);
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections to another server; those there are stay.
    pub fn lead_to(&self, target: &str) {
        target.clone_into(&mut self.target.lock().unwrap());
    }

    /// Closes all connections, and each new one, until [`Relay::restore`].
    pub fn cut(&self) {
        self.passing.send_replace(Passing::Cut);
    }

    /// Lets each answer come so much later; many on one connection are late together, not one after the other.
    pub fn delay(&self, by: Duration) {
        self.passing.send_replace(Passing::After(by));
    }

    /// Lets everything pass at once, also what is being delayed.
    pub fn restore(&self) {
        self.delay(Duration::ZERO);
    }
}

async fn serve(
    listener: TcpListener,
    target: Arc<Mutex<String>>,
    watched: watch::Receiver<Passing>,
    allowance: Arc<AtomicUsize>,
) {
    let mut relay = watched.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            changed = relay.changed() => match changed {
                Ok(()) => continue,
                // The relay is gone.
                Err(_) => return,
            },
        };
        let Ok((client, _)) = accepted else { continue };
        let (watched, target, allowance) = (watched.clone(), target.lock().unwrap().clone(), allowance.clone());
        tokio::spawn(async move {
            if *watched.borrow() != Passing::Cut
                && let Ok(server) = TcpStream::connect(&target).await
            {
                // Small questions and answers: none waits to be sent with another.
                if client.set_nodelay(true).and(server.set_nodelay(true)).is_ok() {
                    join(client, server, watched, &allowance).await;
                }
            }
        });
    }
}

async fn join(client: TcpStream, server: TcpStream, mut watched: watch::Receiver<Passing>, allowance: &AtomicUsize) {
    let answers = watched.clone();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = pass(from_client, to_server, allowance) => {}
        () = pass_late(from_server, to_client, answers) => {}
        _ = watched.wait_for(|passing| *passing == Passing::Cut) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, allowance: &AtomicUsize) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let less = |allowed: usize| (allowed > 0).then(|| allowed.saturating_sub(read));
        if allowance.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_err() {
            return std::future::pending().await;
        }
        if to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}

async fn pass_late(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, watched: watch::Receiver<Passing>) {
    let (late, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(1000);
    let delay = watched.clone();
    let read = async move {
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut chunk).await {
            let by = match *delay.borrow() {
                Passing::After(by) => by,
                Passing::Cut => return,
            };
            if late.send((Instant::now() + by, chunk[..read].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        let mut watched = watched;
        while let Some((at, chunk)) = due.recv().await {
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                _ = watched.wait_for(|passing| *passing == Passing::After(Duration::ZERO)) => {}
            }
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}
