//! `os/arch[/variant]`, as indexes state it and people write it.

use std::fmt;
use std::str::FromStr;

/// A platform of an image index, see <https://github.com/opencontainers/image-spec/blob/main/image-index.md>.
///
/// Lenient: whatever an index states is kept, so that it can be reported.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Platform {
    /// The operating system as Go names it: `linux`, `windows`.
    pub os: Box<str>,
    /// The processor architecture as Go names it: `amd64`, `arm64`.
    pub architecture: Box<str>,
    /// The processor's variant: `v7`.
    pub variant: Option<Box<str>>,
}

impl Platform {
    /// `unknown/unknown`: what `BuildKit` writes for a child that is no image, such as an
    /// attestation.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        &*self.os == "unknown" && &*self.architecture == "unknown"
    }

    /// Whether an image for `self` satisfies `wanted`, which without a variant accepts any.
    ///
    /// Both are compared by their usual names: `arm64` and `aarch64/v8` are the same, as in
    /// containerd.
    #[must_use]
    pub fn satisfies(&self, wanted: &Self) -> bool {
        let (os, architecture, variant) = self.usual();
        let (wanted_os, wanted_architecture, wanted_variant) = wanted.usual();
        let takes_any = wanted.variant.is_none() && wanted_variant.is_none();
        os == wanted_os
            && architecture == wanted_architecture
            && (takes_any || variant == wanted_variant)
    }

    /// Operating system, architecture and variant by the names that containerd gives them, see
    /// <https://github.com/containerd/platforms/blob/main/database.go>; but `arm` alone stays
    /// without a variant.
    fn usual(&self) -> (&str, &str, Option<&str>) {
        let os = match &*self.os {
            "macos" => "darwin",
            os => os,
        };
        let (architecture, variant) = match (&*self.architecture, self.variant.as_deref()) {
            ("i386", _) => ("386", None),
            ("x86_64" | "x86-64" | "amd64", None | Some("v1")) => ("amd64", None),
            ("x86_64" | "x86-64", variant) => ("amd64", variant),
            ("aarch64" | "arm64", None | Some("8" | "v8")) => ("arm64", None),
            ("aarch64", variant) => ("arm64", variant),
            ("armhf", _) | ("arm", Some("7")) => ("arm", Some("v7")),
            ("armel", _) | ("arm", Some("6")) => ("arm", Some("v6")),
            ("arm", Some("5")) => ("arm", Some("v5")),
            ("arm", Some("8")) => ("arm", Some("v8")),
            as_it_is => as_it_is,
        };
        (os, architecture, variant)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// A text that is not `os/arch[/variant]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not os/arch or os/arch/variant")]
pub struct InvalidPlatform;

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        let valid = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let parts: Vec<&str> = text.split('/').collect();
        if !(2..=3).contains(&parts.len()) || !parts.iter().all(|part| valid(part)) {
            return Err(InvalidPlatform);
        }
        let lower = |part: &str| part.to_ascii_lowercase().into_boxed_str();
        Ok(Self {
            os: lower(parts[0]),
            architecture: lower(parts[1]),
            variant: parts.get(2).map(|part| lower(part)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn two_or_three_parts_are_a_platform() {
        for text in ["linux/amd64", "linux/arm/v7", "windows/amd64"] {
            assert_eq!(platform(text).to_string(), text);
        }
        for text in [
            "",
            "linux",
            "linux/",
            "/amd64",
            "linux/arm/v7/x",
            "linux amd64",
            "linux/am d64",
        ] {
            assert_eq!(text.parse::<Platform>(), Err(InvalidPlatform), "{text:?}");
        }
    }

    #[test]
    fn a_platform_without_variant_accepts_any_and_arm64_is_v8() {
        assert!(platform("linux/arm/v7").satisfies(&platform("linux/arm")));
        assert!(!platform("linux/arm/v6").satisfies(&platform("linux/arm/v7")));
        assert!(!platform("linux/arm").satisfies(&platform("linux/arm/v7")));
        assert!(platform("linux/arm64").satisfies(&platform("linux/arm64/v8")));
        assert!(platform("linux/arm64/v8").satisfies(&platform("linux/arm64")));
        assert!(!platform("linux/amd64").satisfies(&platform("linux/arm64")));
        assert!(!platform("windows/amd64").satisfies(&platform("linux/amd64")));
    }
    #[test]
    fn a_platform_is_known_by_all_its_names() {
        for (stated, wanted) in [
            ("darwin/arm64", "macos/aarch64"),
            ("linux/386", "linux/i386"),
            ("linux/amd64", "linux/x86_64"),
            ("linux/x86-64", "linux/amd64"),
            ("linux/amd64", "linux/amd64/v1"),
            ("linux/x86_64/v1", "linux/amd64"),
            ("linux/x86_64/v3", "linux/amd64/v3"),
            ("linux/arm64/v8", "linux/aarch64"),
            ("linux/arm64", "linux/arm64/8"),
            ("linux/arm64/8", "linux/arm64/v8"),
            ("linux/arm/v7", "linux/armhf"),
            ("linux/armhf", "linux/arm/7"),
            ("linux/arm/v6", "linux/armel"),
            ("linux/arm/6", "linux/arm/v6"),
            ("linux/arm/v5", "linux/arm/5"),
            ("linux/arm/v8", "linux/arm/8"),
            ("linux/armel", "linux/arm"),
        ] {
            assert!(
                platform(stated).satisfies(&platform(wanted)),
                "{stated} {wanted}"
            );
            assert_eq!(
                platform(wanted).to_string(),
                wanted,
                "it is shown as it was written"
            );
        }
        for (stated, wanted) in [
            ("linux/arm/v6", "linux/armhf"),
            ("linux/arm", "linux/armhf"),
            ("linux/arm/v7", "linux/armel"),
            ("linux/amd64/v2", "linux/amd64/v1"),
            ("linux/amd64", "linux/amd64/v2"),
            ("linux/arm64/v9", "linux/arm64/v8"),
            ("linux/amd64", "linux/amd46"),
            ("linux/amd64", "linux/i386"),
        ] {
            assert!(
                !platform(stated).satisfies(&platform(wanted)),
                "{stated} {wanted}"
            );
        }
    }
}
