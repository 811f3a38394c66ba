//! Standard streams whose lines are broken between words, where they are a terminal.

use std::io::{self, Write};

use crate::text::wrap::wrapped;

/// Writes to a terminal of some columns, or to what is none, as it is.
pub(crate) struct Wrapping<W: Write> {
    out: W,
    columns: Option<usize>,
    /// The beginning of a line.
    open: Vec<u8>,
}

impl<W: Write> Wrapping<W> {
    /// Writes to `out`, which is `columns` wide, or none where it is no terminal.
    #[must_use]
    pub(crate) fn new(out: W, columns: Option<usize>) -> Self {
        Self {
            out,
            columns,
            open: Vec::new(),
        }
    }
}

impl<W: Write> Write for Wrapping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(columns) = self.columns else {
            return self.out.write(bytes);
        };
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.open.extend_from_slice(piece);
            if let Some(line) = self.open.strip_suffix(b"\n") {
                let line = wrapped(&String::from_utf8_lossy(line), columns);
                self.open.clear();
                writeln!(self.out, "{line}")?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.open.is_empty() {
            self.out.write_all(&self.open)?;
            self.open.clear();
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(columns: Option<usize>, pieces: &[&str]) -> String {
        let mut out = Vec::new();
        let mut wrapping = Wrapping::new(&mut out, columns);
        for piece in pieces {
            wrapping.write_all(piece.as_bytes()).unwrap();
        }
        wrapping.flush().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_that_comes_in_pieces_is_broken_as_a_whole() {
        let pieces = ["one two three ", "four fi", "ve\nsix\n\nsev", "en"];
        assert_eq!(
            shown(Some(20), &pieces),
            "one two three four\n    five\nsix\n\nseven"
        );
    }

    #[test]
    fn a_log_is_left_as_it_is() {
        let line = "one two three four five six seven eight nine ten\n";
        assert_eq!(shown(None, &[line]), line);
    }
}
