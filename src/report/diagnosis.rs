//! Patterns over a finished report that people have met before.

use std::collections::BTreeSet;

pub use super::hint::Hint;
use super::hurt::Hurt;
use super::judgement::{Judgement, Root};
use super::{Image, Stop};
use crate::graph::{Graph, Node};
use crate::image::Kind;
use crate::reference::DOCKER_HUB;
use crate::source::Obstacle;
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
    let own = graph.node(root.node);
    if own.verdict() == Verdict::Missing && own.is_leaf() {
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
        if node.verdict() == Verdict::Denied {
            let invisible = judgement.report.login_not_visible;
            hints.insert(if invisible { Hint::LoginNotVisible } else { Hint::Denied });
        }
    }
    let is_lost = |verdict: Verdict| verdict.is_definite();
    let mut lost = [&root.broken, &root.warned]
        .into_iter()
        .flatten()
        .filter(|id| is_lost(graph.node(**id).verdict()))
        .map(|id| root.hurt.get(*id))
        .peekable();
    if lost.peek().is_some() && root.undecided.is_empty() && lost.all(|hurt| hurt == Some(Hurt::Provenance)) {
        hints.insert(Hint::OnlyAttestations);
        hints.remove(&Hint::SomeChildrenMissing);
    }
}

fn look_at_image(judgement: &Judgement<'_>, place: usize, image: &Image, hints: &mut BTreeSet<Hint>) {
    let root = judgement.root(place);
    let graph = &judgement.report.graphs[root.graph];
    let reachable = graph.reachable(root.node);
    let mut nodes = reachable.iter().map(|id| graph.node(*id));
    if nodes.clone().any(|node| node.verdict() == Verdict::RateLimited) {
        let hub = image.reference.repository.registry == DOCKER_HUB;
        hints.insert(if hub { Hint::DockerHubLimit } else { Hint::RateLimit });
    }
    if nodes.any(|node| {
        node.kind() == Kind::Config && image.expected.as_ref().is_some_and(|expected| node.has_digest(expected))
    }) {
        hints.insert(Hint::ImageId);
    }
}

fn of_children<'g>(graph: &'g Graph, parent: Node<'g>) -> Option<Hint> {
    let children = || parent.children().map(|edge| graph.node(edge.to));
    let gone = |node: &Node<'_>| node.verdict() == Verdict::Missing;
    if parent.verdict() != Verdict::Ok {
        None
    } else if parent.kind() != Kind::Index {
        children().any(|child| !child.kind().is_manifest() && gone(&child)).then_some(Hint::BlobsMissing)
    } else if children().any(|child| child.kind() == Kind::Index && child.verdict() == Verdict::Ok) {
        Some(Hint::NestedIndex)
    } else {
        let listed =
            || children().filter(|child| child.kind() != Kind::Referrer && child.verdict() != Verdict::Skipped);
        match listed().filter(|child| gone(child)).count() {
            0 => None,
            lost if lost == listed().count() => Some(Hint::EveryChildMissing),
            _ => Some(Hint::SomeChildrenMissing),
        }
    }
}

fn of_outcome(node: Node<'_>) -> Option<Hint> {
    let named_empty = || {
        node.detail().contains(DIGEST_OF_NOTHING)
            || node.digest().is_some_and(|digest| digest.digest() == DIGEST_OF_NOTHING)
    };
    match node.verdict() {
        Verdict::Ok | Verdict::Skipped | Verdict::NotChecked => None,
        Verdict::Unavailable => node.obstacle().map(of_obstacle),
        verdict if verdict.is_definite() && named_empty() => Some(Hint::EmptyContent),
        Verdict::Empty | Verdict::Truncated if matches!(node.status(), Some(200 | 206)) => Some(Hint::StaleCache),
        Verdict::Unsupported if is_schema_one(node) => Some(Hint::SchemaOne),
        _ => None,
    }
}

fn is_schema_one(node: Node<'_>) -> bool {
    let says = |text: &str| {
        let text = text.to_ascii_lowercase();
        ["schema 1", "schema1", "schemaversion 1", "docker.distribution.manifest.v1+"]
            .iter()
            .any(|word| text.contains(word))
    };
    says(node.media_type()) || says(node.detail())
}

fn of_obstacle(obstacle: Obstacle) -> Hint {
    match obstacle {
        Obstacle::UnknownHost => Hint::UnknownHost,
        Obstacle::NobodyListens => Hint::Refused,
        Obstacle::WithoutTls => Hint::PlainHttp,
        Obstacle::WithoutPlainHttp => Hint::NotPlainHttp,
        Obstacle::Elsewhere => Hint::Elsewhere,
        Obstacle::NoRegistry => Hint::NoRegistry,
        Obstacle::UnknownIssuer => Hint::UnknownIssuer,
        Obstacle::BadCertificate => Hint::BadCertificate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::report::example::{
        attestation, config, digest, index, layer, manifest, nothing, plain, referrer, report,
    };

    fn found(report: &Report) -> Vec<Hint> {
        Judgement::of(report).hints
    }

    fn one(content: crate::report::example::Content) -> Vec<Hint> {
        found(&report(&[("registry.example/app:1", content)]))
    }

    #[test]
    fn a_whole_image_needs_no_advice() {
        assert_eq!(one(index(0x10).with(manifest(0x20, "linux/amd64")).with(attestation(0x30))), []);
    }

    #[test]
    fn children_that_answer_404_are_told_by_their_number() {
        let all = index(0x10).with(manifest(0x20, "linux/amd64").missing()).with(attestation(0x30).missing());
        assert_eq!(one(all), [Hint::EveryChildMissing]);
        let some = index(0x10).with(manifest(0x20, "linux/amd64").missing()).with(manifest(0x30, "linux/arm64"));
        assert_eq!(one(some), [Hint::SomeChildrenMissing]);
        let allowed = index(0x10)
            .with(manifest(0x20, "linux/amd64").missing())
            .with(manifest(0x30, "linux/arm64").skipped("allowed to be missing"));
        assert_eq!(one(allowed), [Hint::EveryChildMissing]);
        assert_eq!(one(index(0x10).missing()), [Hint::ReferenceMissing]);
        assert_eq!(one(index(0x10).with(manifest(0x20, "linux/amd64")).with(referrer(0x30).missing())), []);
        assert_eq!(one(plain(0x20).with(layer(0x22).missing())), [Hint::BlobsMissing]);
    }

    #[test]
    fn only_attestations_is_said_when_nothing_else_is_lost() {
        let image = || index(0x10).with(manifest(0x20, "linux/amd64"));
        assert_eq!(one(image().with(attestation(0x30).missing())), [Hint::OnlyAttestations]);
        assert_eq!(one(image().with(attestation(0x30).missing().minor())), [Hint::OnlyAttestations]);
        let more = image().with(attestation(0x30).missing()).with(manifest(0x40, "linux/arm64").missing());
        assert_eq!(one(more), [Hint::SomeChildrenMissing]);
        let unknown = image().with(attestation(0x30).missing()).with(manifest(0x40, "linux/arm64").denied());
        assert_eq!(one(unknown), [Hint::SomeChildrenMissing, Hint::Denied]);
    }

    #[test]
    fn a_stale_cache_shows_behind_a_success() {
        for (verdict, status, expected) in [
            (Verdict::Empty, 206, vec![Hint::StaleCache]),
            (Verdict::Truncated, 200, vec![Hint::StaleCache]),
            (Verdict::Truncated, 416, vec![]),
            (Verdict::DigestMismatch, 200, vec![]),
        ] {
            let image = plain(0x20).with(layer(0x22).found(verdict, status, "as it came"));
            assert_eq!(one(image), expected, "{verdict:?} {status}");
        }
    }

    #[test]
    fn an_image_id_is_recognised() {
        let mut report = report(&[("app:1", plain(0x20))]);
        report.images[0].expected = Some(digest(0x20));
        assert_eq!(found(&report), []);
        report.images[0].expected = Some(digest(0x21));
        assert_eq!(found(&report), [Hint::ImageId]);
    }

    #[test]
    fn who_was_refused_learns_why() {
        let mut report = report(&[("app:1", nothing().denied())]);
        assert_eq!(found(&report), [Hint::Denied]);
        report.login_not_visible = true;
        assert_eq!(found(&report), [Hint::LoginNotVisible]);
    }

    #[test]
    fn docker_hub_has_its_own_limit() {
        let limited = || plain(0x20).found(Verdict::RateLimited, 429, "too many requests");
        assert_eq!(found(&report(&[("app:1", limited())])), [Hint::DockerHubLimit]);
        assert_eq!(one(limited()), [Hint::RateLimit]);
    }

    #[test]
    fn the_digest_of_nothing_is_recognised() {
        let came = format!("expected sha256:22…, got sha256:{DIGEST_OF_NOTHING}");
        let image = plain(0x20).with(layer(0x22).found(Verdict::DigestMismatch, 200, &came));
        assert_eq!(one(image), [Hint::EmptyContent]);
    }

    #[test]
    fn a_lonely_5xx_is_lost_content() {
        let image = plain(0x20).with(layer(0x22).found(Verdict::Unavailable, 500, "internal error"));
        assert_eq!(one(image), [Hint::LonelyFailure]);
    }

    #[test]
    fn nested_indexes_and_schema_one_are_named() {
        assert_eq!(one(index(0x10).with(index(0x11).with(manifest(0x20, "linux/amd64")))), [Hint::NestedIndex]);
        assert_eq!(one(plain(0x20).found(Verdict::Unsupported, 200, "schema 1")), [Hint::SchemaOne]);
        assert_eq!(one(plain(0x20).with(config(0x30).found(Verdict::Unsupported, None, "md5"))), []);
    }

    #[test]
    fn what_stands_in_the_way_has_its_advice() {
        for (obstacle, expected) in [
            (Obstacle::UnknownHost, Hint::UnknownHost),
            (Obstacle::NobodyListens, Hint::Refused),
            (Obstacle::WithoutTls, Hint::PlainHttp),
            (Obstacle::WithoutPlainHttp, Hint::NotPlainHttp),
            (Obstacle::Elsewhere, Hint::Elsewhere),
            (Obstacle::NoRegistry, Hint::NoRegistry),
            (Obstacle::UnknownIssuer, Hint::UnknownIssuer),
            (Obstacle::BadCertificate, Hint::BadCertificate),
        ] {
            assert_eq!(one(nothing().unreachable("why").hindered(obstacle)), [expected]);
        }
        assert_eq!(one(nothing().unreachable("connection refused by a certificate without TLS")), []);
    }

    #[test]
    fn a_hint_is_given_once_for_all_images() {
        let mut report = report(&[
            ("app:1", plain(0x20).with(layer(0x22).missing())),
            ("app:2", plain(0x30).with(layer(0x32).missing()).with(layer(0x33).not_checked())),
        ]);
        report.stopped = Some(Stop::Timeout);
        assert_eq!(found(&report), [Hint::BlobsMissing, Hint::Timeout]);
    }
}
