//! Causes and findings in plain English. Nothing is ever decided by these sentences.

use std::time::Duration;

use crate::oci::flaw::{self, CONFIG_LIMIT, Expected, Flaw};
use crate::oci::manifest::MAX_CHILDREN;
use crate::oci::platform::Platform;
use crate::text::human::count;
use crate::walk::MAX_DEPTH;
use crate::walk::cause::{Bound, Cause, Denial, LinkFlaw, Place};
use crate::walk::checked::Finding;
use crate::walk::graph::{MAX_NODES, MAX_REFERENCES};
use crate::walk::source::MANIFEST_LIMIT;
use crate::walk::stop::Stop;

/// What was expected and what came, as a fragment that fits behind a colon; empty when there is
/// nothing to add to the verdict.
#[must_use]
pub(crate) fn cause(cause: &Cause) -> String {
    said(of_cause(cause))
}

fn of_cause(cause: &Cause) -> String {
    match cause {
        Cause::Plain => String::new(),
        Cause::AppearedAfter(after) => format!("appeared after {:.1} s", after.as_secs_f64()),
        Cause::NoBytes { expected } => {
            let none = "it is there, but has no bytes";
            expected.map_or(none.to_owned(), |size| {
                format!("expected {}; {none}", bytes(size))
            })
        }
        Cause::EndsEarly { expected, received } => ends_early(*expected, *received),
        Cause::OtherSize { expected, actual } => {
            format!("expected {}, it has {actual}", bytes(*expected))
        }
        Cause::OtherDigest { size, actual } => {
            let subject = size.map_or("bytes".to_owned(), bytes);
            let actual = actual
                .as_ref()
                .map_or("a different digest".to_owned(), ToString::to_string);
            format!("the {subject} hash to {actual}")
        }
        Cause::ManifestTooLarge => {
            format!("the manifest is larger than {MANIFEST_LIMIT} bytes; no runtime pulls it")
        }
        Cause::Unusable(flaw) => unusable(flaw),
        Cause::TooDeep => format!("nested more than {MAX_DEPTH} manifests deep"),
        Cause::TooMuch(bound) => format!("with its references the graph has {}", too_much(*bound)),
        Cause::AllowedMissing => "not there, as allow_missing allows".to_owned(),
        Cause::AttestationsIgnored => "attestations are ignored".to_owned(),
        Cause::LeftOut => "only_platforms leaves it out".to_owned(),
        Cause::BlobsLeftOut => "depth: manifests asks for no blob".to_owned(),
        Cause::WrongOnce(inner) => {
            format!(
                "answered wrongly once ({}), and right when asked again",
                of_cause(inner)
            )
        }
        Cause::LastByteUnchecked => {
            "last byte not checked: the registry ignores Range, and it is too large to read"
                .to_owned()
        }
        Cause::FailsAlone(inner) => of_cause(inner),
        Cause::MisstatedSize { expected, actual } => format!(
            "its descriptor states {}, the content that its digest names has {actual}",
            bytes(*expected)
        ),
        Cause::Foreign => "foreign: its data is not kept in the registry".to_owned(),
        Cause::Inline => "its data is embedded in the descriptor and matches".to_owned(),
        Cause::InlineWrong(inner) => {
            format!(
                "the data embedded in the descriptor is wrong: {}",
                of_cause(inner)
            )
        }
        Cause::OnlyByTag(inner) => format!(
            "{}; the tag delivers it, but its own digest does not",
            of_cause(inner)
        ),
        Cause::Referrers(inner) => format!("the list of referrers: {}", of_cause(inner)),
        Cause::Stopped {
            stop,
            timeout,
            settle,
        } => stopped(*stop, *timeout, *settle),
        Cause::Status {
            status,
            place,
            words,
            ..
        } => {
            let what = match words {
                Some(_) if *status == 429 => "answered 429".to_owned(),
                _ => status_words(*status),
            };
            at(place, &with_words(what, words.as_deref()))
        }
        Cause::NoRegistry(inner) => {
            format!("{}, and no registry answers at /v2/", of_cause(inner))
        }
        Cause::Denied { denial, words } => with_words(denied(denial), words.as_deref()),
        Cause::Unlinked { has_layer_link } => unlinked(*has_layer_link),
        Cause::DataGone => "its link is there, its bytes are gone".to_owned(),
        Cause::LinkDamaged(flaw) => format!("its link {}", link_flaw(flaw)),
        Cause::Disk(words) => words.to_string(),
        Cause::Unreadable { path, words } => format!("{path} cannot be read: {words}"),
        Cause::Unreached { place, words, .. } => at(place, words),
    }
}

/// What is wrong with an image rather than with a node, as a fragment.
#[must_use]
pub(crate) fn finding(finding: &Finding) -> String {
    said(of_finding(finding))
}

fn of_finding(finding: &Finding) -> String {
    match finding {
        Finding::WrongDigest { expected, actual } => {
            format!("expected {expected}, the reference resolves to {actual}")
        }
        Finding::StillWrong(digest) => format!(
            "the reference still resolves to {digest}, which was already wrong before the rebuild"
        ),
        Finding::TagsDiffer(tags) => format!(
            "{} is {}, {} is {}",
            tags.first, tags.theirs, tags.reference, tags.ours
        ),
        Finding::PlatformMissing { expected, present } if present.is_empty() => {
            format!("expected {expected}, the image states no platform")
        }
        Finding::PlatformMissing { expected, present } => {
            let present: Vec<String> = present.iter().map(Platform::to_string).collect();
            format!("expected {expected}, the image has {}", present.join(", "))
        }
        Finding::NotAnImage(artifact) => format!("not an image, but {}", artifact_name(artifact)),
        Finding::HeadRefused(status) => {
            format!("HEAD is {}, while GET is answered", status_words(*status))
        }
        Finding::HeadUnanswered(cause) => format!("HEAD: {}", of_cause(cause)),
        Finding::NotListed => "it is there, but the registry does not list it".to_owned(),
        Finding::HeadLacks(header) => format!("HEAD is answered without {header}"),
        Finding::HeadDisagrees {
            header, head, get, ..
        } => {
            format!("{header} of HEAD is {head}, that of GET is {get}")
        }
        Finding::ContentType { media_type, .. } if media_type.is_empty() => {
            "the manifest is delivered without a Content-Type".to_owned()
        }
        Finding::ContentType { media_type, .. } => {
            format!("the manifest is delivered as {media_type}")
        }
    }
}

/// A type of artifact, with its usual name where it has one.
fn artifact_name(media_type: &str) -> String {
    let name = match media_type {
        helm if helm.starts_with("application/vnd.cncf.helm.") => "a Helm chart",
        cache if cache.starts_with("application/vnd.buildkit.cacheconfig.") => "a build cache",
        proof if proof.starts_with("application/vnd.in-toto") => "an attestation",
        sign if sign.starts_with("application/vnd.dev.cosign.") => "a signature",
        "" => return "an index without an image in it".to_owned(),
        _ => return format!("an artifact ({media_type})"),
    };
    format!("{name} ({media_type})")
}

fn unlinked(has_layer_link: bool) -> String {
    let gone = "its link is gone, its bytes are on the disk";
    if has_layer_link {
        format!("{gone}; distribution 2 delivers it all the same, as a layer")
    } else {
        gone.to_owned()
    }
}

fn link_flaw(flaw: &LinkFlaw) -> String {
    match flaw {
        LinkFlaw::Empty => "is empty".to_owned(),
        LinkFlaw::Blank => "has a line break or a blank beside its digest".to_owned(),
        LinkFlaw::NoDigest => "holds no digest".to_owned(),
        LinkFlaw::Other(digest) => format!("names {digest}"),
    }
}

#[cfg(not(test))]
fn said(sentence: String) -> String {
    sentence
}

/// A test can turn every sentence into another one, to show that nothing depends on them.
#[cfg(test)]
fn said(sentence: String) -> String {
    if REVERSED.get() {
        sentence.chars().rev().collect()
    } else {
        sentence
    }
}

#[cfg(test)]
thread_local! {
    pub(super) static REVERSED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

fn bytes(size: u64) -> String {
    format!("{size} {}", if size == 1 { "byte" } else { "bytes" })
}

fn ends_early(expected: Option<u64>, received: Option<u64>) -> String {
    match (expected.map(bytes), received) {
        (Some(expected), Some(received)) => {
            format!("expected {expected}; the data ends after {received}")
        }
        (Some(expected), None) => {
            format!("expected {expected}; the registry states that size, but the data ends earlier")
        }
        (None, Some(received)) => format!("the manifest ends after {received} bytes"),
        (None, None) => "the data ends early".to_owned(),
    }
}

fn too_much(bound: Bound) -> String {
    match bound {
        Bound::Nodes => format!("more than {MAX_NODES} nodes"),
        Bound::References => format!("more than {MAX_REFERENCES} references"),
        Bound::Text => "more than 4 MiB of media types and platforms".to_owned(),
    }
}

fn stopped(stop: Stop, timeout: Duration, settle: Option<Duration>) -> String {
    match (stop, settle) {
        (Stop::Timeout, None) => format!(
            "no answer before the run's timeout of {} s",
            timeout.as_secs_f64()
        ),
        (Stop::Timeout, Some(settle)) => format!(
            "no reliable answer before the run's timeout of {} s; a 404 counts only after \
             `settle` ({} s)",
            timeout.as_secs_f64(),
            settle.as_secs_f64()
        ),
        (Stop::Interrupt | Stop::Terminate, _) => "interrupted before the answer".to_owned(),
    }
}

fn status_words(status: u16) -> String {
    match status {
        401 | 403 => format!("refused with {status}"),
        429 => "too many requests (429)".to_owned(),
        _ => format!("answered {status}"),
    }
}

fn at(place: &Place, what: &str) -> String {
    match place {
        Place::Registry => what.to_owned(),
        Place::Redirect(host) => format!("redirected to {host}: {what}"),
        Place::TokenServer(host) => format!("token server {host}: {what}"),
    }
}

fn with_words(what: String, words: Option<&str>) -> String {
    match words {
        Some(words) => format!("{what} ({words})"),
        None => what,
    }
}

fn denied(denial: &Denial) -> String {
    match denial {
        Denial::Login { registry, username } => {
            format!("{registry} refuses the login of {username}")
        }
        Denial::StoredToken { registry } => {
            format!("{registry} refuses the token of docker's credential file")
        }
        Denial::Anonymous { registry } => {
            format!("{registry} does not allow anonymous access (anonymous is set)")
        }
        Denial::NoCredentials { registry } => {
            format!("{registry} requires a login, but there are no credentials for it")
        }
        Denial::EveryToken => "refuses every token".to_owned(),
        Denial::TokenServer {
            server,
            username,
            identity,
            status,
        } => {
            let what = match username {
                Some(username) => format!("the login of {username}"),
                None if *identity => "the identity token".to_owned(),
                None => "an anonymous token".to_owned(),
            };
            format!("token server {server} refuses {what}: {status}")
        }
        Denial::NoToken { server } => format!("token server {server}: the answer has no token"),
        Denial::Unsafe(why) => why.to_string(),
    }
}

fn unusable(flaw: &Flaw) -> String {
    match flaw {
        Flaw::NotReadable { expected, error } => {
            let what = match expected {
                Expected::Manifest => "a manifest",
                Expected::Descriptor => "a descriptor",
                Expected::Referrers => "a list of referrers",
            };
            format!("not {what}: {error}")
        }
        Flaw::SchemaOne => {
            "schema 1: current runtimes refuse to pull it; build and push it again".to_owned()
        }
        Flaw::TypesDisagree(types) => format!(
            "{} is {}, but {} is {}",
            types.place, types.media_type, types.other_place, types.other
        ),
        Flaw::TooManyReferences(listed) => {
            format!("it lists {listed} references, more than {MAX_CHILDREN}")
        }
        Flaw::IndexAndManifest => {
            "it is both an index and an image manifest (CVE-2021-41190)".to_owned()
        }
        Flaw::NeitherIndexNorManifest => {
            "neither an index (manifests) nor an image manifest (config, layers)".to_owned()
        }
        Flaw::NotAnIndex => "the answer is not an index".to_owned(),
        Flaw::NoConfig => "the manifest has no config".to_owned(),
        Flaw::NoDigest => "the descriptor has no digest".to_owned(),
        Flaw::BadDigest(error) => error.to_string(),
        Flaw::UnknownAlgorithm(algorithm) => {
            let name = algorithm.split(':').next().unwrap_or_default();
            format!("unknown digest algorithm {name}")
        }
        Flaw::BadSize(size) => format!("{size} is not a size"),
        Flaw::Mistyped(error) => format!("of a type that clients refuse: {error}"),
        Flaw::MediaType(media_type) if media_type.is_empty() => {
            "its descriptor has no mediaType".to_owned()
        }
        Flaw::MediaType(media_type) => format!("its descriptor calls it {media_type}"),
        Flaw::NoSize => "its descriptor states no size".to_owned(),
        Flaw::NegativeSize => "its descriptor states a negative size".to_owned(),
        Flaw::LongHistory => "its history has more layers than there are diff ids".to_owned(),
        Flaw::RareAlgorithm(algorithm) => format!("its digest is by {algorithm}"),
        Flaw::Config(error) => format!("not an image's config: {error}"),
        Flaw::DiffIds { listed, layers } => {
            let (listed, layers) = (count(*listed, "diff id"), count(*layers, "layer"));
            format!("its config lists {listed} for {layers}")
        }
        Flaw::LargeConfig => format!("a config of more than {CONFIG_LIMIT} bytes"),
        Flaw::LargeManifest => format!("a manifest of more than {} bytes", flaw::MANIFEST_LIMIT),
        Flaw::ContentType(media_type) if media_type.is_empty() => {
            "delivered without a Content-Type".to_owned()
        }
        Flaw::ContentType(media_type) => format!("delivered as {media_type}"),
        Flaw::NotSelected(platform) => {
            format!("the way the index lists {platform}, clients do not find it")
        }
        Flaw::Encoded(encoding) => {
            format!("delivered with Content-Encoding {encoding}, which clients decode or refuse")
        }
        Flaw::OnlyInline => "only its descriptor has it, as data; the registry has not".to_owned(),
    }
}
