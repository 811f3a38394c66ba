//! What is remembered of a registry from one run to the next, so that a run asks only for what is
//! new, has moved, was not whole, or is due.

mod due;
mod format;
mod keep;
mod key;
mod memory;
mod moment;
mod notebook;
mod pack;
mod recall;
mod source;
mod store;
#[cfg(test)]
mod tests;

pub use self::due::Tiers;
pub(crate) use self::moment::Moment;
pub(crate) use self::notebook::{Notebook, Summary};
pub(crate) use self::recall::{Recall, Recalled};
pub(crate) use self::source::Remembering;
pub(crate) use self::store::Store;
