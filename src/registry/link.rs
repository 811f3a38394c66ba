//! The next page of a list in `Link`, see <https://www.rfc-editor.org/rfc/rfc8288#section-3>.

/// The query of the link to the next page.
///
/// Commas and semicolons within `<…>` and within quotes belong to the address or the value. An
/// address without `<…>` is one as well: a list must not end because of it.
pub(crate) fn next_page(header: &str) -> Option<String> {
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (target, after) = match rest.strip_prefix('<') {
            Some(link) => link.split_once('>')?,
            None if rest.is_empty() => return None,
            None => bare_address(rest).unwrap_or(("", rest)),
        };
        let (parameters, after) = until(after, ',');
        rest = after;
        let address = target.split('#').next().unwrap_or_default();
        if let Some((_, query)) = address.split_once('?').filter(|_| is_next(parameters)) {
            return Some(query.to_owned());
        }
    }
}

/// An address without `<…>` at the start, and what follows it.
fn bare_address(text: &str) -> Option<(&str, &str)> {
    let (address, after) = text.split_at(text.find([';', ',']).unwrap_or(text.len()));
    let address = address.trim_end();
    let is_one = !address.contains(['<', '>', '"', ' ', '\t']);
    is_one.then_some((address, after))
}

/// Whether the first `rel` says `next`, perhaps among other words.
fn is_next(parameters: &str) -> bool {
    let mut rest = parameters;
    while !rest.is_empty() {
        let (parameter, after) = until(rest, ';');
        rest = after;
        if let Some((name, value)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("rel")
        {
            let words = value.trim().trim_matches('"');
            return words
                .split_ascii_whitespace()
                .any(|word| word.eq_ignore_ascii_case("next"));
        }
    }
    false
}

/// The text before the first separator outside quotes, and the text after it.
fn until(text: &str, separator: char) -> (&str, &str) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, letter) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if quoted && letter == '\\' {
            escaped = true;
        } else if letter == '"' {
            quoted = !quoted;
        } else if letter == separator && !quoted {
            return (&text[..at], &text[at + letter.len_utf8()..]);
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_the_next_page_is_taken_and_nothing_else() {
        for (header, query) in [
            (
                r#"</v2/a/referrers/x?last=1&n=2>; rel="next""#,
                Some("last=1&n=2"),
            ),
            ("<https://elsewhere.example/?a=b#f>; REL=next", Some("a=b")),
            (r#"<?x=1>; rel="prev", <?x=3>; rel="next""#, Some("x=3")),
            (r#"<?x=1>; rel="prev""#, None),
            ("</v2/a>; rel=next", None),
            ("<#?a=b>; rel=next", None),
            ("nonsense", None),
            ("nonsense, <?x=1>; rel=next", Some("x=1")),
            ("/v2/_catalog?last=b&n=2; rel=\"next\"", Some("last=b&n=2")),
            ("?x=1 ;rel=prev, ?x=3; rel=next", Some("x=3")),
            ("/v2/_catalog?last=b", None),
            ("/v2/_catalog?last=b>; rel=next", None),
            (r#"a "?b; rel=next"#, None),
            ("<", None),
            ("", None),
        ] {
            assert_eq!(next_page(header).as_deref(), query, "{header:?}");
        }
    }

    #[test]
    fn separators_within_an_address_or_quotes_are_part_of_it() {
        for (header, query) in [
            (r#"<?last=a,b;c>; rel="next""#, Some("last=a,b;c")),
            (r#"<?x=1>; title="a, <?y=2>; rel=next"; rel=prev"#, None),
            (r#"<?x=1>; title="a\", b;c"; rel=next"#, Some("x=1")),
            (r#"<?x=1>; title="without end; rel=next"#, None),
        ] {
            assert_eq!(next_page(header).as_deref(), query, "{header:?}");
        }
    }

    #[test]
    fn the_first_relation_counts_with_all_its_words() {
        assert_eq!(
            next_page(r#"<?x=1>; rel="last next""#).as_deref(),
            Some("x=1")
        );
        assert_eq!(next_page("<?x=1>; rel=prev; rel=next"), None);
    }
}
