//! Where a redirect may lead, and whether credentials may follow it.

use url::Url;

use crate::http::forbidden_literal;

/// How many redirects one question follows.
pub(crate) const MAX_REDIRECTS: usize = 5;

/// Whether a status is a redirect; GET and HEAD follow all of them.
#[must_use]
pub(crate) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The next URL of a redirect from `current` to `location`.
///
/// # Errors
/// Why it is not followed, as a fragment without the query, which may be a signature.
pub(crate) fn follow(current: &Url, location: Option<&str>) -> Result<Url, String> {
    lead("a redirect", current, location)
}

/// The next URL of a request that writes, whose answer is a redirect with this status: only one
/// that keeps the method and the origin is followed, so that nobody else is sent what is written.
///
/// # Errors
/// As for [`follow`].
pub(crate) fn follow_write(
    current: &Url,
    status: u16,
    location: Option<&str>,
) -> Result<Url, String> {
    let next = follow(current, location)?;
    if !matches!(status, 307 | 308) {
        return Err(format!(
            "a redirect with {status}, which an upload cannot follow"
        ));
    }
    if !same_origin(current, &next) {
        return Err(format!(
            "a redirect of an upload to another host ({}), not followed",
            shown(&next)
        ));
    }
    Ok(next)
}

/// Where the content of an upload goes that was opened at `current`.
///
/// # Errors
/// As for [`follow`].
pub(crate) fn session(current: &Url, location: Option<&str>) -> Result<Url, String> {
    let next = lead("an upload session", current, location)?;
    if !next.username().is_empty() || next.password().is_some() {
        let there = shown(&next);
        return Err(format!(
            "an upload session with a user in its URL ({there})"
        ));
    }
    Ok(next)
}

/// Where `what` leads from `current` by its `location`.
fn lead(what: &str, current: &Url, location: Option<&str>) -> Result<Url, String> {
    let location = location.ok_or_else(|| format!("{what} without a usable Location"))?;
    let next = current
        .join(location)
        .map_err(|error| format!("{what} to an unreadable URL ({error})"))?;
    match (current.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => {}
        ("https", "http") => {
            return Err(format!(
                "{what} from https to http ({}), not followed",
                shown(&next)
            ));
        }
        (_, other) => return Err(format!("{what} to {other}, not followed")),
    }
    if next.host_str().is_none_or(str::is_empty) {
        return Err(format!("{what} to a URL without a host"));
    }
    if forbidden_literal(&next) {
        return Err(format!(
            "{what} to a link-local or metadata address ({}), not followed",
            shown(&next)
        ));
    }
    Ok(next)
}

/// Whether credentials for `here` may also be sent to `there`: the same scheme, host and port.
#[must_use]
pub(crate) fn same_origin(here: &Url, there: &Url) -> bool {
    here.scheme() == there.scheme()
        && here.host() == there.host()
        && here.port_or_known_default() == there.port_or_known_default()
}

/// A URL to print: scheme and host alone, because path and query may be a signature.
#[must_use]
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn get_and_head_follow_five_statuses() {
        let followed: Vec<u16> = (100..600).filter(|status| is_redirect(*status)).collect();
        assert_eq!(followed, [301, 302, 303, 307, 308]);
    }

    #[test]
    fn an_upload_session_is_nowhere_that_a_redirect_may_not_lead() {
        let current = url("https://registry.example/v2/app/blobs/uploads/");
        for (location, next) in [
            (
                "1?_state=a%2Bb%3D",
                "https://registry.example/v2/app/blobs/uploads/1?_state=a%2Bb%3D",
            ),
            ("https://cdn.example/b?sig=1", "https://cdn.example/b?sig=1"),
        ] {
            assert_eq!(session(&current, Some(location)).unwrap().as_str(), next);
        }
        for (location, why) in [
            (None, "an upload session without a usable Location"),
            (
                Some("http://registry.example/v2/app/blobs/uploads/1?_state=s3cret"),
                "an upload session from https to http (http://registry.example), not followed",
            ),
            (Some("ftp://x/"), "an upload session to ftp, not followed"),
            (
                Some("https://169.254.169.254/?s3cret"),
                "an upload session to a link-local or metadata address \
                 (https://169.254.169.254), not followed",
            ),
            (
                Some("https://me:s3cret@registry.example/"),
                "an upload session with a user in its URL (https://registry.example)",
            ),
        ] {
            assert_eq!(session(&current, location).unwrap_err(), why);
        }
    }

    #[test]
    fn a_write_follows_a_redirect_that_keeps_its_method_and_origin() {
        let current = url("https://registry.example/v2/app/manifests/1");
        for status in [301, 302, 303, 307, 308] {
            let next = follow_write(&current, status, Some("/there"));
            assert_eq!(next.is_ok(), matches!(status, 307 | 308), "{status}");
        }
        for elsewhere in ["https://other.example/", "https://registry.example:444/"] {
            assert!(follow_write(&current, 307, Some(elsewhere)).is_err());
        }
    }

    #[test]
    fn relative_and_absolute_locations_lead_on() {
        let current = url("https://registry.example/v2/app/blobs/x");
        for (location, next) in [
            ("/other", "https://registry.example/other"),
            ("y?z", "https://registry.example/v2/app/blobs/y?z"),
            ("//cdn.example/b", "https://cdn.example/b"),
            ("https://cdn.example/b?sig=1", "https://cdn.example/b?sig=1"),
        ] {
            assert_eq!(follow(&current, Some(location)).unwrap().as_str(), next);
        }
        let plain = url("http://127.0.0.1:5000/v2/");
        assert!(follow(&plain, Some("http://127.0.0.1:9000/b")).is_ok());
        assert!(follow(&plain, Some("https://cdn.example/b")).is_ok());
    }

    #[test]
    fn a_redirect_to_plain_http_or_a_forbidden_address_is_refused() {
        let current = url("https://registry.example/v2/");
        for location in [
            "http://cdn.example/b?signature=hunter2",
            "ftp://cdn.example/b",
            "file:///etc/passwd",
            "data:,x",
            "https://[bad",
            "https://169.254.169.254/latest",
            "https://[fe80::1]/x",
            "https://[::ffff:169.254.169.254]/x",
        ] {
            let why = follow(&current, Some(location)).unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
        assert!(follow(&current, None).is_err());
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let here = url("https://registry.example/a");
        for (there, same) in [
            ("https://registry.example:443/b", true),
            ("https://REGISTRY.example/b", true),
            ("https://registry.example:8443/a", false),
            ("http://registry.example/a", false),
            ("https://cdn.registry.example/a", false),
        ] {
            assert_eq!(same_origin(&here, &url(there)), same, "{there}");
        }
    }

    #[test]
    fn a_shown_url_has_no_path_query_or_user() {
        assert_eq!(
            shown(&url("https://u:p@cdn.example:8443/a/b?sig=1#f")),
            "https://cdn.example:8443"
        );
        assert_eq!(shown(&url("http://[::1]/x")), "http://[::1]");
    }
}
