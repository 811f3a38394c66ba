//! What an image's config says that a pull depends on, see
//! <https://github.com/opencontainers/image-spec/blob/main/config.md>.

use std::borrow::Cow;
use std::time::SystemTime;

use oci_spec::image::Digest;
use serde_json::value::RawValue;

use super::date;
use super::digest;
use super::platform::Platform;
use super::refusal::{self, Refusal};
use super::wire::{WireConfig, WireCreated, WireHistory, WirePlatform};
use crate::text::lossy::lossy;

/// An image's config, as far as a pull depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// How many diff ids it lists: one for each layer.
    pub diff_ids: usize,
    /// The clients that refuse it.
    pub refusals: Vec<Refusal>,
}

/// All that a walk needs to know of a config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// [`platform`].
    pub platform: Option<Platform>,
    /// [`read`].
    pub config: Config,
    /// When the image was built, if it says so.
    pub created: Option<SystemTime>,
}

/// Reads a config for all that a walk needs of it.
pub(crate) fn facts(bytes: &[u8]) -> Facts {
    Facts {
        platform: platform(bytes),
        config: read(bytes),
        created: created(bytes),
    }
}

/// Reads an image's config; what is not UTF-8 in it is replaced, as clients do it.
pub(crate) fn read(bytes: &[u8]) -> Config {
    let text = lossy(bytes);
    let bytes = text.as_bytes();
    let mut refusals = refusal::of_config(bytes);
    let wire = serde_json::from_slice::<WireConfig<'_>>(bytes).unwrap_or_default();
    let is_layer = |raw: &&&RawValue| {
        let entry = serde_json::from_str::<WireHistory>(raw.get());
        entry.is_ok_and(|entry| !entry.empty_layer.unwrap_or_default())
    };
    let in_history = wire.history.entries.iter().filter(is_layer).count();
    let is_there = wire.root_fs.is_some();
    let listed = wire.root_fs.unwrap_or_default().diff_ids;
    let is_digest = |raw: &&RawValue| {
        let text = serde_json::from_str::<Cow<'_, str>>(raw.get()).unwrap_or_default();
        let digest = text.parse::<Digest>();
        digest.is_ok_and(|digest| digest::is_supported(&digest))
    };
    let are_digests = listed.entries.iter().all(is_digest);
    refusals.extend(refusal::of_root_fs(is_there, are_digests));
    refusals.extend(refusal::of_history(in_history, listed.listed));
    Config {
        diff_ids: listed.listed,
        refusals,
    }
}

/// The platform that a config states, if it states one; whatever else is wrong with it.
#[must_use]
pub(crate) fn platform(bytes: &[u8]) -> Option<Platform> {
    let text = lossy(bytes);
    let wire: WirePlatform<'_> = serde_json::from_str(&text).ok()?;
    wire.read()
}

/// When the image of a config was built, if the config says so and it can be true.
fn created(bytes: &[u8]) -> Option<SystemTime> {
    let text = lossy(bytes);
    let wire: WireCreated<'_> = serde_json::from_str(&text).ok()?;
    date::read(&wire.created?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::client::Clients;

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

    const DIGEST: &str = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

    fn refused(text: &str) -> (usize, String) {
        let config = read(text.as_bytes());
        let stops = config.refusals.iter().map(|one| one.stops);
        let stops = stops.fold(Clients::NONE, Clients::and);
        (config.diff_ids, stops.to_string())
    }

    #[test]
    fn diff_ids_are_counted_and_have_to_be_digests() {
        let root_fs = |diff_ids: &str| format!(r#"{{"RootFS":{{"diff_ids":{diff_ids}}}}}"#);
        let two = format!(r#"["{DIGEST}","{DIGEST}"]"#);
        for (text, count, stops) in [
            (root_fs(&two), 2, ""),
            (root_fs("null"), 0, ""),
            (root_fs(r#"["a"]"#), 1, "containerd and docker"),
            (root_fs(r#"["md5:00"]"#), 1, "containerd and docker"),
            (r#"{"rootfs":null}"#.into(), 0, "docker"),
            ("{}".into(), 0, "docker"),
        ] {
            assert_eq!(refused(&text), (count, stops.into()), "{text}");
        }
        for wrong in [
            "",
            "[]",
            "x",
            r#"{"rootfs":[]}"#,
            r#"{"created":"then"}"#,
            "{} x",
        ] {
            assert_eq!(refused(wrong).1, "containerd, docker and podman", "{wrong}");
        }
    }

    #[test]
    fn what_is_not_utf_8_is_replaced() {
        let text = [
            br#"{"os":"linux","architecture":""#,
            &[0xff][..],
            br#"","rootfs":{}}"#,
        ];
        let bytes = text.concat();
        assert_eq!(read(&bytes).refusals, []);
        assert_eq!(platform(&bytes).unwrap().to_string(), "linux/\u{fffd}");
    }

    #[test]
    fn history_may_be_shorter_than_the_layers_and_not_longer() {
        let stops = |history: &str| {
            let root_fs = format!(r#"{{"diff_ids":["{DIGEST}"]}}"#);
            refused(&format!(r#"{{"rootfs":{root_fs},"history":{history}}}"#)).1
        };
        assert_eq!(stops("[]"), "");
        assert_eq!(stops(r#"[{"empty_layer":true},{}]"#), "");
        assert_eq!(stops("[{},{}]"), "docker");
    }
}
