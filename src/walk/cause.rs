//! Why a verdict is what it is, as a value: the report makes sentences and hints from it.

use std::time::Duration;

use oci_spec::image::Digest;

use super::stop::Stop;
use crate::oci::client::{Client, Clients};
use crate::oci::flaw::Flaw;
use crate::oci::kind::Kind;

/// Why a verdict is what it is. Texts in it are foreign, and uncut until the walk ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cause {
    /// There is nothing to add to the verdict.
    #[default]
    Plain,
    /// It was not there at first, and appeared within the settle window after this time.
    AppearedAfter(Duration),
    /// The registry says that the content is there but sends no bytes of it.
    NoBytes {
        /// The promised size in bytes, if there is one.
        expected: Option<u64>,
    },
    /// The data ends before the promised size.
    EndsEarly {
        /// The promised size in bytes, if there is one.
        expected: Option<u64>,
        /// How many bytes can be had; `None` when only the end is known to be missing.
        received: Option<u64>,
    },
    /// The registry has, or states, another size than was promised.
    OtherSize {
        /// The promised size in bytes.
        expected: u64,
        /// The registry's size in bytes.
        actual: u64,
    },
    /// The content is what its digest says, and does not have the size that its descriptor states.
    MisstatedSize {
        /// The promised size in bytes.
        expected: u64,
        /// The content's size in bytes.
        actual: u64,
    },
    /// The bytes hash to another digest.
    OtherDigest {
        /// How many bytes there are, when the size is right.
        size: Option<u64>,
        /// The digest of the bytes; `None` when there are too many such causes to keep it.
        actual: Option<Box<Digest>>,
    },
    /// The manifest is larger than any client reads.
    ManifestTooLarge,
    /// The document or descriptor cannot be used.
    Unusable(Flaw),
    /// It is nested deeper than indexes are followed.
    TooDeep,
    /// With its references the repository exceeds a limit.
    TooMuch(Bound),
    /// It is absent, as `allow_missing` allows.
    AllowedMissing,
    /// `attestations: ignore`.
    AttestationsIgnored,
    /// It is for a platform that `only_platforms` leaves out.
    LeftOut,
    /// `depth: manifests`.
    BlobsLeftOut,
    /// It was wrong when it was asked for first, for this reason, and is right.
    WrongOnce(Box<Cause>),
    /// It is too large to be read where the registry ignores `Range`, so its last byte is not
    /// proven.
    LastByteUnchecked,
    /// The registry fails on this, and answers for everything else: its content is lost.
    FailsAlone(Box<Cause>),
    /// Its data is not kept in the registry.
    Foreign,
    /// Its data is embedded in the descriptor and matches.
    Inline,
    /// Its data is embedded in the descriptor and does not match.
    InlineWrong(Box<Cause>),
    /// It can be fetched by tag, but not by its digest.
    OnlyByTag(Box<Cause>),
    /// The list of referrers could not be read.
    Referrers(Box<Cause>),
    /// The run ended before there was an answer.
    Stopped {
        /// By what.
        stop: Stop,
        /// `timeout`.
        timeout: Duration,
        /// `settle`, when `timeout` does not outlast it, so that no 404 could count.
        settle: Option<Duration>,
    },
    /// A status that is not an answer to the question.
    Status {
        /// The HTTP status.
        status: u16,
        /// Where it came from.
        place: Place,
        /// Whether it came in a registry's own error JSON, or names the registry's API.
        is_registrys: bool,
        /// Whether it came as a web page.
        is_page: bool,
        /// What the answer says, if anything.
        words: Option<Box<str>>,
    },
    /// 404, or an answer that is no manifest, and nothing at `/v2/` answers as a registry does.
    NoRegistry(Box<Cause>),
    /// Access was refused.
    Denied {
        /// By what.
        denial: Denial,
        /// What the answer says, if anything.
        words: Option<Box<str>>,
    },
    /// On the disk of a registry: the link to it is gone, and its bytes are there.
    Unlinked {
        /// Whether the repository has it as a layer, too: distribution 2 then delivers a manifest
        /// all the same.
        has_layer_link: bool,
    },
    /// On the disk of a registry: the link to it is there, and its bytes are gone.
    DataGone,
    /// On the disk of a registry: the link to it does not name it.
    LinkDamaged(LinkFlaw),
    /// A file could not be read.
    Unreadable {
        /// The file, below the directory that was named.
        path: Box<str>,
        /// What the system says about it.
        words: Box<str>,
    },
    /// The disk of a registry was not written to, for this reason.
    Disk(Box<str>),
    /// There was no usable answer.
    Unreached {
        /// What kind of trouble.
        trouble: Trouble,
        /// On the way to where.
        place: Place,
        /// What the client says about it, as a fragment.
        words: Box<str>,
    },
}

/// What is wrong with a link on the disk of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LinkFlaw {
    /// It is empty.
    Empty,
    /// It has a line break or another blank beside its digest.
    Blank,
    /// It holds something else than a digest.
    NoDigest,
    /// It names this digest instead.
    Other(Box<Digest>),
}

/// What is limited in one repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// Nodes.
    Nodes,
    /// References between nodes.
    References,
    /// Bytes of media types and platforms.
    Text,
}

/// Where an answer came from, or a request went.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The registry itself.
    Registry,
    /// Where the registry redirects to: scheme and host.
    Redirect(Box<str>),
    /// The token server that the registry names: scheme and host.
    TokenServer(Box<str>),
}

/// Why access was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Denial {
    /// The registry refuses the login of this user.
    Login {
        /// The registry.
        registry: Box<str>,
        /// The user.
        username: Box<str>,
    },
    /// The registry refuses the token of docker's credential file.
    StoredToken {
        /// The registry.
        registry: Box<str>,
    },
    /// The registry wants a login, and `anonymous` is set.
    Anonymous {
        /// The registry.
        registry: Box<str>,
    },
    /// The registry wants a login, and there are no credentials for it.
    NoCredentials {
        /// The registry.
        registry: Box<str>,
    },
    /// The registry refuses every token that its token server gives.
    EveryToken,
    /// The token server refuses to give a token.
    TokenServer {
        /// Scheme and host.
        server: Box<str>,
        /// The user whose login it refuses; `None` for an anonymous or an identity token.
        username: Option<Box<str>>,
        /// Whether an identity token was refused.
        identity: bool,
        /// The HTTP status.
        status: u16,
    },
    /// The token server's answer has no usable token.
    NoToken {
        /// Scheme and host.
        server: Box<str>,
    },
    /// The token server is not asked, because that would not be safe.
    Unsafe(Box<str>),
}

/// What kind of trouble kept an answer from coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// The name of the host does not resolve.
    UnknownHost,
    /// The connection is refused.
    ConnectionRefused,
    /// There is no way to the address.
    Unreachable,
    /// No connection could be made, or it broke.
    Connection,
    /// The peer was asked in TLS and does not speak it.
    WithoutTls,
    /// The peer was asked in plain HTTP and does not speak it.
    WithoutPlainHttp,
    /// The certificate is signed by an unknown authority.
    UnknownIssuer,
    /// The certificate is for another name or another time, or is wrong otherwise.
    BadCertificate,
    /// The TLS handshake failed otherwise.
    Handshake,
    /// A web page came where a registry's answer belongs.
    WebPage,
    /// The answer is not HTTP, or not one that a registry gives.
    Garbled,
    /// The answer broke off.
    Cut,
    /// Nothing came within `request_timeout`.
    Timeout,
    /// The address is not allowed.
    NotAllowed,
}

impl Cause {
    /// The word for it in the JSON report; empty for [`Cause::Plain`].
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::AppearedAfter(_) => "appeared_late",
            Self::NoBytes { .. } => "no_bytes",
            Self::EndsEarly { .. } => "ends_early",
            Self::OtherSize { .. } => "other_size",
            Self::MisstatedSize { .. } => "misstated_size",
            Self::OtherDigest { .. } => "other_digest",
            Self::ManifestTooLarge => "manifest_too_large",
            Self::Unusable(Flaw::SchemaOne) => "schema_1",
            Self::Unusable(_) => "unusable",
            Self::TooDeep => "too_deep",
            Self::TooMuch(_) => "too_much",
            Self::AllowedMissing => "allowed_missing",
            Self::AttestationsIgnored => "attestations_ignored",
            Self::LeftOut => "left_out",
            Self::BlobsLeftOut => "blobs_left_out",
            Self::WrongOnce(_) => "wrong_once",
            Self::LastByteUnchecked => "last_byte_unchecked",
            Self::FailsAlone(_) => "fails_alone",
            Self::Foreign => "foreign",
            Self::Inline => "inline",
            Self::InlineWrong(_) => "inline_wrong",
            Self::OnlyByTag(_) => "only_by_tag",
            Self::Referrers(_) => "referrers",
            Self::Stopped {
                stop: Stop::Timeout,
                ..
            } => "run_timeout",
            Self::Stopped { .. } => "interrupted",
            Self::Status { .. } => "status",
            Self::NoRegistry(_) => "not_a_registry",
            Self::Denied { .. } => "denied",
            Self::Unlinked { .. } => "unlinked",
            Self::DataGone => "data_gone",
            Self::LinkDamaged(_) => "link_damaged",
            Self::Unreadable { .. } => "unreadable",
            Self::Disk(_) => "disk",
            Self::Unreached { trouble, .. } => trouble.as_str(),
        }
    }

    /// The cause inside: of the data in a descriptor, of a list of referrers.
    #[must_use]
    pub fn inner(&self) -> Option<&Self> {
        match self {
            Self::InlineWrong(inner)
            | Self::OnlyByTag(inner)
            | Self::WrongOnce(inner)
            | Self::FailsAlone(inner)
            | Self::Referrers(inner)
            | Self::NoRegistry(inner) => Some(inner),
            _ => None,
        }
    }

    /// The clients that content of this kind is useless for, where it is definitely wrong for this
    /// reason.
    #[must_use]
    pub fn stops(&self, kind: Kind) -> Clients {
        match self {
            Self::MisstatedSize { expected, .. } if kind == Kind::Config && *expected > 0 => {
                Clients::of(&[Client::Containerd, Client::Podman])
            }
            Self::MisstatedSize { .. } | Self::InlineWrong(_) => Clients::CONTAINERD,
            Self::OnlyByTag(_) => Clients::of(&[Client::Containerd, Client::Docker]),
            _ => Clients::ALL,
        }
    }

    /// Whether content that is fine is worth a warning for this reason.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::WrongOnce(_) | Self::LastByteUnchecked)
    }

    /// Whether it is a status that the registry itself answered with, and nothing in its place.
    #[must_use]
    pub fn is_registrys_status(&self) -> bool {
        match self {
            Self::OnlyByTag(inner) => inner.is_registrys_status(),
            Self::Status { place, .. } => *place == Place::Registry,
            _ => false,
        }
    }

    /// The foreign texts in it.
    pub fn texts(&mut self) -> Vec<&mut Box<str>> {
        match self {
            Self::InlineWrong(inner)
            | Self::OnlyByTag(inner)
            | Self::WrongOnce(inner)
            | Self::FailsAlone(inner)
            | Self::Referrers(inner)
            | Self::NoRegistry(inner) => inner.texts(),
            Self::Unusable(flaw) => flaw.texts().collect(),
            Self::Unreadable { path, words } => vec![path, words],
            Self::Disk(words) => vec![words],
            Self::Status { place, words, .. } => place.text().into_iter().chain(words).collect(),
            Self::Denied { denial, words } => denial.texts().chain(words).collect(),
            Self::Unreached { place, words, .. } => {
                place.text().into_iter().chain([words]).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The same with its numbers, and without foreign texts and digests.
    #[must_use]
    pub fn in_short(mut self) -> Self {
        match &mut self {
            Self::InlineWrong(inner)
            | Self::OnlyByTag(inner)
            | Self::WrongOnce(inner)
            | Self::FailsAlone(inner)
            | Self::Referrers(inner)
            | Self::NoRegistry(inner) => **inner = std::mem::take(&mut **inner).in_short(),
            Self::OtherDigest { actual, .. } => *actual = None,
            Self::Status { words, .. } | Self::Denied { words, .. } => *words = None,
            Self::Unusable(flaw) => flaw.texts().for_each(|text| *text = Box::default()),
            Self::Unreached { words, .. } | Self::Disk(words) => *words = Box::default(),
            Self::Unreadable { path, words } => {
                *path = Box::default();
                *words = Box::default();
            }
            _ => {}
        }
        self
    }

    /// How much room it needs beside its own, in bytes.
    #[must_use]
    pub fn room(&self) -> usize {
        let digest = |digest: &Digest| 2 * digest.as_ref().len() + size_of::<Digest>();
        match self {
            Self::OtherDigest { actual, .. } => actual.as_deref().map_or(0, digest),
            Self::LinkDamaged(LinkFlaw::Other(actual)) => digest(actual),
            other => {
                let boxed = other.inner().map_or(0, |_| size_of::<Self>());
                let texts = other
                    .clone()
                    .texts()
                    .iter()
                    .map(|text| text.len())
                    .sum::<usize>();
                boxed + texts
            }
        }
    }
}

impl Place {
    fn text(&mut self) -> Option<&mut Box<str>> {
        match self {
            Self::Registry => None,
            Self::Redirect(host) | Self::TokenServer(host) => Some(host),
        }
    }
}

impl Denial {
    fn texts(&mut self) -> impl Iterator<Item = &mut Box<str>> {
        let texts = match self {
            Self::Login { username, .. } => [Some(username), None],
            Self::TokenServer {
                server, username, ..
            } => [Some(server), username.as_mut()],
            Self::NoToken { server } => [Some(server), None],
            Self::Unsafe(text) => [Some(text), None],
            _ => [None, None],
        };
        texts.into_iter().flatten()
    }
}

impl Trouble {
    /// The word for it in the JSON report.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownHost => "unknown_host",
            Self::ConnectionRefused => "connection_refused",
            Self::Unreachable => "network_unreachable",
            Self::Connection => "connection",
            Self::WithoutTls => "no_tls",
            Self::WithoutPlainHttp => "no_plain_http",
            Self::UnknownIssuer => "unknown_authority",
            Self::BadCertificate => "bad_certificate",
            Self::Handshake => "tls_handshake",
            Self::WebPage => "web_page",
            Self::Garbled => "garbled",
            Self::Cut => "cut_off",
            Self::Timeout => "request_timeout",
            Self::NotAllowed => "not_allowed",
        }
    }
}
