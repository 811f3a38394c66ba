//! `Link`: the query is a part of the header, and other links before it change nothing.

use super::text;
use crate::registry::link::next_page;

/// Time is linear; the query is a part of the header.
pub fn check(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let next = next_page(text);
    let before = format!(r#"</a?b=<,;>; title="\",<?c>; rel=next"; rel=prev, {text}"#);
    assert_eq!(next_page(&before), next, "another link before it");
    let Some(query) = next else { return };
    assert!(text.contains(&query), "{query:?} is not in the header");
    assert!(
        !query.contains(['#', '>']),
        "{query:?} is more than a query"
    );
    assert_eq!(
        next_page(&format!("<?{query}>; rel=next")).as_ref(),
        Some(&query)
    );
    assert_eq!(next_page(&format!("<?{query}>; rel=prev")), None);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A link with its query, and whether it is the next page's.
    fn link() -> impl Strategy<Value = (String, String, bool)> {
        let title =
            "[ -~]{0,12}".prop_map(|title| title.replace('\\', r"\\").replace('"', r#"\""#));
        let relation = prop_oneof![
            Just((r#"rel="next""#, true)),
            Just(("REL=Next", true)),
            Just((r#"rel = "last next""#, true)),
            Just((r#"rel="prev""#, false)),
            Just(("rev=next", false)),
        ];
        (
            "[a-z0-9/:.,;-]{0,12}",
            "[a-zA-Z0-9=&%,;<?\"/]{0,12}",
            title,
            relation,
            any::<bool>(),
        )
            .prop_map(|(path, query, title, (relation, is_next), first)| {
                let title = format!(r#"title="{title}""#);
                let (one, other) = if first {
                    (title.as_str(), relation)
                } else {
                    (relation, title.as_str())
                };
                (format!("<{path}?{query}>; {one} ;{other}"), query, is_next)
            })
    }

    proptest! {
        #[test]
        fn the_first_link_to_a_next_page_is_found(
            links in proptest::collection::vec(link(), 0..5),
        ) {
            let header: Vec<&str> = links.iter().map(|(text, ..)| text.as_str()).collect();
            let next = links.iter().find(|(.., is_next)| *is_next);
            let expected = next.map(|(_, query, _)| query.clone());
            prop_assert_eq!(next_page(&header.join(" , ")), expected);
        }
    }
}
