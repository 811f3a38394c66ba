//! Plans on repositories that are written down, and prunes of a registry in memory while others push.

mod model;
mod plans;
mod races;
