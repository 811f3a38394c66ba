//! The support itself, compared with what it imitates: a test that stands on it must be able to
//! trust it.

mod fake;
mod measured;
mod real;
mod two;
