//! The program among real components: a Docker engine, a registry, Woodpecker's server, agent and command line.
//!
//! `make e2e` prepares them and says in the environment where they are; a test that lacks one fails.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[allow(dead_code, unused_imports, reason = "a vocabulary is larger than what is said with it today")]
#[path = "../it/support/mod.rs"]
mod support;

mod woodpecker;
