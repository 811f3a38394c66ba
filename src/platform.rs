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
    /// `unknown/unknown`: what `BuildKit` writes for a child that is no image, such as an attestation.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        &*self.os == "unknown" && &*self.architecture == "unknown"
    }

    /// Whether an image for `self` satisfies a wish for `wanted`: a wish without a variant takes any.
    ///
    /// `arm64` and `arm64/v8` are the same, as in containerd.
    #[must_use]
    pub fn satisfies(&self, wanted: &Self) -> bool {
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_none() || self.normal_variant() == wanted.normal_variant())
    }

    fn normal_variant(&self) -> Option<&str> {
        match (&*self.architecture, self.variant.as_deref()) {
            ("arm64", Some("v8")) => None,
            (_, variant) => variant,
        }
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
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let parts: Vec<&str> = text.split('/').collect();
        if !(2..=3).contains(&parts.len()) || !parts.iter().all(|part| valid(part)) {
            return Err(InvalidPlatform);
        }
        let lower = |part: &str| part.to_ascii_lowercase().into_boxed_str();
        Ok(Self { os: lower(parts[0]), architecture: lower(parts[1]), variant: parts.get(2).map(|part| lower(part)) })
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
        for text in ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux amd64", "linux/am d64"] {
            assert_eq!(text.parse::<Platform>(), Err(InvalidPlatform), "{text:?}");
        }
    }

    #[test]
    fn a_wish_without_variant_takes_any_and_arm64_is_v8() {
        assert!(platform("linux/arm/v7").satisfies(&platform("linux/arm")));
        assert!(!platform("linux/arm/v6").satisfies(&platform("linux/arm/v7")));
        assert!(!platform("linux/arm").satisfies(&platform("linux/arm/v7")));
        assert!(platform("linux/arm64").satisfies(&platform("linux/arm64/v8")));
        assert!(platform("linux/arm64/v8").satisfies(&platform("linux/arm64")));
        assert!(!platform("linux/amd64").satisfies(&platform("linux/arm64")));
        assert!(!platform("windows/amd64").satisfies(&platform("linux/amd64")));
    }
}
