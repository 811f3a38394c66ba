//! One setting's text, and its meaning by the kind that the table gives it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use oci_spec::image::Digest;
use url::Url;

use super::kind::ValueKind;
use super::table::{self, Setting};
use super::{Error, parse};
use crate::http::network::{Hosts, Pin};
use crate::oci::platform::Platform;
use crate::text::quote::quoted;

/// One setting's text, as it was typed or by default.
#[derive(Clone, Copy)]
pub(super) struct SettingText<'a> {
    /// Which setting.
    pub(super) setting: &'static Setting,
    /// How the user spelled its name.
    pub(super) spelled: &'a str,
    /// The text, trimmed and not empty.
    pub(super) text: &'a str,
    /// Whether the user gave it.
    pub(super) is_given: bool,
}

impl<'a> SettingText<'a> {
    /// The default of a setting of the table.
    pub(super) fn default_of(name: &'static str, default: &'static str) -> Self {
        Self {
            setting: table::find(name).expect("the name is from the table"),
            spelled: name,
            text: default,
            is_given: false,
        }
    }

    /// Itself, if the user gave it.
    pub(super) fn if_given(self) -> Option<Self> {
        self.is_given.then_some(self)
    }

    /// A boolean.
    pub(super) fn boolean(&self) -> Result<bool, Error> {
        self.read(parse::boolean)
    }

    /// One of the words of the table, in any case.
    pub(super) fn word(&self) -> Result<&'static str, Error> {
        let ValueKind::Words(words) = self.setting.kind else {
            unreachable!("the table says that {} is a word", self.setting.name)
        };
        self.read(|text| {
            let is_it = |word: &&&'static str| word.eq_ignore_ascii_case(text);
            words.iter().find(is_it).copied()
        })
    }

    /// Some of the words of the table, in any case; an item that is none is named.
    pub(super) fn words(&self) -> Result<Vec<&'static str>, Error> {
        let ValueKind::WordList(words) = self.setting.kind else {
            unreachable!("the table says that {} is words", self.setting.name)
        };
        let word = |item: &String| {
            let is_it = |word: &&&'static str| word.eq_ignore_ascii_case(item);
            words.iter().find(is_it).copied().ok_or_else(|| {
                let all = words.join(", ");
                self.error(format!("{} is not one of {all}", quoted(item)))
            })
        };
        self.list()?.iter().map(word).collect()
    }

    /// A whole number within the range of the table.
    pub(super) fn number(&self) -> Result<u32, Error> {
        let ValueKind::Number { least, most } = self.setting.kind else {
            unreachable!("the table says that {} is a number", self.setting.name)
        };
        self.read(|text| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse()
                .ok()
                .filter(|number| is_plain && (least..=most).contains(number))
        })
    }

    /// A duration that is as long as the table asks for.
    pub(super) fn duration(&self) -> Result<Duration, Error> {
        let ValueKind::Duration { least } = self.setting.kind else {
            unreachable!("the table says that {} is a duration", self.setting.name)
        };
        let duration = self.read(parse::duration)?;
        if duration < least {
            return Err(self.error(format!(
                "{} is too short: at least {least:?}",
                quoted(self.text)
            )));
        }
        Ok(duration)
    }

    /// A duration; none for `never`.
    pub(super) fn interval(&self) -> Result<Option<Duration>, Error> {
        self.read(|text| {
            let is_never = text.eq_ignore_ascii_case("never");
            if is_never {
                Some(None)
            } else {
                parse::duration(text).map(Some)
            }
        })
    }

    /// A percentage, with or without its sign.
    pub(super) fn percentage(&self) -> Result<u8, Error> {
        self.read(|text| {
            let number = text.strip_suffix('%').unwrap_or(text).trim_end();
            let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
            number
                .parse()
                .ok()
                .filter(|number| is_plain && *number <= 100)
        })
    }

    /// A boolean for all hosts, or some hosts.
    pub(super) fn hosts(&self) -> Result<Hosts, Error> {
        self.read(parse::hosts)
    }

    /// A digest.
    pub(super) fn digest(&self) -> Result<Digest, Error> {
        self.read(parse::digest)
    }

    /// A path.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(self.text)
    }

    /// A server's address: http or https, perhaps with a path, nothing else; a login is `in_place`.
    pub(super) fn url(&self, in_place: &str) -> Result<Url, Error> {
        // The text is not shown: it may hold a password.
        let no_url = "the value is not a URL such as https://ci.example.org";
        let url: Url =
            (self.text.parse()).map_err(|error| self.error(format!("{no_url}: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(self.error(no_url));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let why = "the URL must not hold a user or password";
            return Err(self.error(format!("{why}; use {in_place}")));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(self.error("the URL must end after its path"));
        }
        Ok(url)
    }

    /// A list.
    pub(super) fn list(&self) -> Result<Vec<String>, Error> {
        self.read(parse::list)
    }

    /// Names with values.
    pub(super) fn map(&self) -> Result<BTreeMap<String, String>, Error> {
        self.read(parse::map)
    }

    /// Addresses for hosts.
    pub(super) fn pins(&self) -> Result<Vec<Pin>, Error> {
        parse::pins(self.text).map_err(|entry| {
            let expected = self.setting.kind.expected();
            self.error(format!("{} is not {expected}", quoted(&entry)))
        })
    }

    /// Platforms, each once.
    pub(super) fn platforms(&self) -> Result<Vec<Platform>, Error> {
        self.platforms_of(self.list()?)
    }

    /// Platforms, each once; `None` for `all`.
    pub(super) fn platforms_or_all(&self) -> Result<Option<Vec<Platform>>, Error> {
        let items = self.list()?;
        if items.iter().any(|item| item.eq_ignore_ascii_case("all")) {
            return Ok(None);
        }
        self.platforms_of(items).map(Some)
    }

    fn platforms_of(&self, items: Vec<String>) -> Result<Vec<Platform>, Error> {
        let mut platforms = Vec::new();
        for item in items {
            let platform: Platform = item.parse().map_err(|error| {
                self.error(format!("{} is {error}", quoted(&item)))
                    .with_hint("a platform looks like linux/amd64 or linux/arm/v7")
            })?;
            if !platforms.contains(&platform) {
                platforms.push(platform);
            }
        }
        Ok(platforms)
    }

    /// The meaning of the text, else an error that says what is expected.
    pub(super) fn read<T>(&self, parse: impl FnOnce(&'a str) -> Option<T>) -> Result<T, Error> {
        parse(self.text).ok_or_else(|| self.refuse())
    }

    /// The error for a text that is not of the setting's kind.
    pub(super) fn refuse(&self) -> Error {
        self.not(&self.setting.kind.expected())
    }

    /// The error for a text that is not `expected`; it shows what came unless that may be secret.
    pub(super) fn not(&self, expected: &str) -> Error {
        if self.setting.kind.is_secret() {
            self.error(format!("the value is not {expected}"))
        } else {
            self.error(format!("{} is not {expected}", quoted(self.text)))
        }
    }

    /// An error about this setting.
    pub(super) fn error(&self, message: impl Display) -> Error {
        Error::new(format!("{}: {message}", self.spelled))
    }
}

/// The items of a setting with several; empty when it was not given.
pub(super) fn or_empty<'a, T: Default>(
    text: Option<SettingText<'a>>,
    read: impl FnOnce(&SettingText<'a>) -> Result<T, Error>,
) -> Result<T, Error> {
    text.map_or_else(|| Ok(T::default()), |text| read(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &'static str, text: &'static str) -> SettingText<'static> {
        SettingText::default_of(name, text)
    }

    #[test]
    fn an_error_shows_what_came_unless_it_is_secret() {
        let duration = "a duration (30 for seconds, 500ms, 30s, 5m, 1h30m, 14d; a year at most)";
        assert_eq!(
            value("timeout", "soon").duration().unwrap_err().to_string(),
            format!("timeout: \"soon\" is not {duration}")
        );
        assert_eq!(
            value("logins", "hunter2").refuse().to_string(),
            "logins: the value is not a JSON or YAML list of {registry, username, password}"
        );
        let endless: &str = "é".repeat(1000).leak();
        assert!(
            value("timeout", endless)
                .refuse()
                .to_string()
                .chars()
                .count()
                < 200
        );
        assert!(
            !value("timeout", "a\u{1b}[31m\nb")
                .refuse()
                .to_string()
                .contains(['\u{1b}', '\n'])
        );
    }

    #[test]
    fn words_and_ranges_come_from_the_table() {
        assert_eq!(value("depth", "FULL").word(), Ok("full"));
        assert_eq!(
            value("depth", "deep").word().unwrap_err().to_string(),
            "depth: \"deep\" is not one of head, tail, full, manifests"
        );
        assert_eq!(value("concurrency", "256").number(), Ok(256));
        assert_eq!(
            value("concurrency", "257")
                .number()
                .unwrap_err()
                .to_string(),
            "concurrency: \"257\" is not a whole number from 1 to 256"
        );
        assert_eq!(
            value("poll_interval", "99ms")
                .duration()
                .unwrap_err()
                .to_string(),
            "poll_interval: \"99ms\" is too short: at least 100ms"
        );
    }
}
