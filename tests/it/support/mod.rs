//! What tests are built on: images, registries that serve them, and the program under test.

pub(crate) mod authority;
pub(crate) mod command;
pub(crate) mod digest;
pub(crate) mod distribution;
pub(crate) mod fake;
pub(crate) mod http;
pub(crate) mod image;
pub(crate) mod port;
pub(crate) mod recipe;
pub(crate) mod rounds;
pub(crate) mod schema;
pub(crate) mod scratch;
pub(crate) mod skopeo;
pub(crate) mod tree;
