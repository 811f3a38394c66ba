//! Integration tests.

mod woodpecker;
