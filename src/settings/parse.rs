//! Texts that people type, read strictly: what is not clearly meant is nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use oci_spec::image::{Digest, DigestAlgorithm};

use super::{Hosts, Pin};

/// `true`, `1`, `yes`, `on` and their opposites, in any case.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// The longest time that is accepted: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// `30` (seconds), or numbers with the units `h`, `m`, `s`, `ms`, from the longest to the shortest; a year at most.
pub(super) fn duration(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().ok()?)).filter(|time| *time <= LONGEST);
    }
    let mut units = [("h", 3_600_000_u64), ("m", 60_000), ("s", 1_000), ("ms", 1)].into_iter();
    let mut milliseconds: u64 = 0;
    let mut rest = text;
    loop {
        let digits = rest.len() - rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        milliseconds = milliseconds.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        if tail.is_empty() {
            return Some(Duration::from_millis(milliseconds)).filter(|time| *time <= LONGEST);
        }
        rest = tail;
    }
}

/// A list: a JSON array, or lines with `#` comments and commas, `\,` for a literal comma; empty items are dropped.
pub(crate) fn list(text: &str) -> Option<Vec<String>> {
    if text.starts_with('[') {
        match serde_json::from_str::<Vec<serde_json::Value>>(text) {
            Ok(items) => {
                let items: Option<Vec<_>> = items.iter().filter(|item| !item.is_null()).map(scalar).collect();
                return items.as_deref().map(dropping_empty);
            }
            Err(_) if !starts_with_ipv6(text) => return None,
            Err(_) => {}
        }
    }
    Some(dropping_empty(&lines(text).flat_map(|line| split(line, ',')).collect::<Vec<_>>()))
}

/// A text, number or boolean of JSON as text.
fn scalar(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(claim) => Some(claim.to_string()),
        _ => None,
    }
}

fn dropping_empty(items: &[String]) -> Vec<String> {
    items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// Whether the text is `[address]…` rather than a broken JSON array.
fn starts_with_ipv6(text: &str) -> bool {
    text.strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .is_some_and(|(address, _)| address.parse::<Ipv6Addr>().is_ok())
}

/// The lines without their comments: `#` at the start or after a blank.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| {
        let comment = line
            .char_indices()
            .find(|&(at, letter)| letter == '#' && line[..at].chars().next_back().is_none_or(char::is_whitespace));
        comment.map_or(line, |(at, _)| &line[..at])
    })
}

/// The pieces between separators, where a backslash takes a separator literally.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let last = pieces.last_mut().expect("there is a piece from the start");
        if letter == '\\' && letters.peek() == Some(&separator) {
            last.push(separator);
            letters.next();
        } else if letter == separator {
            pieces.push(String::new());
        } else {
            last.push(letter);
        }
    }
    pieces
}

/// A map: a JSON object, or `NAME=value` entries, one per line or separated by commas on one line.
pub(super) fn map(text: &str) -> Option<BTreeMap<String, String>> {
    if text.starts_with('{') {
        let object: BTreeMap<String, serde_json::Value> = serde_json::from_str(text).ok()?;
        return object
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| Some((name, scalar(&value)?)))
            .filter(|entry| !matches!(entry, Some((name, _)) if name.is_empty()))
            .collect();
    }
    let entries = if text.starts_with('[') {
        list(text)?
    } else if text.contains('\n') {
        dropping_empty(&lines(text).map(str::to_owned).collect::<Vec<_>>())
    } else {
        dropping_empty(&split(text, ','))
    };
    entries
        .iter()
        .map(|entry| {
            let (name, value) = entry.split_once('=')?;
            (!name.trim().is_empty()).then(|| (name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// A boolean, or a list of `host` or `host:port`.
pub(super) fn hosts(text: &str) -> Option<Hosts> {
    match boolean(text) {
        Some(true) => return Some(Hosts::All),
        Some(false) => return Some(Hosts::None),
        None => {}
    }
    let hosts: Vec<String> = list(text)?.iter().map(|host| host.to_ascii_lowercase()).collect();
    let valid = |host: &String| {
        boolean(host).is_none() && !host.contains(['/', '@', '*']) && !host.contains(char::is_whitespace)
    };
    match hosts.as_slice() {
        [] => Some(Hosts::None),
        _ if hosts.iter().all(valid) => Some(Hosts::Only(hosts)),
        _ => None,
    }
}

/// Pins as curl's `--resolve` writes them: `[+]host:port:address[,address]…`; `Err` is the entry that is not one.
pub(super) fn pins(text: &str) -> Result<Vec<Pin>, String> {
    let mut pins: Vec<Pin> = Vec::new();
    for item in list(text).ok_or_else(|| text.to_owned())? {
        // The commas between addresses have separated them from their pin.
        match (address(&item), pins.last_mut()) {
            (Some(address), Some(pin)) => pin.addresses.push(address),
            _ => pins.push(pin(&item).ok_or(item)?),
        }
    }
    Ok(pins)
}

fn pin(text: &str) -> Option<Pin> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (host, rest) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:").filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok())?,
        None => text.split_once(':')?,
    };
    let (port, addresses) = rest.split_once(':')?;
    let valid = |host: &str| !host.is_empty() && !host.contains(['*', '/', '@']) && !host.contains(char::is_whitespace);
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    let addresses: Vec<IpAddr> = addresses.split(',').map(address).collect::<Option<_>>()?;
    valid(host).then(|| Pin { host: host.to_ascii_lowercase(), port, addresses })
}

/// An address, IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok()
}

/// A digest that can be checked: sha256 or sha512.
pub(crate) fn digest(text: &str) -> Option<Digest> {
    let digest: Digest = text.parse().ok()?;
    matches!(digest.algorithm(), DigestAlgorithm::Sha256 | DigestAlgorithm::Sha512).then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_words_in_any_case() {
        for text in ["true", "TRUE", "1", "yes", "On"] {
            assert_eq!(boolean(text), Some(true), "{text}");
        }
        for text in ["false", "False", "0", "no", "OFF"] {
            assert_eq!(boolean(text), Some(false), "{text}");
        }
        for text in ["", "t", "2", "ja", "truee", "yes "] {
            assert_eq!(boolean(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_seconds_or_numbers_with_units() {
        for (text, milliseconds) in [
            ("0", 0),
            ("30", 30_000),
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1h1m1s1ms", 3_661_001),
            ("90m", 5_400_000),
            ("8760h", 31_536_000_000),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in [
            "",
            "s",
            "-1",
            "-1s",
            "+1s",
            "1.5s",
            "1d",
            "1 m",
            "30S",
            "1m1h",
            "1m1m",
            "1s5",
            "5ms1s",
            "ten",
            "8761h",
            "31536001",
            "18446744073709551616",
            "18446744073709551615h",
            "9999999999999999999999s",
            "１s",
            "1s ",
        ] {
            assert_eq!(duration(text), None, "{text:?} was taken");
        }
    }

    #[test]
    fn a_list_is_json_lines_or_commas() {
        let items: &[&str] = &["a", "b"];
        for text in [
            "a,b",
            " a , b ",
            "a,,b,",
            "a\nb",
            "a\r\nb\r\n",
            "# first\na # the one\n\nb",
            "a,\nb",
            r#"["a","b"]"#,
            r#"["a",null," b ",""]"#,
        ] {
            assert_eq!(list(text).unwrap(), items, "{text:?}");
        }
        assert_eq!(list(r"a\,b,c\d").unwrap(), ["a,b", r"c\d"]);
        assert_eq!(list(r#"[1, 2.5, true, "x,y"]"#).unwrap(), ["1", "2.5", "true", "x,y"]);
        assert_eq!(list("a#b").unwrap(), ["a#b"]);
        assert_eq!(list("[::1]:5000/app:1,[::2]/b").unwrap(), ["[::1]:5000/app:1", "[::2]/b"]);
        assert!(list("").unwrap().is_empty());
        assert!(list("[]").unwrap().is_empty());
        assert!(list(" , ,\n# nothing").unwrap().is_empty());
    }

    #[test]
    fn a_broken_json_list_is_not_taken_as_text() {
        for text in [r#"["a""#, "[a, b]", r#"[["a"]]"#, r#"[{"a":1}]"#, "[", "[]x"] {
            assert_eq!(list(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_map_is_json_or_entries() {
        let expected = BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "x=y".to_owned())]);
        for text in [
            r#"{"A":1,"B":"x=y"}"#,
            r#"{"A":"1","B":"x=y","C":null}"#,
            "A=1,B=x=y",
            "A=1\nB=x=y # why",
            r#"["A=1","B=x=y"]"#,
        ] {
            assert_eq!(map(text).unwrap(), expected, "{text:?}");
        }
        assert_eq!(map("A=1,2\nB=\\,").unwrap()["A"], "1,2");
        assert_eq!(map(r"A=1\,2").unwrap()["A"], "1,2");
        assert_eq!(map("A=").unwrap()["A"], "");
        assert!(map("").unwrap().is_empty());
        for text in ["A", "=1", "A=1,B", r#"{"A":{"B":1}}"#, r#"{"A":1"#, r#"[{"A":1}]"#] {
            assert_eq!(map(text), None, "{text:?}");
        }
    }

    #[test]
    fn hosts_are_all_none_or_some() {
        assert_eq!(hosts("yes"), Some(Hosts::All));
        assert_eq!(hosts("off"), Some(Hosts::None));
        assert_eq!(hosts("[]"), Some(Hosts::None));
        assert_eq!(
            hosts("Registry:5000, [::1]:80"),
            Some(Hosts::Only(vec!["registry:5000".into(), "[::1]:80".into()]))
        );
        for text in ["https://registry", "host/path", "true,host", "a b", "*.example.org", r#"["a""#] {
            assert_eq!(hosts(text), None, "{text:?}");
        }
    }

    #[test]
    fn pins_are_written_as_curl_writes_them() {
        let pin = |host: &str, port, addresses: &[&str]| Pin {
            host: host.into(),
            port,
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        };
        assert_eq!(pins("Registry.test:443:127.0.0.1").unwrap(), [pin("registry.test", 443, &["127.0.0.1"])]);
        assert_eq!(pins("+a:80:[::1]").unwrap(), [pin("a", 80, &["::1"])]);
        assert_eq!(pins("a:80:::1").unwrap(), [pin("a", 80, &["::1"])]);
        assert_eq!(
            pins("a:80:127.0.0.1,[::1],b:81:10.0.0.1, 10.0.0.2").unwrap(),
            [pin("a", 80, &["127.0.0.1", "::1"]), pin("b", 81, &["10.0.0.1", "10.0.0.2"])]
        );
        assert_eq!(pins(r#"["a:80:127.0.0.1,10.0.0.1"]"#).unwrap(), [pin("a", 80, &["127.0.0.1", "10.0.0.1"])]);
        assert_eq!(pins("[::1]:443:127.0.0.1").unwrap(), [pin("::1", 443, &["127.0.0.1"])]);
    }

    #[test]
    fn what_is_not_a_pin_is_named() {
        for text in [
            "a",
            "a:80",
            "a:80:",
            "a:80:b",
            ":80:1.1.1.1",
            "a:0:1.1.1.1",
            "a:99999:1.1.1.1",
            "*:80:1.1.1.1",
            "-a:80",
            "1.1.1.1",
            "a:80:[::1",
        ] {
            assert_eq!(pins(text), Err(text.to_owned()));
        }
        assert_eq!(pins("a:80:1.1.1.1,b"), Err("b".to_owned()));
    }

    #[test]
    fn only_digests_that_can_be_checked_are_taken() {
        assert!(digest(&format!("sha256:{}", "a".repeat(64))).is_some());
        assert!(digest(&format!("sha512:{}", "a".repeat(128))).is_some());
        for text in [
            "",
            "sha256:",
            "sha256:abc",
            &"a".repeat(64),
            &format!("sha256:{}", "A".repeat(64)),
            "md5:abc",
            &format!("sha384:{}", "a".repeat(96)),
        ] {
            assert_eq!(digest(text), None, "{text}");
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic() {
        // A small generator is enough: what matters are quotes, brackets, separators and letters of several bytes.
        const PIECES: [&str; 20] = [
            "[", "]", "{", "}", "\"", ",", "\\", "\n", "#", "=", ":", "1", "h", "ms", "é", "💥", " ", "::1", "+", "\0",
        ];
        let mut seed = 7_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..8 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(PIECES[usize::try_from(seed >> 33).unwrap() % PIECES.len()]);
                let _ = (
                    boolean(&text),
                    duration(&text),
                    list(&text),
                    map(&text),
                    hosts(&text),
                    pins(&text),
                    digest(&text),
                );
            }
        }
    }
}
