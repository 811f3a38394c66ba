//! Real clients are asked about every image of the corpus, and pullproof agrees with each.

mod agreement;
mod corpus;
mod daemons;
mod draft;
mod layer;
mod measure;
mod page;
mod pull;
mod render;
mod table;
