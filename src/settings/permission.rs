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
