//! Secrets for GitHub's runner to mask: it knows the ones that a workflow names, but not the
//! secrets inside them.

use std::io::{self, Write};

use crate::text::escape::command_message;
use crate::text::secret::Secret;

/// Writes one `add-mask` for each secret; the runner takes the line out of the log. Only that
/// runner may read `out`.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_masks(secrets: &[Secret], out: &mut dyn Write) -> io::Result<()> {
    for secret in secrets
        .iter()
        .map(Secret::expose)
        .filter(|secret| !secret.trim().is_empty())
    {
        writeln!(out, "::add-mask::{}", command_message(secret))?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_is_one_line_whatever_is_in_it() {
        let mut out = Vec::new();
        write_masks(
            &["hunter2", "", " ", "a%b\n::error::c"].map(Secret::new),
            &mut out,
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "::add-mask::hunter2\n::add-mask::a%25b%0A::error::c\n"
        );
    }
}
