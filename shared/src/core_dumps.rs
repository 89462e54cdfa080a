//! Memory that holds keys and passwords is written to no file (F-072).

#![allow(clippy::print_stderr, reason = "it comes before the log")]

use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Switches core dumps of this process off. A program's first step, before any secret is read; where the system forbids it,
/// the program goes on and says so.
pub fn switch_off() {
    if let Err(error) = try_switch_off() {
        eprintln!("warning: core dumps can't be switched off, so a crash may leave secrets in a file: {error}");
    }
}

fn try_switch_off() -> Result<(), Errno> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // A crash handler that the kernel pipes dumps to asks for no limit.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}
