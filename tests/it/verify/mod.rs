//! The built program against the real registry: from an image that others pushed to the exit code.

mod advice;
mod damage;
mod differential;
mod expectations;
mod forms;
mod incident;
mod layouts;
mod losses;
mod slow_line;
mod two;
