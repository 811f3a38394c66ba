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
    /// Another `schemaVersion` than 2.
    SchemaVersion(u64),
    /// `mediaType` is not the type of a manifest.
    NotAManifestType(Box<str>),
    /// Two places name different media types (CVE-2021-41190).
    TypesDisagree(Box<Disagreement>),
    /// It lists more than [`super::manifest::MAX_CHILDREN`] references.
    TooManyReferences(usize),
    /// It has the fields of an index and of an image manifest (CVE-2021-41190).
    IndexAndManifest,
    /// It has the fields of neither.
    NeitherIndexNorManifest,
    /// Something else in the place of an index: whatever answered does not list referrers.
    NotAnIndex,
    /// An index by its type, with `config` or `layers`.
    ManifestFieldsInIndex(Box<str>),
    /// An image manifest by its type, with `manifests`.
    IndexFieldsInManifest(Box<str>),
    /// An index without children.
    EmptyIndex,
    /// An image manifest without `config`.
    NoConfig,
    /// A descriptor without a digest.
    NoDigest,
    /// A descriptor whose digest is not one.
    BadDigest(Box<str>),
    /// A digest by an algorithm that is not known: all of it.
    UnknownAlgorithm(Box<str>),
    /// A descriptor without a size.
    NoSize,
    /// A descriptor whose size is not one.
    BadSize(Box<str>),
    /// A descriptor whose `data` is not base64.
    BadData(Box<str>),
}

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
            Self::SchemaOne | Self::SchemaVersion(_) | Self::UnknownAlgorithm(_)
        )
    }

    /// The text in it that came from the document or is about it, if there is one.
    pub fn texts(&mut self) -> impl Iterator<Item = &mut Box<str>> {
        let texts = match self {
            Self::NotReadable { error: text, .. }
            | Self::NotAManifestType(text)
            | Self::ManifestFieldsInIndex(text)
            | Self::IndexFieldsInManifest(text)
            | Self::BadDigest(text)
            | Self::UnknownAlgorithm(text)
            | Self::BadSize(text)
            | Self::BadData(text) => [Some(text), None],
            Self::TypesDisagree(types) => {
                let Disagreement {
                    media_type, other, ..
                } = &mut **types;
                [Some(media_type), Some(other)]
            }
            Self::SchemaOne
            | Self::SchemaVersion(_)
            | Self::TooManyReferences(_)
            | Self::IndexAndManifest
            | Self::NeitherIndexNorManifest
            | Self::NotAnIndex
            | Self::EmptyIndex
            | Self::NoConfig
            | Self::NoDigest
            | Self::NoSize => [None, None],
        };
        texts.into_iter().flatten()
    }
}
