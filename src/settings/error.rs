//! A configuration error: what is wrong with what was typed, and what to do about it.

/// Why the settings cannot be used; the run ends with exit code 2 before anything is asked.
///
/// The message is a lower-case fragment that names the setting as it was typed, what came (never
/// for secrets) and what is accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    message: String,
    hint: Option<String>,
    warnings: Vec<String>,
}

impl Error {
    /// An error without advice.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            warnings: Vec::new(),
        }
    }

    /// The same error with advice, to be shown on a line of its own.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error, about what `name` names.
    #[must_use]
    pub(crate) fn about(mut self, name: &str) -> Self {
        self.message = format!("{name}: {}", self.message);
        self
    }

    /// The same error with the warnings that came before it and may explain it.
    #[must_use]
    pub(super) fn after(mut self, warnings: Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }

    /// The warnings that came before it, as fragments.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}
