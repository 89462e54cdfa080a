//! Programs that a test starts, and ends with itself.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::Path;
use std::process::{Child, Command, Output};

use shared::store::servers::free_port;

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

/// Ports for programs of the test's own, no two the same.
pub fn free_ports<const N: usize>() -> [u16; N] {
    [(); N].map(|()| free_port())
}
