//! Stands between a service and a server, and delays or cuts what passes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Connections made to it are made to the server behind it. Ends with the value.
pub struct Relay {
    address: SocketAddr,
    passing: watch::Sender<Passing>,
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
        let target = target.to_owned();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { serve(TcpListener::from_std(listener).unwrap(), target, watched).await });
        });
        Self { address, passing }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections, and each new one, until [`Relay::restore`].
    pub fn cut(&self) {
        self.passing.send_replace(Passing::Cut);
    }

    /// Lets each answer come so much later.
    pub fn delay(&self, by: Duration) {
        self.passing.send_replace(Passing::After(by));
    }

    pub fn restore(&self) {
        self.delay(Duration::ZERO);
    }
}

async fn serve(listener: TcpListener, target: String, watched: watch::Receiver<Passing>) {
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
        let (watched, target) = (watched.clone(), target.clone());
        tokio::spawn(async move {
            if *watched.borrow() != Passing::Cut
                && let Ok(server) = TcpStream::connect(&target).await
            {
                join(client, server, watched).await;
            }
        });
    }
}

async fn join(client: TcpStream, server: TcpStream, mut watched: watch::Receiver<Passing>) {
    let answers = watched.clone();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = pass(from_client, to_server, None) => {}
        () = pass(from_server, to_client, Some(answers)) => {}
        _ = watched.wait_for(|passing| *passing == Passing::Cut) => {}
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Option<watch::Receiver<Passing>>,
) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let by = delay.as_ref().map_or(Passing::After(Duration::ZERO), |delay| *delay.borrow());
        if let Passing::After(by) = by
            && !by.is_zero()
        {
            tokio::time::sleep(by).await;
        }
        if to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}
