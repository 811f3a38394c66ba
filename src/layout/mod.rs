//! Content in files: an OCI image layout as a `Source` and a `Catalog`, archives, and what any
//! directory that somebody gave us shows.

pub(crate) mod archive;
pub(crate) mod content;
mod directory;
mod index;
pub(crate) mod look;
pub(crate) mod root;
mod source;
mod writer;

pub(crate) use self::archive::{Archive, Packing};
pub(crate) use self::directory::{Layout, NotALayout};
pub(crate) use self::index::Entry;
pub(crate) use self::source::LayoutRepository;
pub(crate) use self::writer::LayoutWriter;
