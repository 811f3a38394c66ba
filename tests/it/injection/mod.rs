//! Text from elsewhere comes out harmless: whatever a registry, a token server, Woodpecker or a
//! file says, no reader of any output obeys it.

mod payloads;
mod reader;
mod table;
