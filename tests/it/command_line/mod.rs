//! The command line: where references come from, and what is printed where.

mod completions;
mod lists;
mod logins;
mod output;
