//! Reads the text of a list of references.

use std::fs::File;
use std::io::{self, Read};

use crate::settings::ListSource;
use crate::text::human;

/// The longest list that is read, in bytes.
const LONGEST: u64 = 64 * 1024 * 1024;

/// What is in the file, or comes on standard input.
///
/// # Errors
/// When it cannot be read, is too long or no text, as a fragment.
pub(super) fn read(source: &ListSource) -> Result<String, String> {
    match source {
        ListSource::File(path) => {
            let name = path.display().to_string();
            let file =
                File::open(path).map_err(|failure| format!("cannot read {name}: {failure}"))?;
            read_from(file, &name)
        }
        ListSource::StandardInput => read_from(io::stdin().lock(), "standard input"),
    }
}

fn read_from(from: impl Read, name: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    from.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|failure| format!("cannot read {name}: {failure}"))?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("{name} is longer than {}", human::bytes(LONGEST)));
    }
    String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8 text"))
}
