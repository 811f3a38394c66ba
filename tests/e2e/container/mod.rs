//! The images of the `Dockerfile`, in a Docker engine, as CI systems run them.

mod docker;
mod github;
mod image;
mod surroundings;
mod woodpecker;
