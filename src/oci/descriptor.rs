//! A reference to content, see <https://github.com/opencontainers/image-spec/blob/main/descriptor.md>.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oci_spec::image::Digest;
use serde_json::value::RawValue;

use super::digest;
use super::flaw::{Expected, Flaw};
use super::kind::Kind;
use super::platform::Platform;
use super::wire::{WireDescriptor, WirePlatform};

/// What a descriptor promises of the content it names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Promise {
    /// What the content hashes to.
    pub digest: Digest,
    /// How long it is, in bytes.
    pub size: u64,
}

/// One reference of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Child {
    /// A descriptor that can be followed.
    Readable(Box<Descriptor>),
    /// One that cannot; its siblings are not affected.
    Unreadable(Box<Unreadable>),
}

/// A descriptor that can be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// What is promised.
    pub promise: Promise,
    /// What it is for.
    pub kind: Kind,
    /// `mediaType`; empty when it is not stated.
    pub media_type: String,
    /// `platform` of an index's child.
    pub platform: Option<Platform>,
    /// `data`: the content itself.
    pub inline: Option<Vec<u8>>,
    /// Whether the content is elsewhere: `urls`.
    pub foreign: bool,
}

/// A descriptor that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The digest as it was written, perhaps empty.
    pub written: String,
    /// What it should have been.
    pub kind: Kind,
    /// The platform, when it is stated.
    pub platform: Option<Platform>,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// Says what a child is for, by its media type and whether it is marked as an attestation.
pub(super) type KindOf = fn(&str, bool) -> Kind;

/// Reads one descriptor; a fault in it affects this child alone.
pub(super) fn read(raw: &RawValue, kind_of: KindOf) -> Child {
    let wire: WireDescriptor<'_> = match serde_json::from_str(raw.get()) {
        Ok(wire) => wire,
        Err(error) => {
            let expected = Expected::Descriptor;
            let error = error.to_string().into();
            return Child::Unreadable(Box::new(Unreadable {
                written: String::new(),
                kind: kind_of("", false),
                platform: None,
                flaw: Flaw::NotReadable { expected, error },
            }));
        }
    };
    let media_type = wire.media_type.clone().unwrap_or_default();
    let platform = wire.platform.clone().and_then(WirePlatform::read);
    let attestation = platform.as_ref().is_some_and(Platform::is_unknown)
        || (wire.annotations.as_ref()).is_some_and(|annotations| annotations.attestation);
    let kind = kind_of(&media_type, attestation);
    match promise(&wire).and_then(|promise| Ok((promise, inline(&wire)?))) {
        Ok((promise, inline)) => Child::Readable(Box::new(Descriptor {
            promise,
            kind,
            media_type,
            platform,
            inline,
            // Whatever its type says: without an address of its own it can only come from the
            // registry.
            foreign: !kind.is_manifest() && wire.urls.is_some_and(|urls| urls.0),
        })),
        Err(flaw) => Child::Unreadable(Box::new(Unreadable {
            written: wire.digest.unwrap_or_default(),
            kind,
            platform,
            flaw,
        })),
    }
}

fn promise(wire: &WireDescriptor<'_>) -> Result<Promise, Flaw> {
    let written = wire.digest.as_deref().filter(|text| !text.is_empty());
    let digest: Digest = written
        .ok_or(Flaw::NoDigest)?
        .parse()
        .map_err(|_: oci_spec::OciSpecError| Flaw::BadDigest(why_no_digest(written).into()))?;
    if !digest::is_supported(&digest) {
        return Err(Flaw::UnknownAlgorithm(digest.as_ref().into()));
    }
    let size = wire.size.as_ref().ok_or(Flaw::NoSize)?;
    let size = size
        .as_u64()
        .ok_or_else(|| Flaw::BadSize(size.to_string().into()))?;
    Ok(Promise { digest, size })
}

/// Why a text is not a digest, without a part of it: the whole is shown beside it, and a part of a
/// secret would not be recognised.
fn why_no_digest(written: Option<&str>) -> &'static str {
    match written.and_then(|text| text.split_once(':')) {
        None => "the digest has no ':'",
        Some(("sha256", _)) => "a sha256 digest has 64 lower-case hex digits",
        Some(("sha384", _)) => "a sha384 digest has 96 lower-case hex digits",
        Some(("sha512", _)) => "a sha512 digest has 128 lower-case hex digits",
        Some(_) => "the digest is not an algorithm and a value",
    }
}

fn inline(wire: &WireDescriptor<'_>) -> Result<Option<Vec<u8>>, Flaw> {
    let data = wire.data.as_deref().filter(|data| !data.is_empty());
    let decoded = data.map(|data| BASE64_STANDARD.decode(data)).transpose();
    decoded.map_err(|error| Flaw::BadData(error.to_string().into()))
}
