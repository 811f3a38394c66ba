//! Time, memory and requests stay inside what is promised, whatever a server does.

mod endless;
mod memory;
mod signals;
mod slow;
mod work;
