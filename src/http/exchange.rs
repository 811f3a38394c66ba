//! One answer: its headers, then its body piece by piece, within limits of time and size.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Response, Version};

use super::{Problem, ProblemKind};

/// An answer whose headers are here and whose body is still to come.
#[derive(Debug)]
pub struct Reply {
    response: Response,
    /// The longest wait for the next piece of the body.
    limit: Duration,
}

impl Reply {
    pub(super) fn new(response: Response, limit: Duration) -> Self {
        Self { response, limit }
    }

    pub(super) fn is_http2(&self) -> bool {
        self.response.version() == Version::HTTP_2
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The first value of a header, if it is text.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Every value of a header that may be there several times.
    #[must_use]
    pub fn all(&self, name: &HeaderName) -> Vec<String> {
        let values = self.response.headers().get_all(name);
        values
            .iter()
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
            .collect()
    }

    /// `Retry-After`, as a wait from now.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        // A server means its own clock, and it may be off.
        let date = self
            .header(&DATE)
            .and_then(|date| httpdate::parse_http_date(date).ok());
        let now = date.unwrap_or_else(SystemTime::now);
        read_retry_after(self.header(&RETRY_AFTER)?, now)
    }

    /// Whether the headers say that it is a web page.
    #[must_use]
    pub fn is_page(&self) -> bool {
        let content_type = self.header(&CONTENT_TYPE).unwrap_or_default();
        content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .eq_ignore_ascii_case("text/html")
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// When the body breaks off, or nothing comes within the limit.
    pub async fn piece(
        &mut self,
    ) -> Result<Option<impl AsRef<[u8]> + Send + 'static + use<>>, Problem> {
        match tokio::time::timeout(self.limit, self.response.chunk()).await {
            Err(_) => {
                let seconds = self.limit.as_secs_f64();
                let text = format!("no bytes arrived for {seconds:.1} s");
                Err(Problem::new(ProblemKind::Timeout, text))
            }
            Ok(piece) => piece.map_err(Problem::from),
        }
    }

    /// The whole body, or its first `limit` bytes and whether there is more.
    ///
    /// # Errors
    /// As for [`Reply::piece`].
    pub async fn body(&mut self, limit: usize) -> Result<(Vec<u8>, bool), Problem> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await? {
            if !append(&mut body, piece.as_ref(), limit) {
                return Ok((body, true));
            }
        }
        Ok((body, false))
    }
}

/// Adds as much of `piece` as `limit` leaves room for; whether all of it fits.
pub fn append(body: &mut Vec<u8>, piece: &[u8], limit: usize) -> bool {
    let room = limit.saturating_sub(body.len());
    body.extend_from_slice(&piece[..piece.len().min(room)]);
    piece.len() <= room
}

/// Reads `Retry-After`: seconds, or a date by a clock that shows `now`.
/// <https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3>
#[must_use]
pub fn read_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.parse().ok().map(Duration::from_secs);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let read = |value| read_retry_after(value, now);
        assert_eq!(read("60"), Some(Duration::from_secs(60)));
        assert_eq!(read(" 0 "), Some(Duration::ZERO));
        assert_eq!(
            read("Sun, 06 Nov 1994 08:50:37 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(read("Sun, 06 Nov 1994 08:48:37 GMT"), Some(Duration::ZERO));
        for nonsense in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_body_is_cut_at_its_limit_and_not_before() {
        let mut body = Vec::new();
        assert!(append(&mut body, b"abc", 5));
        assert!(append(&mut body, b"de", 5));
        assert!(append(&mut body, b"", 5));
        assert!(!append(&mut body, b"f", 5));
        assert_eq!(body, b"abcde");
    }
}
