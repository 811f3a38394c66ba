//! Real clients are asked about every image of the corpus.

mod corpus;
mod daemons;
mod draft;
mod layer;
mod measure;
mod page;
mod pull;
mod render;
mod table;
