//! Foreign text is harmless in every output: no reader obeys what a registry, a token server,
//! Woodpecker or a file says.

mod payloads;
mod reader;
mod table;
