//! Lists, maps, hosts and pins of settings: nothing is lost, nothing is added, and what was read
//! can be written.

use super::text;
use crate::http::network::Hosts;
use crate::settings::parse::{hosts, list, map, pins};

/// Time is linear; what comes out is no longer than what went in.
pub fn check(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Some(items) = list(text) {
        assert!(
            items.iter().map(String::len).sum::<usize>() <= text.len(),
            "more came out than went in"
        );
        assert!(
            items
                .iter()
                .all(|item| !item.is_empty() && item.trim() == item),
            "{items:?}"
        );
        let json = serde_json::to_string(&items).expect("texts are JSON");
        assert_eq!(list(&json).as_ref(), Some(&items), "as JSON");
        if let Some(written) = written(&items) {
            assert_eq!(list(&written).as_ref(), Some(&items), "{written:?}");
        }
        if !text.contains(['[', '#', '\\']) {
            let plain: Vec<&str> = text
                .split([',', '\n'])
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .collect();
            assert_eq!(items, plain);
        }
    }
    if let Some(entries) = map(text) {
        let length: usize = entries
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        assert!(length <= text.len(), "more came out than went in");
        assert!(entries.keys().all(|name| !name.is_empty()), "{entries:?}");
        let json = serde_json::to_string(&entries).expect("texts are JSON");
        assert_eq!(map(&json), Some(entries), "as JSON");
    }
    if let Some(Hosts::Only(names)) = hosts(text) {
        assert!(
            names
                .iter()
                .all(|name| !name.contains(['/', '@', ' ', '+', ','])),
            "{names:?}"
        );
        assert!(
            matches!(hosts(&names.join(",")), Some(Hosts::Only(again)) if again == names),
            "{names:?}"
        );
    }
    if let Ok(pins) = pins(text) {
        assert!(
            pins.iter()
                .all(|pin| pin.port != 0 && !pin.addresses.is_empty() && !pin.host.is_empty()),
            "{pins:?}"
        );
        assert!(pins.iter().map(|pin| pin.addresses.len()).sum::<usize>() <= text.len());
    }
}

/// A list as people write it on one line; `None` when an item cannot be written so.
fn written(items: &[String]) -> Option<String> {
    let fits = |item: &String| !item.contains(['\n', '#']) && !item.ends_with('\\');
    let escaped = || items.iter().map(|item| item.replace(',', r"\,"));
    let is_json = items.first().is_some_and(|item| item.starts_with('['));
    (!is_json && items.iter().all(fits)).then(|| escaped().collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn items_come_back_from_json_lines_and_commas(
            items in proptest::collection::vec(r"[a-z/:.\\,é-][a-z0-9 /:.#\\,é-]{0,8}[a-z0-9/:.,é-]", 0..8),
            before in "[ \t]{0,2}",
            comment in "[ -~]{0,8}",
        ) {
            prop_assert_eq!(list(&serde_json::to_string(&items).unwrap()), Some(items.clone()));
            let plain: Vec<String> = items.into_iter().filter(|item| !item.contains(" #")).collect();
            let escaped: Vec<String> = plain.iter().map(|item| item.replace(',', r"\,")).collect();
            prop_assert_eq!(list(&escaped.join(&format!("{before},"))), Some(plain.clone()));
            prop_assert_eq!(list(&escaped.join(&format!("{before}\r\n\n"))), Some(plain.clone()));
            prop_assert_eq!(list(&escaped.join(&format!(" # {comment}\n"))), Some(plain));
        }

        #[test]
        fn a_number_in_json_is_the_text_that_was_written(number in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?(e[0-9]{1,2})?") {
            prop_assert_eq!(list(&format!("[{number}, true]")), Some(vec![number.clone(), "true".to_owned()]));
            prop_assert_eq!(map(&format!("{{\"a\":{number}}}")).unwrap().remove("a"), Some(number));
        }
    }
}
