//! What only settings can give.

/// That the user wants content to be written: `apply`. Whoever writes needs one, and only the
/// settings of a repair give it.
#[derive(Clone, Copy, Debug)]
pub struct Permission(());

impl Permission {
    /// The permission of `apply`.
    pub(super) fn of_apply() -> Self {
        Self(())
    }

    /// A permission for tests.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self(())
    }
}

/// That the user wants tags to be deleted: `apply` of a prune. Whoever deletes needs one, and only
/// the settings of a prune give it.
#[derive(Clone, Copy, Debug)]
pub struct Deletion(());

impl Deletion {
    /// The permission of `apply`.
    pub(super) fn of_apply() -> Self {
        Self(())
    }
}

/// That the user promises that no garbage collection runs: `gc_stopped`. Whoever writes to a
/// registry's disk needs one beside a [`Permission`], and only the settings give it.
#[derive(Clone, Copy, Debug)]
pub struct GcStopped(());

impl GcStopped {
    /// The promise of `gc_stopped`.
    pub(super) fn of_setting() -> Self {
        Self(())
    }

    /// A promise for tests.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self(())
    }
}
