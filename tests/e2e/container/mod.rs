//! The images of the `Dockerfile`, in a Docker engine, as CI systems run them.

mod action;
mod docker;
mod image;
mod plugin;
mod surroundings;
