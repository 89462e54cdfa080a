//! Ports for programs that a test starts, stops and starts again.

use std::net::{TcpListener, UdpSocket};
use std::sync::Mutex;

use crate::random::random_bytes;

/// Below the ports that the system gives out, so that nobody takes one while nobody listens there.
const FIRST: u16 = 10_000;
const NUMBER: u16 = 22_000;

/// What keeps other tests from choosing the same: of two processes one alone gets the UDP port of a number, which is none of TCP's.
static HELD: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// A port of 127.0.0.1 where nobody listens, and which stays this process's.
pub fn free_port() -> u16 {
    for _ in 0..1000 {
        let port = FIRST + u16::from_le_bytes(random_bytes()) % NUMBER;
        if let Ok(held) = UdpSocket::bind(("127.0.0.1", port))
            && TcpListener::bind(("127.0.0.1", port)).is_ok()
        {
            HELD.lock().unwrap().push(held);
            return port;
        }
    }
    panic!("no port is free")
}
