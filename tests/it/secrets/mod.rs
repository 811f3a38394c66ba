//! Nothing leaks: secrets are planted wherever they can come from, and searched for in everything
//! that leaves the program.

mod echoes;
mod errors;
mod helpers;
mod hosts;
mod mask;
pub(crate) mod plant;
mod reads;
mod rebuild;
mod sources;
mod tokens;
