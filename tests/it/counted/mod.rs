//! What a verification costs the registry, in requests and connections.

mod connections;
mod requests;
