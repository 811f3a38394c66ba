//! Patterns over a finished report that people have met before.

use std::collections::BTreeSet;

pub use super::hint::Hint;
use super::hurt::Hurt;
use super::judgement::{Judgement, Root};
use super::{Image, Stop};
use crate::graph::{Graph, Node};
use crate::image::Kind;
use crate::reference::DOCKER_HUB;
use crate::verdict::Verdict;

/// The SHA-256 of no bytes, which content that was lost on the way often has.
const DIGEST_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Finds every hint that a report gives reason for, in a stable order.
#[must_use]
pub fn hints(judgement: &Judgement<'_>) -> Vec<Hint> {
    let mut hints = BTreeSet::new();
    if judgement.report.stopped == Some(Stop::Timeout) {
        hints.insert(Hint::Timeout);
    }
    for root in judgement.roots() {
        look_at_root(judgement, root, &mut hints);
    }
    for (place, image) in judgement.images() {
        look_at_image(judgement, place, image, &mut hints);
    }
    hints.into_iter().collect()
}

fn look_at_root(judgement: &Judgement<'_>, root: &Root<'_>, hints: &mut BTreeSet<Hint>) {
    let graph = &judgement.report.graphs[root.graph];
    if graph.node(root.node).outcome.verdict == Verdict::Missing {
        hints.insert(Hint::ReferenceMissing);
    }
    for id in graph.reachable(root.node) {
        let node = graph.node(id);
        hints.extend(of_children(graph, node));
        if judgement.is_lonely(root.graph, id) {
            hints.insert(Hint::LonelyFailure);
        } else {
            hints.extend(of_outcome(node));
        }
        if node.outcome.verdict == Verdict::Denied {
            let invisible = judgement.report.login_not_visible;
            hints.insert(if invisible { Hint::LoginNotVisible } else { Hint::Denied });
        }
    }
    let is_lost = |verdict: Verdict| verdict.is_definite();
    let mut lost = [&root.broken, &root.warned]
        .into_iter()
        .flatten()
        .filter(|id| is_lost(graph.node(**id).outcome.verdict))
        .map(|id| root.hurt.get(id))
        .peekable();
    if lost.peek().is_some() && root.undecided.is_empty() && lost.all(|hurt| hurt == Some(&Hurt::Provenance)) {
        hints.insert(Hint::OnlyAttestations);
        hints.remove(&Hint::SomeChildrenMissing);
    }
}

fn look_at_image(judgement: &Judgement<'_>, place: usize, image: &Image, hints: &mut BTreeSet<Hint>) {
    let root = judgement.root(place);
    let graph = &judgement.report.graphs[root.graph];
    let reachable = graph.reachable(root.node);
    let mut nodes = reachable.iter().map(|id| graph.node(*id));
    if nodes.clone().any(|node| node.outcome.verdict == Verdict::RateLimited) {
        let hub = image.reference.repository.registry == DOCKER_HUB;
        hints.insert(if hub { Hint::DockerHubLimit } else { Hint::RateLimit });
    }
    if image.expected.is_some() && nodes.any(|node| node.kind == Kind::Config && node.digest == image.expected) {
        hints.insert(Hint::ImageId);
    }
}

fn of_children(graph: &Graph, parent: &Node) -> Option<Hint> {
    let children = || parent.children.iter().map(|edge| graph.node(edge.to));
    let gone = |node: &Node| node.outcome.verdict == Verdict::Missing;
    if parent.outcome.verdict != Verdict::Ok {
        None
    } else if parent.kind != Kind::Index {
        children().any(|child| !child.kind.is_manifest() && gone(child)).then_some(Hint::BlobsMissing)
    } else if children().any(|child| child.kind == Kind::Index && child.outcome.verdict == Verdict::Ok) {
        Some(Hint::NestedIndex)
    } else {
        let listed =
            || children().filter(|child| child.kind != Kind::Referrer && child.outcome.verdict != Verdict::Skipped);
        match listed().filter(|child| gone(child)).count() {
            0 => None,
            lost if lost == listed().count() => Some(Hint::EveryChildMissing),
            _ => Some(Hint::SomeChildrenMissing),
        }
    }
}

fn of_outcome(node: &Node) -> Option<Hint> {
    let outcome = &node.outcome;
    let named_empty = || {
        outcome.detail.contains(DIGEST_OF_NOTHING)
            || node.digest.as_ref().is_some_and(|digest| digest.digest() == DIGEST_OF_NOTHING)
    };
    match outcome.verdict {
        Verdict::Ok | Verdict::Skipped | Verdict::NotChecked => None,
        Verdict::Unavailable if outcome.status.is_none_or(|status| status < 500) => of_connection(&outcome.detail),
        verdict if verdict.is_definite() && named_empty() => Some(Hint::EmptyContent),
        Verdict::Empty | Verdict::Truncated if matches!(outcome.status, Some(200 | 206)) => Some(Hint::StaleCache),
        Verdict::Unsupported if is_schema_one(node) => Some(Hint::SchemaOne),
        _ => None,
    }
}

fn is_schema_one(node: &Node) -> bool {
    let says = |text: &str| {
        let text = text.to_ascii_lowercase();
        ["schema 1", "schema1", "schemaversion 1", "manifest.v1+"].iter().any(|word| text.contains(word))
    };
    says(&node.media_type) || says(&node.outcome.detail)
}

/// Reads the words of the network and TLS libraries, as far as they tell what to do.
fn of_connection(detail: &str) -> Option<Hint> {
    const WORDS: [(&str, Hint); 18] = [
        ("http request to an https", Hint::NotPlainHttp),
        ("plain http request was sent to https", Hint::NotPlainHttp),
        ("requires https", Hint::NotPlainHttp),
        ("corrupt message", Hint::PlainHttp),
        ("invalidcontenttype", Hint::PlainHttp),
        ("wrong version number", Hint::PlainHttp),
        ("unknownissuer", Hint::UnknownIssuer),
        ("unknown issuer", Hint::UnknownIssuer),
        ("unable to get local issuer", Hint::UnknownIssuer),
        ("self-signed", Hint::UnknownIssuer),
        ("notvalidforname", Hint::BadCertificate),
        ("not valid for name", Hint::BadCertificate),
        ("certificate", Hint::BadCertificate),
        ("connection refused", Hint::Refused),
        ("dns error", Hint::UnknownHost),
        ("failed to lookup", Hint::UnknownHost),
        ("no record", Hint::UnknownHost),
        ("could not be resolved", Hint::UnknownHost),
    ];
    let detail = detail.to_ascii_lowercase();
    WORDS.into_iter().find(|(word, _)| detail.contains(word)).map(|(_, hint)| hint)
}
