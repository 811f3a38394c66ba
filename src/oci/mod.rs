//! OCI's types, read strictly where people write them and leniently where registries do.

pub(crate) mod client;
pub(crate) mod config;
pub(crate) mod date;
pub(crate) mod descriptor;
pub(crate) mod digest;
pub(crate) mod flaw;
pub(crate) mod in_layout;
pub(crate) mod in_use;
pub(crate) mod kind;
pub(crate) mod listed;
pub(crate) mod manifest;
pub(crate) mod media_type;
pub(crate) mod platform;
pub(crate) mod reference;
pub(crate) mod refusal;
mod shape;
pub(crate) mod transport;
mod wire;
