//! Programs that a test starts, and ends with itself.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output};

/// Killed with the value.
pub struct Processes(pub Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// `evergate` with these arguments, from `folder`, to its end.
pub fn evergate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evergate")).current_dir(folder).args(arguments).output().unwrap()
}

/// Ports that were free just now, no two the same.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}
