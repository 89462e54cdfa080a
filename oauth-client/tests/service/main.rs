//! The web app driven over real sockets, between a small authorization server and a small API that can be made to fail.
#![allow(clippy::unwrap_used, clippy::await_holding_lock)]

mod callback;
mod command;
mod pages;
mod refresh;
mod resources;
mod session;
mod sign_in;
mod sign_out;
mod support;
