//! What a setting's value looks like, and its description.

use std::time::Duration;

/// What a setting's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// `true`, `false` and their synonyms.
    Boolean,
    /// `true`, `false`, or a list of `host[:port]`.
    Hosts,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Some of these words, as a list.
    WordList(&'static [&'static str]),
    /// A whole number within a range.
    Number {
        /// The smallest that is accepted.
        least: u32,
        /// The largest that is accepted.
        most: u32,
    },
    /// `30`, `500ms`, `30s`, `5m`, `1h30m`, `7d`.
    Duration {
        /// The shortest that is accepted.
        least: Duration,
    },
    /// A duration, or `never`.
    Interval,
    /// Anything on one line.
    Text,
    /// A text that is never shown.
    Secret,
    /// A web address.
    Url,
    /// `sha256:…` or `sha512:…`.
    Digest,
    /// A file's path.
    Path,
    /// A file's path, or the JSON itself.
    PathOrJson,
    /// A file's path, or the PEM text itself.
    PathOrPem,
    /// A file's path, or the YAML itself.
    PathOrYaml,
    /// `50%`.
    Percentage,
    /// A file's path, or JSON that holds secrets.
    Credentials,
    /// A JSON or YAML list of logins.
    Logins,
    /// A list of texts.
    List,
    /// A list of `host:port:address[,address]`.
    Pins,
    /// A list of `os/arch[/variant]`.
    Platforms,
    /// The same, or `all`.
    PlatformsOrAll,
    /// Names with values that may be secret.
    Map,
}

impl ValueKind {
    /// The type in documents.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Boolean => "bool".into(),
            Self::Hosts => "bool or list of hosts".into(),
            Self::Words(words) => words.join(", "),
            Self::WordList(words) => format!("list of {}", words.join(", ")),
            Self::Number { least, most } => format!("number, {least} to {most}"),
            Self::Duration {
                least: Duration::ZERO,
            } => "duration".into(),
            Self::Duration { least } => format!("duration, at least {least:?}"),
            Self::Interval => "duration or never".into(),
            Self::Text => "text".into(),
            Self::Secret => "secret".into(),
            Self::Url => "URL".into(),
            Self::Digest => "digest".into(),
            Self::Path => "path".into(),
            Self::PathOrJson | Self::Credentials => "path or JSON".into(),
            Self::PathOrPem => "path or PEM".into(),
            Self::PathOrYaml => "path or YAML".into(),
            Self::Percentage => "percentage".into(),
            Self::Logins => "JSON or YAML list".into(),
            Self::List | Self::Pins => "list".into(),
            Self::Platforms => "list of platforms".into(),
            Self::PlatformsOrAll => "list of platforms, or all".into(),
            Self::Map => "map".into(),
        }
    }

    /// The type where a flag is listed: `[bool]` may stand alone, `<path>` needs a value.
    #[must_use]
    pub fn placeholder(self) -> String {
        match self {
            Self::Boolean => "[bool]".into(),
            Self::Hosts => "[bool or hosts]".into(),
            Self::Words(words) => format!("<{}>", words.join("|")),
            Self::WordList(words) => format!("<{},…>", words.join("|")),
            Self::Number { .. } => "<number>".into(),
            Self::Duration { .. } => "<duration>".into(),
            kind => format!("<{}>", kind.describe()),
        }
    }

    /// What is accepted, as error messages say it: "… is not" this.
    pub(super) fn expected(self) -> String {
        match self {
            Self::Boolean => "true or false".into(),
            Self::Hosts => "true, false, or a list of hosts as host or host:port".into(),
            Self::Words(words) => format!("one of {}", words.join(", ")),
            Self::WordList(words) => format!("a list of {}", words.join(", ")),
            Self::Number { least, most } => format!("a whole number from {least} to {most}"),
            Self::Duration { .. } => {
                "a duration (30 for seconds, 500ms, 30s, 5m, 1h30m, 14d; a year at most)".into()
            }
            Self::Interval => "a duration (30m, 24h, 7d; a year at most), or never".into(),
            Self::Text | Self::Secret => "a text".into(),
            Self::Url => "a URL such as https://ci.example.org".into(),
            Self::Digest => {
                "a digest (sha256: and 64 lower-case hex digits, or sha512: and 128)".into()
            }
            Self::Path => "a path".into(),
            Self::PathOrJson | Self::Credentials => "a path or JSON".into(),
            Self::PathOrPem => "a path or PEM text".into(),
            Self::PathOrYaml => "a path or YAML".into(),
            Self::Percentage => "a percentage from 0% to 100%".into(),
            Self::Logins => "a JSON or YAML list of {registry, username, password}".into(),
            Self::List => "a list: a JSON array, lines, or items separated by commas".into(),
            Self::Pins => "host:port:address[,address], with numeric addresses".into(),
            Self::Platforms => "a list of platforms".into(),
            Self::PlatformsOrAll => "a list of platforms, or all".into(),
            Self::Map => "a JSON object or a list of NAME=value".into(),
        }
    }

    /// Whether the value must not be shown in errors or logs.
    #[must_use]
    pub fn is_secret(self) -> bool {
        matches!(
            self,
            Self::Secret | Self::Credentials | Self::Logins | Self::Map
        )
    }

    /// Whether a flag that is repeated adds to what it had.
    pub(super) fn holds_several(self) -> bool {
        matches!(
            self,
            Self::List
                | Self::WordList(_)
                | Self::Pins
                | Self::Platforms
                | Self::PlatformsOrAll
                | Self::Hosts
                | Self::Map
        )
    }
}
