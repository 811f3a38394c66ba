//! Every test that needs a registry, a server or the built program, in one binary.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod audit;
mod command_line;
mod counted;
mod documents;
mod hostile;
mod injection;
mod limits;
mod logs;
mod messages;
mod prune;
mod repair;
mod rig;
mod screen;
mod secrets;
mod settings;
#[allow(
    dead_code,
    reason = "shared helpers: not every test binary uses all of them"
)]
mod support;
mod verify;
mod woodpecker;
