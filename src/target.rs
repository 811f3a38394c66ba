//! Which references to verify, and what each must resolve to.

use oci_spec::image::Digest;

use crate::reference::Reference;

/// One image to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it is.
    pub reference: Reference,
    /// What it must resolve to.
    pub expected: Option<Digest>,
    /// Whether all such targets of one repository must be the same digest.
    pub alike: bool,
}
