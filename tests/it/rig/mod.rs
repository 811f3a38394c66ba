//! The support itself, compared with what it imitates: tests must be able to trust it.

mod fake;
mod measured;
mod real;
mod two;
mod writable;
