//! A reference to content, see <https://github.com/opencontainers/image-spec/blob/main/descriptor.md>.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oci_spec::image::Digest;
use serde_json::value::RawValue;

use super::digest;
use super::flaw::{Expected, Flaw};
use super::kind::Kind;
use super::media_type;
use super::platform::Platform;
use super::refusal::{self, Refusal, Stated};
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
    /// Whether the content is elsewhere: `urls` of a layer that may not be distributed.
    pub foreign: bool,
    /// The clients that refuse it although it can be followed.
    pub refusals: Vec<Refusal>,
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

/// The media type that a descriptor states; empty where it states none.
pub(super) fn media_type(raw: &RawValue) -> String {
    let wire = serde_json::from_str::<WireDescriptor<'_>>(raw.get());
    let stated = wire.ok().and_then(|wire| wire.media_type);
    media_type::bounded(stated.unwrap_or_default())
}

/// Reads one descriptor; a fault in it affects this child alone.
pub(super) fn read(raw: &RawValue, kind_of: KindOf) -> Child {
    let mut wire: WireDescriptor<'_> = match serde_json::from_str(raw.get()) {
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
    let media_type = media_type::bounded(wire.media_type.take().unwrap_or_default());
    let platform = wire.platform.clone().and_then(WirePlatform::read);
    let attestation = platform.as_ref().is_some_and(Platform::is_unknown)
        || (wire.annotations.as_ref()).is_some_and(|annotations| annotations.attestation);
    let kind = kind_of(&media_type, attestation);
    let is_nameless = wire.platform.is_some() && platform.is_none();
    match promise(&wire) {
        Ok((promise, stated)) => Child::Readable(Box::new(Descriptor {
            // Without an address of its own it can only come from the registry; and where it may be
            // distributed, clients ask the registry whatever other addresses there are.
            foreign: media_type::is_foreign_layer(&media_type)
                && wire.urls.as_ref().is_some_and(|urls| urls.0),
            refusals: refusal::of_descriptor(&promise, stated, kind, &media_type)
                .into_iter()
                .chain(refusal::of_platform(is_nameless))
                .collect(),
            inline: inline(&wire),
            promise,
            kind,
            media_type,
            platform,
        })),
        Err(flaw) => Child::Unreadable(Box::new(Unreadable {
            written: wire.digest.unwrap_or_default(),
            kind,
            platform,
            flaw,
        })),
    }
}

/// What is promised, and whether the size was stated; it is 0 where not.
fn promise(wire: &WireDescriptor<'_>) -> Result<(Promise, Stated), Flaw> {
    let written = wire.digest.as_deref().filter(|text| !text.is_empty());
    let digest: Digest = written
        .ok_or(Flaw::NoDigest)?
        .parse()
        .map_err(|_: oci_spec::OciSpecError| Flaw::BadDigest(why_no_digest(written).into()))?;
    if !digest::is_supported(&digest) {
        return Err(Flaw::UnknownAlgorithm(digest.as_ref().into()));
    }
    let (size, stated) = match &wire.size {
        None => (0, Stated::Nothing),
        Some(size) => match (size.as_u64(), size.as_i64()) {
            (Some(size), _) => (size, Stated::Size),
            (None, Some(_)) => (0, Stated::Negative),
            (None, None) => return Err(Flaw::BadSize(size.to_string().into())),
        },
    };
    Ok((Promise { digest, size }, stated))
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

/// The embedded content, if it is content: whoever refuses other data refuses the document.
fn inline(wire: &WireDescriptor<'_>) -> Option<Vec<u8>> {
    let data = wire.data.as_ref()?.0.as_deref()?;
    let decoded = BASE64_STANDARD.decode(data).ok()?;
    Some(decoded).filter(|data| !data.is_empty())
}
