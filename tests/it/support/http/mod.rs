//! HTTP/1.1 written by hand, so that a server can send wrong bytes anywhere and a client sees all
//! of them.

pub(crate) mod client;
pub(crate) mod message;
pub(crate) mod server;
mod two;
pub(crate) mod wire;

pub(crate) use message::{Break, Reply, Request};
pub(crate) use server::Server;
