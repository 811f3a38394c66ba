//! A byte stream, plain or encrypted, and the one way to read the head of a message from it.

use std::io::{self, BufRead, BufReader, Read, Write};

/// A connection: TCP, or TLS over it.
pub(crate) trait Wire: Read + Write + Send {}

impl<T: Read + Write + Send> Wire for T {}

/// The first line and the headers of a message; `None` when the other side has nothing more to say.
pub(super) struct Head {
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
}

/// Reads up to the empty line.
///
/// # Errors
/// When the connection breaks, or ends within the head.
pub(super) fn read_head(stream: &mut BufReader<Box<dyn Wire>>) -> io::Result<Option<Head>> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        let length = stream.read_until(b'\n', &mut line)?;
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        match (length, lines.is_empty(), text.is_empty()) {
            (0, true, _) => return Ok(None),
            (0, false, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
            (_, true, true) => {}
            (_, false, true) => break,
            _ => lines.push(text),
        }
    }
    let headers = lines.split_off(1).into_iter().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    });
    Ok(Some(Head {
        headers: headers.collect(),
        line: lines.remove(0),
    }))
}

impl Head {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Reads the body that follows; `to_the_end` when a body without a length ends with the
    /// connection.
    ///
    /// # Errors
    /// When the connection breaks, or ends before the stated length; `body` then has what came
    /// before.
    pub(super) fn read_body(
        &self,
        stream: &mut BufReader<Box<dyn Wire>>,
        to_the_end: bool,
        body: &mut Vec<u8>,
    ) -> io::Result<()> {
        if self
            .header("Transfer-Encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            loop {
                let mut size = String::new();
                stream.read_line(&mut size)?;
                let size = size
                    .trim()
                    .split(';')
                    .next()
                    .and_then(|size| u64::from_str_radix(size, 16).ok());
                let size = size.ok_or(io::ErrorKind::InvalidData)?;
                exactly(stream, size, body)?;
                stream.read_line(&mut String::new())?;
                if size == 0 {
                    return Ok(());
                }
            }
        } else if let Some(length) = self.header("Content-Length") {
            exactly(
                stream,
                length.parse().map_err(|_| io::ErrorKind::InvalidData)?,
                body,
            )?;
        } else if to_the_end {
            stream.read_to_end(body)?;
        }
        Ok(())
    }
}

fn exactly(stream: &mut impl Read, length: u64, into: &mut Vec<u8>) -> io::Result<()> {
    let came = stream.take(length).read_to_end(into)?;
    if came as u64 == length {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
