//! Why a document or a descriptor cannot be used.

/// What is wrong with a document or a descriptor. Texts in it are the document's own, uncut and
/// unredacted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// It is not JSON, or not of the expected types.
    NotReadable {
        /// What it should have been.
        expected: Expected,
        /// What the JSON reader says.
        error: Box<str>,
    },
    /// Docker's schema 1.
    SchemaOne,
    /// Two places name media types that differ too much for some clients (CVE-2021-41190).
    TypesDisagree(Box<Disagreement>),
    /// It lists more than [`super::manifest::MAX_CHILDREN`] references.
    TooManyReferences(usize),
    /// It has the fields of an index and of an image manifest (CVE-2021-41190).
    IndexAndManifest,
    /// It has the fields of neither.
    NeitherIndexNorManifest,
    /// Something else in the place of an index: whatever answered does not list referrers.
    NotAnIndex,
    /// An image manifest without `config`.
    NoConfig,
    /// A descriptor without a digest.
    NoDigest,
    /// A descriptor whose digest is not one.
    BadDigest(Box<str>),
    /// A digest by an algorithm that is not known: all of it.
    UnknownAlgorithm(Box<str>),
    /// A descriptor whose size is not one.
    BadSize(Box<str>),
    /// A value is of another type than clients expect.
    Mistyped(Box<str>),
    /// A descriptor whose `mediaType` is not of its kind; empty for none.
    MediaType(Box<str>),
    /// A descriptor without a size, or with `size: 0`.
    NoSize,
    /// A descriptor with a negative size.
    NegativeSize,
    /// A digest by an algorithm that only some clients know.
    RareAlgorithm(Box<str>),
    /// A config that is not one of an image.
    Config(Box<str>),
    /// A config that lists another number of diff ids than there are layers.
    DiffIds {
        /// How many it lists.
        listed: usize,
        /// How many layers there are.
        layers: usize,
    },
    /// A config of more than [`CONFIG_LIMIT`] bytes.
    LargeConfig,
    /// A manifest of more than [`MANIFEST_LIMIT`] bytes.
    LargeManifest,
    /// A manifest that is delivered as another type; empty for none.
    ContentType(Box<str>),
    /// A config whose history has more layers than there are.
    LongHistory,
    /// An index in which a client finds no manifest for this platform.
    NotSelected(Box<str>),
    /// Content that only its descriptor carries, in `data`: the registry does not have it.
    OnlyInline,
    /// Content that is delivered with this `Content-Encoding`, though it is not encoded.
    Encoded(Box<str>),
}

/// The largest config that every client reads, in bytes.
pub(crate) const CONFIG_LIMIT: u64 = 4 * 1024 * 1024;

/// The largest manifest that every client reads, in bytes.
pub(crate) const MANIFEST_LIMIT: u64 = 4 * 1024 * 1024;

/// What a text should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expected {
    /// An index or an image manifest.
    Manifest,
    /// A descriptor.
    Descriptor,
    /// A list of referrers.
    Referrers,
}

/// Two places that name different media types.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Disagreement {
    /// The first place: `mediaType`, `Content-Type` or the descriptor.
    pub place: &'static str,
    /// Its media type.
    pub media_type: Box<str>,
    /// The other place.
    pub other_place: &'static str,
    /// Its media type.
    pub other: Box<str>,
}

impl Flaw {
    /// Whether the form is known and no current tool can use it, rather than malformed.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(
            self,
            Self::SchemaOne
                | Self::UnknownAlgorithm(_)
                | Self::RareAlgorithm(_)
                | Self::MediaType(_)
                | Self::LargeConfig
                | Self::LargeManifest
                | Self::ContentType(_)
                | Self::NotSelected(_)
                | Self::OnlyInline
        )
    }

    /// Whether it can be read, and a client refuses it for its form all the same.
    #[must_use]
    pub fn is_of_form(&self) -> bool {
        !matches!(
            self,
            Self::NotReadable { .. }
                | Self::SchemaOne
                | Self::TooManyReferences(_)
                | Self::IndexAndManifest
                | Self::NeitherIndexNorManifest
                | Self::NoConfig
                | Self::NoDigest
                | Self::BadDigest(_)
                | Self::UnknownAlgorithm(_)
                | Self::BadSize(_)
        )
    }

    /// The text in it that came from the document or is about it, if there is one.
    pub fn texts(&mut self) -> impl Iterator<Item = &mut Box<str>> {
        let texts = match self {
            Self::NotReadable { error: text, .. }
            | Self::BadDigest(text)
            | Self::UnknownAlgorithm(text)
            | Self::BadSize(text)
            | Self::Mistyped(text)
            | Self::RareAlgorithm(text)
            | Self::MediaType(text)
            | Self::NotSelected(text)
            | Self::Config(text)
            | Self::ContentType(text)
            | Self::Encoded(text) => [Some(text), None],
            Self::TypesDisagree(types) => {
                let Disagreement {
                    media_type, other, ..
                } = &mut **types;
                [Some(media_type), Some(other)]
            }
            Self::SchemaOne
            | Self::TooManyReferences(_)
            | Self::IndexAndManifest
            | Self::NeitherIndexNorManifest
            | Self::NotAnIndex
            | Self::NoConfig
            | Self::NoDigest
            | Self::NoSize
            | Self::NegativeSize
            | Self::LongHistory
            | Self::DiffIds { .. }
            | Self::LargeConfig
            | Self::LargeManifest
            | Self::OnlyInline => [None, None],
        };
        texts.into_iter().flatten()
    }
}
