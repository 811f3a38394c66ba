//! Patterns over a finished report that people have met before.

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use super::hint::{Advice, Hint};
use super::hurt::Hurt;
use super::judgement::{Judgement, Root};
use super::{FindingKind, Image};
use crate::oci::manifest::Kind;
use crate::oci::reference::{DOCKER_HUB, Reference};
use crate::walk::graph::{Graph, Node, NodeId};
use crate::walk::source::Obstacle;
use crate::walk::stop::Stop;
use crate::walk::verdict;
use crate::walk::verdict::Verdict;

/// The SHA-256 of no bytes, which content that was lost on the way often has.
const DIGEST_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Finds every hint that a report gives reason for, in the order in which it is to be done, each once.
#[must_use]
pub fn advice(judgement: &Judgement<'_>) -> Vec<Advice> {
    let report = judgement.report;
    let of_roots: Vec<BTreeSet<Hint>> = judgement
        .roots()
        .iter()
        .map(|root| of_root(judgement, root))
        .collect();
    let mut images: BTreeMap<Hint, Vec<usize>> = BTreeMap::new();
    for (place, image) in judgement.images() {
        let mut hints = of_roots[judgement.root_place(place)].clone();
        hints.extend(of_image(judgement, place, image));
        for hint in hints.iter().filter(|hint| !hint.is_said_by(&hints)) {
            images.entry(*hint).or_default().push(place);
        }
    }
    let names = if report.images.len() > 1 {
        short_names(&report.images)
    } else {
        Vec::new()
    };
    let for_all = |hint| Advice {
        hint,
        images: Vec::new(),
    };
    let mut advice: Vec<Advice> = images
        .into_iter()
        .map(|(hint, images)| match images.len() {
            all if all == report.images.len() => for_all(hint),
            _ => Advice {
                hint,
                images: images
                    .into_iter()
                    .map(|image| names[image].clone())
                    .collect(),
            },
        })
        .collect();
    if report.stopped == Some(Stop::Timeout) {
        advice.push(for_all(if report.settling.is_some() {
            Hint::TimeoutWhileSettling
        } else {
            Hint::Timeout
        }));
    }
    advice
}

/// What each image is called beside the others: `app:1`, or the whole reference where that is said of another one too.
fn short_names(images: &[Image]) -> Vec<String> {
    let short = |reference: &Reference| {
        let whole = reference.to_string();
        whole
            .rsplit_once('/')
            .map_or(whole.clone(), |(_, name)| name.to_owned())
    };
    let mut said: HashMap<String, usize> = HashMap::new();
    for image in images {
        *said.entry(short(&image.reference)).or_default() += 1;
    }
    let name = |image: &Image| Some(short(&image.reference)).filter(|name| said[name] == 1);
    images
        .iter()
        .map(|image| name(image).unwrap_or_else(|| image.reference.to_string()))
        .collect()
}

impl Hint {
    /// Whether another of these says all that it would say.
    fn is_said_by(self, others: &BTreeSet<Self>) -> bool {
        let stronger: &[Self] = match self {
            Self::StaleCache => &[Self::DamagedFile],
            Self::BlobsMissing => &[
                Self::DamagedFile,
                Self::StaleCache,
                Self::EveryChildMissing,
                Self::SomeChildrenMissing,
            ],
            Self::SomeChildrenMissing => &[Self::OnlyAttestations, Self::OnlyAttestationsWarned],
            Self::WrongDigest => &[Self::ImageId],
            _ => &[],
        };
        stronger.iter().any(|hint| others.contains(hint))
    }
}

fn of_root(judgement: &Judgement<'_>, root: &Root<'_>) -> BTreeSet<Hint> {
    let mut hints = BTreeSet::new();
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
            hints.insert(if invisible {
                Hint::LoginNotVisible
            } else {
                Hint::Denied
            });
        }
    }
    if hints.contains(&Hint::ServerError)
        && let Some(some) = some_fail(graph)
    {
        hints.remove(&Hint::ServerError);
        hints.insert(some);
    }
    hints.extend(only_attestations(graph, root));
    hints
}

fn only_attestations(graph: &Graph, root: &Root<'_>) -> Option<Hint> {
    let mut lost = [&root.broken, &root.warned]
        .into_iter()
        .flatten()
        .filter(|id| graph.node(**id).verdict().is_definite())
        .map(|id| root.hurt.get(*id))
        .peekable();
    let only = lost.peek().is_some()
        && root.undecided.is_empty()
        && lost.all(|hurt| hurt == Some(Hurt::Provenance));
    only.then_some(if root.broken.is_empty() {
        Hint::OnlyAttestationsWarned
    } else {
        Hint::OnlyAttestations
    })
}

fn is_server_error(node: Node<'_>) -> bool {
    node.verdict() == Verdict::Unavailable
        && node
            .status()
            .is_some_and(|status| (500..600).contains(&status))
}

/// Several digests of a repository that answer 5xx while others are fine.
fn some_fail(graph: &Graph) -> Option<Hint> {
    let mut failing: Vec<NodeId> = graph
        .iter()
        .filter(|(_, node)| is_server_error(*node) && !node.is_nameless())
        .map(|(id, _)| id)
        .collect();
    failing.sort_unstable_by(|one, other| graph.compare_digests(*one, *other));
    failing.dedup_by(|one, other| graph.compare_digests(*one, *other).is_eq());
    let (failing, fine) = (failing.len(), graph.count(Verdict::Ok));
    (failing > 1 && fine > 0).then_some(Hint::SomeFail { failing, fine })
}

fn of_image(judgement: &Judgement<'_>, place: usize, image: &Image) -> Vec<Hint> {
    let root = judgement.root(place);
    let graph = &judgement.report.graphs[root.graph];
    let of_finding = |kind| match kind {
        FindingKind::WrongDigest => Hint::WrongDigest,
        FindingKind::TagsDiffer => Hint::TagsDiffer,
        FindingKind::PlatformMissing => Hint::PlatformMissing,
    };
    let mut hints: Vec<Hint> = image
        .findings
        .iter()
        .map(|finding| of_finding(finding.kind))
        .collect();
    let reachable = graph.reachable(root.node);
    let mut nodes = reachable.iter().map(|id| graph.node(*id));
    if nodes
        .clone()
        .any(|node| node.verdict() == Verdict::RateLimited)
    {
        let hub = image.reference.repository.registry == DOCKER_HUB;
        hints.push(if hub {
            Hint::DockerHubLimit
        } else {
            Hint::RateLimit
        });
    }
    if nodes.any(|node| {
        node.kind() == Kind::Config
            && image
                .expected
                .as_ref()
                .is_some_and(|expected| node.has_digest(expected))
    }) {
        hints.push(Hint::ImageId);
    }
    hints
}

fn of_children<'g>(graph: &'g Graph, parent: Node<'g>) -> Option<Hint> {
    let children = || parent.children().map(|edge| graph.node(edge.to));
    let gone = |node: &Node<'_>| node.verdict() == Verdict::Missing;
    if parent.verdict() != Verdict::Ok {
        None
    } else if parent.kind() != Kind::Index {
        children()
            .any(|child| !child.kind().is_manifest() && gone(&child))
            .then_some(Hint::BlobsMissing)
    } else if children().any(|child| child.kind() == Kind::Index && child.verdict() == Verdict::Ok)
    {
        Some(Hint::NestedIndex)
    } else {
        let listed = || {
            children().filter(|child| {
                child.kind() != Kind::Referrer && child.verdict() != Verdict::Skipped
            })
        };
        match listed().filter(|child| gone(child)).count() {
            0 => None,
            lost if lost == listed().count() => Some(Hint::EveryChildMissing),
            _ => Some(Hint::SomeChildrenMissing),
        }
    }
}

fn of_outcome(node: Node<'_>) -> Option<Hint> {
    let answered = matches!(node.status(), Some(200 | 206));
    let named_empty = || {
        node.detail().contains(DIGEST_OF_NOTHING)
            || node
                .digest()
                .is_some_and(|digest| digest.digest() == DIGEST_OF_NOTHING)
    };
    match node.verdict() {
        Verdict::Ok | Verdict::Skipped | Verdict::NotChecked => None,
        Verdict::Unavailable => match node.obstacle() {
            Some(obstacle) => Some(of_obstacle(obstacle)),
            None => is_server_error(node).then_some(Hint::ServerError),
        },
        verdict if verdict.is_definite() && named_empty() => Some(Hint::EmptyContent),
        Verdict::Empty | Verdict::Truncated | Verdict::SizeMismatch
            if verdict::states_its_size(node.detail()) =>
        {
            answered.then_some(Hint::DamagedFile)
        }
        Verdict::Empty | Verdict::Truncated => answered.then_some(Hint::StaleCache),
        Verdict::DigestMismatch => answered.then_some(Hint::ChangedContent),
        Verdict::Unsupported if is_schema_one(node) => Some(Hint::SchemaOne),
        _ => None,
    }
}

fn is_schema_one(node: Node<'_>) -> bool {
    let says = |text: &str| {
        let text = text.to_ascii_lowercase();
        [
            "schema 1",
            "schema1",
            "schemaversion 1",
            "docker.distribution.manifest.v1+",
        ]
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
        Obstacle::WebPage => Hint::WebPage,
        Obstacle::UnknownIssuer => Hint::UnknownIssuer,
        Obstacle::BadCertificate => Hint::BadCertificate,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::Report;
    use crate::report::example::{
        attestation, config, digest, index, layer, manifest, nothing, plain, referrer, report,
    };

    fn found(report: &Report) -> Vec<Hint> {
        Judgement::of(report)
            .advice
            .into_iter()
            .map(|advice| advice.hint)
            .collect()
    }

    fn one(content: crate::report::example::Content) -> Vec<Hint> {
        found(&report(&[("registry.example/app:1", content)]))
    }

    #[test]
    fn a_whole_image_needs_no_advice() {
        assert_eq!(
            one(index(0x10)
                .with(manifest(0x20, "linux/amd64"))
                .with(attestation(0x30))),
            []
        );
    }

    #[test]
    fn children_that_answer_404_are_told_by_their_number() {
        let all = index(0x10)
            .with(manifest(0x20, "linux/amd64").missing())
            .with(attestation(0x30).missing());
        assert_eq!(one(all), [Hint::EveryChildMissing]);
        let some = index(0x10)
            .with(manifest(0x20, "linux/amd64").missing())
            .with(manifest(0x30, "linux/arm64"));
        assert_eq!(one(some), [Hint::SomeChildrenMissing]);
        let allowed = index(0x10)
            .with(manifest(0x20, "linux/amd64").missing())
            .with(manifest(0x30, "linux/arm64").skipped("allowed to be missing"));
        assert_eq!(one(allowed), [Hint::EveryChildMissing]);
        assert_eq!(one(index(0x10).missing()), [Hint::ReferenceMissing]);
        assert_eq!(
            one(index(0x10)
                .with(manifest(0x20, "linux/amd64"))
                .with(referrer(0x30).missing())),
            []
        );
        assert_eq!(
            one(plain(0x20).with(layer(0x22).missing())),
            [Hint::BlobsMissing]
        );
    }

    #[test]
    fn only_attestations_is_said_when_nothing_else_is_lost() {
        let image = || index(0x10).with(manifest(0x20, "linux/amd64"));
        assert_eq!(
            one(image().with(attestation(0x30).missing())),
            [Hint::OnlyAttestations]
        );
        assert_eq!(
            one(image().with(attestation(0x30).missing().minor())),
            [Hint::OnlyAttestationsWarned]
        );
        let more = image()
            .with(attestation(0x30).missing())
            .with(manifest(0x40, "linux/arm64").missing());
        assert_eq!(one(more), [Hint::SomeChildrenMissing]);
        let unknown = image()
            .with(attestation(0x30).missing())
            .with(manifest(0x40, "linux/arm64").denied());
        assert_eq!(one(unknown), [Hint::SomeChildrenMissing, Hint::Denied]);
    }

    #[test]
    fn a_stale_cache_shows_behind_a_success() {
        for (verdict, status, expected) in [
            (Verdict::Empty, 206, vec![Hint::StaleCache]),
            (Verdict::Truncated, 200, vec![Hint::StaleCache]),
            (Verdict::Truncated, 416, vec![]),
            (Verdict::DigestMismatch, 200, vec![Hint::ChangedContent]),
            (Verdict::DigestMismatch, 0, vec![]),
        ] {
            let image = plain(0x20).with(layer(0x22).found(verdict, status, "as it came"));
            assert_eq!(one(image), expected, "{verdict:?} {status}");
        }
    }

    #[test]
    fn a_size_that_the_registry_states_itself_is_no_stale_cache() {
        for verdict in [Verdict::Empty, Verdict::Truncated, Verdict::SizeMismatch] {
            let damaged = |status| {
                layer(0x22).found(verdict, status, "expected 10 bytes, the registry has 0")
            };
            assert_eq!(
                one(plain(0x20).with(damaged(Some(200)))),
                [Hint::DamagedFile]
            );
            assert_eq!(
                one(plain(0x20).with(damaged(None))),
                [],
                "inline data has no registry"
            );
        }
    }

    #[test]
    fn what_is_said_by_a_stronger_hint_is_left_out() {
        let gone = || layer(0x22).missing();
        let stale = || layer(0x23).found(Verdict::Empty, 206, "gives no bytes");
        let damaged =
            || layer(0x24).found(Verdict::Empty, 200, "expected 10 bytes, the registry has 0");
        assert_eq!(
            one(plain(0x20).with(gone()).with(stale())),
            [Hint::StaleCache]
        );
        assert_eq!(
            one(plain(0x20).with(gone()).with(stale()).with(damaged())),
            [Hint::DamagedFile]
        );
        let child_gone = index(0x10)
            .with(manifest(0x20, "linux/amd64").with(gone()).with(stale()))
            .with(manifest(0x30, "linux/arm64").missing());
        assert_eq!(
            one(child_gone),
            [Hint::StaleCache, Hint::SomeChildrenMissing],
            "restart before push"
        );
    }

    #[test]
    fn a_hint_names_its_images_when_there_are_others() {
        let gone = |name: u8| plain(name).with(layer(name + 2).missing());
        let told = |images: &[&str]| {
            let whole = ("registry.example/whole:1", plain(0x10));
            let broken = images
                .iter()
                .zip(0x20..)
                .map(|(image, name)| (*image, gone(name * 4)));
            let report = report(&std::iter::once(whole).chain(broken).collect::<Vec<_>>());
            Judgement::of(&report)
                .advice
                .into_iter()
                .map(|advice| advice.to_string())
                .collect::<Vec<_>>()
        };
        let begins = |images: &[&str], words: &str| {
            let told = told(images);
            assert!(told.len() == 1 && told[0].starts_with(words), "{told:?}");
        };
        begins(
            &["registry.example/team/app:1"],
            "app:1: a manifest is there",
        );
        begins(
            &["registry.example/a/app:1", "registry.example/b/app:1"],
            "registry.example/a/app:1 and registry.example/b/app:1: a",
        );
        begins(
            &[
                "r.example/a:1",
                "r.example/b:1",
                "r.example/c:1",
                "r.example/d:1",
            ],
            "a:1, b:1, c:1 and 1 more: a",
        );
        let all = report(&[("r.example/a:1", gone(0x20)), ("r.example/b:1", gone(0x30))]);
        assert_eq!(
            Judgement::of(&all).advice[0].whom(),
            None,
            "for all of them"
        );
    }

    #[test]
    fn what_a_registry_fails_at_by_itself_is_told_by_how_much_it_is() {
        let failing = |name| layer(name).found(Verdict::Unavailable, 503, "answered 503");
        assert_eq!(
            one(nothing().found(Verdict::Unavailable, 503, "answered 503")),
            [Hint::ServerError]
        );
        let some = plain(0x20)
            .with(layer(0x22))
            .with(failing(0x23))
            .with(failing(0x24));
        assert_eq!(
            one(some),
            [Hint::SomeFail {
                failing: 2,
                fine: 3
            }]
        );
    }

    #[test]
    fn what_is_wrong_with_an_image_as_a_whole_is_advised_on() {
        for (kind, expected) in [
            (FindingKind::WrongDigest, Hint::WrongDigest),
            (FindingKind::TagsDiffer, Hint::TagsDiffer),
            (FindingKind::PlatformMissing, Hint::PlatformMissing),
        ] {
            let mut report = report(&[("app:1", plain(0x20))]);
            report.images[0].findings.push(crate::report::Finding {
                kind,
                detail: String::new(),
            });
            assert_eq!(found(&report), [expected]);
        }
        let mut report = report(&[("app:1", plain(0x20))]);
        let kind = FindingKind::WrongDigest;
        report.images[0].findings.push(crate::report::Finding {
            kind,
            detail: String::new(),
        });
        report.images[0].expected = Some(digest(0x21));
        assert_eq!(
            found(&report),
            [Hint::ImageId],
            "it says why the digest is a wrong one"
        );
    }

    #[test]
    fn a_timeout_within_the_settle_window_is_not_blamed_on_the_registry() {
        let mut report = report(&[("app:1", nothing().unreachable("no answer to rely on"))]);
        report.stopped = Some(Stop::Timeout);
        assert_eq!(found(&report), [Hint::Timeout]);
        report.settling = Some(Duration::from_secs(15));
        assert_eq!(found(&report), [Hint::TimeoutWhileSettling]);
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
        assert_eq!(
            found(&report(&[("app:1", limited())])),
            [Hint::DockerHubLimit]
        );
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
        let image =
            plain(0x20).with(layer(0x22).found(Verdict::Unavailable, 500, "internal error"));
        assert_eq!(one(image), [Hint::LonelyFailure]);
    }

    #[test]
    fn nested_indexes_and_schema_one_are_named() {
        assert_eq!(
            one(index(0x10).with(index(0x11).with(manifest(0x20, "linux/amd64")))),
            [Hint::NestedIndex]
        );
        assert_eq!(
            one(plain(0x20).found(Verdict::Unsupported, 200, "schema 1")),
            [Hint::SchemaOne]
        );
        assert_eq!(
            one(plain(0x20).with(config(0x30).found(Verdict::Unsupported, None, "md5"))),
            []
        );
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
            (Obstacle::WebPage, Hint::WebPage),
            (Obstacle::UnknownIssuer, Hint::UnknownIssuer),
            (Obstacle::BadCertificate, Hint::BadCertificate),
        ] {
            assert_eq!(
                one(nothing().unreachable("why").hindered(obstacle)),
                [expected]
            );
        }
        assert_eq!(
            one(nothing().unreachable("connection refused by a certificate without TLS")),
            []
        );
    }

    #[test]
    fn a_hint_is_given_once_for_all_images() {
        let mut report = report(&[
            ("app:1", plain(0x20).with(layer(0x22).missing())),
            (
                "app:2",
                plain(0x30)
                    .with(layer(0x32).missing())
                    .with(layer(0x33).not_checked()),
            ),
        ]);
        report.stopped = Some(Stop::Timeout);
        assert_eq!(found(&report), [Hint::BlobsMissing, Hint::Timeout]);
    }
}
