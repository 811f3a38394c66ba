//! HTTP/1.1 by hand, so that a server can lie in every byte and a client hides nothing.

pub(crate) mod client;
pub(crate) mod message;
pub(crate) mod server;
mod two;
pub(crate) mod wire;

pub(crate) use message::{Break, Reply, Request};
pub(crate) use server::Server;
