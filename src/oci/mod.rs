//! OCI's types, read strictly where people write them and leniently where registries do.

pub mod descriptor;
pub mod digest;
pub mod flaw;
pub mod kind;
pub mod manifest;
pub mod media_type;
pub mod platform;
pub mod reference;
mod wire;
