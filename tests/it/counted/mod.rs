//! What a verification costs the registry, in requests and connections: figures that no noise of a
//! machine can change.

mod connections;
mod requests;
