//! What an image's config says that a pull depends on, see
//! <https://github.com/opencontainers/image-spec/blob/main/config.md>.

use serde_json::value::RawValue;

use super::platform::Platform;
use super::refusal::{self, Refusal};
use super::wire::{WireConfig, WireHistory, WirePlatform};

/// An image's config, as far as a pull depends on it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// How many diff ids it lists: one for each layer.
    pub diff_ids: usize,
    /// The clients that refuse it.
    pub refusals: Vec<Refusal>,
}

/// Reads an image's config.
pub(crate) fn read(bytes: &[u8]) -> Config {
    let mut refusals = refusal::of_config(bytes);
    let wire = serde_json::from_slice::<WireConfig<'_>>(bytes).unwrap_or_default();
    let diff_ids = wire.root_fs.map_or(0, |root_fs| root_fs.diff_ids.listed);
    let is_layer = |raw: &&&RawValue| {
        let entry = serde_json::from_str::<WireHistory>(raw.get());
        entry.is_ok_and(|entry| !entry.empty_layer.unwrap_or_default())
    };
    let in_history = wire.history.entries.iter().filter(is_layer).count();
    refusals.extend(refusal::of_history(in_history, diff_ids));
    Config { diff_ids, refusals }
}

/// The platform that a config states, if it states one; whatever else is wrong with it.
#[must_use]
pub(crate) fn platform(bytes: &[u8]) -> Option<Platform> {
    let wire: WirePlatform<'_> = serde_json::from_slice(bytes).ok()?;
    wire.read()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_states_its_platform_when_it_is_one() {
        let platform = |text: &str| platform(text.as_bytes()).map(|platform| platform.to_string());
        assert_eq!(
            platform(r#"{"os":"linux","architecture":"arm64","rootfs":{}}"#).unwrap(),
            "linux/arm64"
        );
        for other in ["{}", "", "[]", r#"{"os":"linux"}"#] {
            assert_eq!(platform(other), None, "{other}");
        }
    }

    #[test]
    fn diff_ids_are_counted() {
        for (text, expected) in [
            (r#"{"rootfs":{"type":"layers","diff_ids":["a","b"]}}"#, 2),
            (r#"{"RootFS":{"diff_ids":["a"]},"os":"linux"}"#, 1),
            (r#"{"rootfs":{"diff_ids":null}}"#, 0),
            (r#"{"rootfs":null}"#, 0),
            ("{}", 0),
        ] {
            let config = read(text.as_bytes());
            assert_eq!(
                (config.diff_ids, config.refusals.len()),
                (expected, 0),
                "{text}"
            );
        }
        for wrong in [
            "",
            "[]",
            "x",
            r#"{"rootfs":[]}"#,
            r#"{"created":"then"}"#,
            "{} x",
        ] {
            assert!(!read(wrong.as_bytes()).refusals.is_empty(), "{wrong}");
        }
    }

    #[test]
    fn history_may_be_shorter_than_the_layers_and_not_longer() {
        let refused = |history: &str| {
            let text = format!(r#"{{"rootfs":{{"diff_ids":["a"]}},"history":{history}}}"#);
            read(text.as_bytes()).refusals.len()
        };
        assert_eq!(refused("[]"), 0);
        assert_eq!(refused(r#"[{"empty_layer":true},{}]"#), 0);
        assert_eq!(refused("[{},{}]"), 1);
    }
}
