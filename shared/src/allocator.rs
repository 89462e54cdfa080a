//! The allocator of every program that links this crate.
//!
//! glibc's gives each thread an arena and keeps what was once used there: fifty people who sign in at the same time left 700 MiB
//! of argon2id's working memory behind, and a fifth of the time of a POST went into it.

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;
