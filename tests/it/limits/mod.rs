//! Time, memory and requests stay within their limits, whatever a server does.

mod endless;
mod memory;
mod signals;
mod slow;
mod work;
