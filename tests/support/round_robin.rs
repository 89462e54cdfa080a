//! A small balancer: each connection goes to the next server that takes it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};

/// Connections made to it are made to the servers in turn.
pub struct RoundRobin {
    pub address: SocketAddr,
    served: Arc<[AtomicUsize]>,
}

impl RoundRobin {
    /// Listens on `listener`, on a thread of its own, for as long as the test.
    pub fn before(servers: &[u16], listener: std::net::TcpListener) -> Self {
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let served: Arc<[AtomicUsize]> = servers.iter().map(|_| AtomicUsize::new(0)).collect();
        let (servers, counted) = (servers.to_vec(), served.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let mut next = 0;
                while let Ok((mut client, _)) = listener.accept().await {
                    next += 1;
                    let (servers, counted) = (servers.clone(), counted.clone());
                    tokio::spawn(async move {
                        for turn in 0..servers.len() {
                            let chosen = (next + turn) % servers.len();
                            if let Ok(mut server) = TcpStream::connect(("127.0.0.1", servers[chosen])).await {
                                counted[chosen].fetch_add(1, Ordering::Relaxed);
                                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
                                return;
                            }
                        }
                    });
                }
            });
        });
        Self { address, served }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections each server got.
    pub fn served(&self) -> Vec<usize> {
        self.served.iter().map(|served| served.load(Ordering::Relaxed)).collect()
    }
}
