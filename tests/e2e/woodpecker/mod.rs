//! Woodpecker itself: the server and its agent below a fake forge, and the command line that runs a
//! pipeline file.

mod examples;
mod forge;
mod on_broken;
mod plugin;
mod rebuild;
mod refused;
mod restart;
mod rig;
mod server;
