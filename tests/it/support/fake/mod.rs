//! A fake registry: right by default, wrong exactly where a test says so.

pub(crate) mod content;
pub(crate) mod guard;
mod proxy;
pub(crate) mod registry;
pub(crate) mod rule;
pub(crate) mod storage;
pub(crate) mod tokens;
mod uploads;

pub(crate) use proxy::Proxy;
pub(crate) use registry::Registry;
pub(crate) use storage::Storage;
pub(crate) use tokens::Tokens;
