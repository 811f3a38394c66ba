//! Which hints apply to a judged repository. They follow from verdicts, causes and statuses
//! alone, never from the words of a sentence; and the digests that each is about.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::SystemTime;

use oci_spec::image::Digest;

use super::affected::Affected;
use super::hint::Hint;
use super::judged::{Context, Gravity, Judged, Root, gravity_of};
use super::remedy::{About, Content};
use super::scene::{Evidence, Scene};
use crate::oci::digest::is_of_nothing;
use crate::oci::flaw::Flaw;
use crate::oci::in_layout;
use crate::oci::kind::Kind;
use crate::oci::reference::{DOCKER_HUB, Reference};
use crate::walk::cause::{Cause, Place, Trouble};
use crate::walk::checked::{Checked, Finding, Subject};
use crate::walk::graph::{Graph, Node, NodeId};
use crate::walk::product::Product;
use crate::walk::verdict::Verdict;

/// The hints for a repository.
#[derive(Debug)]
pub(super) struct Hints {
    /// Those for each image; what a stronger one says already is left out.
    pub(super) of_subjects: Vec<BTreeSet<Hint>>,
    /// The digests that each hint is about.
    about: BTreeMap<Hint, Digests>,
    /// When the run began.
    now: SystemTime,
}

/// The digests that a hint is about.
#[derive(Debug)]
struct Digests {
    first: NodeId,
    all: HashSet<NodeId>,
}

/// The hints for one root, and the digests that each is about.
type OfRoot = BTreeMap<Hint, Vec<NodeId>>;

impl Hints {
    /// None.
    pub(super) fn none(context: Context) -> Self {
        Self {
            of_subjects: Vec::new(),
            about: BTreeMap::new(),
            now: context.now,
        }
    }

    pub(super) fn of(judged: &Judged<'_>, context: Context) -> Self {
        let mut about: BTreeMap<Hint, Digests> = BTreeMap::new();
        let mut of_roots: Vec<BTreeSet<Hint>> = Vec::new();
        for root in &judged.roots {
            let found = match judged.checked.product {
                Product::Disk => of_root_on_disk(root),
                _ if in_layout::directory(&judged.checked.repository).is_some() => {
                    of_layout(root, of_root(root, context))
                }
                _ => of_root(root, context),
            };
            let is_covered = |hint: &Hint| hint.is_covered_by(|other| found.contains_key(other));
            of_roots.push(found.keys().cloned().collect());
            for (hint, nodes) in found.iter().filter(|(hint, _)| !is_covered(hint)) {
                for node in nodes {
                    let (first, all) = (*node, HashSet::new());
                    let digests = about.entry(hint.clone()).or_insert(Digests { first, all });
                    digests.all.insert(*node);
                }
            }
        }
        let subjects = judged.checked.subjects.iter().enumerate();
        let of_subjects = subjects.map(|(place, subject)| {
            let mut hints = of_roots[judged.root_place(place)].clone();
            hints.extend(of_subject(judged.root(place), subject));
            let all = hints.clone();
            hints.retain(|hint| !hint.is_covered_by(|other| all.contains(other)));
            hints
        });
        Self {
            of_subjects: of_subjects.collect(),
            about,
            now: context.now,
        }
    }

    /// What a hint is about.
    pub(super) fn about(&self, hint: &Hint, checked: &Checked) -> About {
        let graph = &checked.graph;
        let scene = self.scene(hint, checked).map(Box::new);
        if !hint.is_about_content() {
            return About {
                scene,
                ..About::default()
            };
        }
        let content = self.about.get(hint).and_then(|digests| {
            let mut all: Vec<NodeId> = digests.all.iter().copied().collect();
            let count = graph.distinct_digests(&mut all);
            Some(Content {
                repository: checked.repository.name.clone(),
                digest: graph.node(digests.first).digest()?,
                others: count - 1,
            })
        });
        About {
            product: checked.product,
            content,
            scene,
        }
    }

    /// What is known of the first image that a hint is for.
    fn scene(&self, hint: &Hint, checked: &Checked) -> Option<Scene> {
        /// How many references are named that are not there.
        const NAMED: usize = 3;
        let hinted = self.of_subjects.iter().zip(&checked.subjects);
        let hinted = hinted.filter(|(hints, _)| hints.contains(hint));
        let mut subjects = hinted.map(|(_, subject)| subject).peekable();
        let first = *subjects.peek()?;
        let node = self.about.get(hint).map(|digests| {
            let node = checked.graph.node(digests.first);
            Evidence {
                kind: node.kind(),
                media_type: node.media_type().to_owned(),
                verdict: node.verdict(),
                cause: innermost(node.cause()).clone(),
            }
        });
        let listed = |reference: &Reference| {
            let tag = reference.tag.as_deref()?;
            checked.known.tags.get(tag).cloned()
        };
        let missing = match hint {
            Hint::ReferenceMissing => subjects
                .map(|subject| &subject.reference)
                .take(NAMED)
                .map(|reference| (reference.clone(), listed(reference)))
                .collect(),
            _ => Vec::new(),
        };
        Some(Scene {
            reference: first.reference.clone(),
            repositories: vec![checked.repository.short().to_owned()],
            known: checked.known.clone(),
            node,
            findings: first.findings.clone(),
            created: checked.graph.created(first.root),
            now: self.now,
            missing,
        })
    }
}

/// Notes a hint; the first of a kind stays, because a registry may name many token servers.
fn note(hints: &mut OfRoot, hint: Hint, nodes: impl IntoIterator<Item = NodeId>) {
    let same = hints.keys().find(|known| known.id() == hint.id());
    let hint = same.cloned().unwrap_or(hint);
    hints.entry(hint).or_default().extend(nodes);
}

fn of_root(root: &Root<'_>, context: Context) -> OfRoot {
    let mut hints = OfRoot::new();
    let graph = root.graph;
    let own = graph.node(root.node);
    if own.verdict() == Verdict::Missing && own.is_leaf() {
        note(&mut hints, Hint::ReferenceMissing, None);
    }
    for id in graph.reachable(root.node) {
        let node = graph.node(id);
        if let Some((hint, lost)) = of_children(graph, node) {
            note(&mut hints, hint, lost);
        }
        if root.is_isolated(id) {
            note(&mut hints, Hint::OneDigestFails, [id]);
        } else if (!node.verdict().is_definite() || root.is_broken(id))
            && let Some(hint) = of_outcome(node)
        {
            note(&mut hints, hint, [id]);
        }
        if node.verdict() == Verdict::Denied {
            let hint = if context.login_not_visible {
                Hint::LoginNotVisible
            } else {
                Hint::Denied
            };
            note(&mut hints, hint, [id]);
        }
    }
    if hints.contains_key(&Hint::ServerError)
        && let Some(several) = several_digests_fail(graph)
    {
        hints.remove(&Hint::ServerError);
        note(&mut hints, several, None);
    }
    if let Some(only) = only_attestations(root) {
        note(&mut hints, only, None);
    }
    hints
}

/// The hints for an image in an OCI image layout: whatever is wrong with its content, only the build
/// can put it right.
fn of_layout(root: &Root<'_>, mut hints: OfRoot) -> OfRoot {
    let own = root.graph.node(root.node);
    let is_named = own.is_nameless();
    hints.retain(|hint, _| match hint {
        Hint::ReferenceMissing => is_named,
        Hint::EmptyContent => true,
        hint => !hint.is_about_content(),
    });
    let is_lost = |id: &&NodeId| {
        let node = root.graph.node(**id);
        let is_form = matches!(innermost(node.cause()), Cause::MisstatedSize { .. });
        let is_bytes = matches!(
            node.verdict(),
            Verdict::Missing
                | Verdict::Empty
                | Verdict::Truncated
                | Verdict::SizeMismatch
                | Verdict::DigestMismatch
        );
        is_bytes && !is_form && !node.is_nameless()
    };
    let lost: Vec<NodeId> = (root.broken.iter().chain(&root.warned))
        .filter(is_lost)
        .copied()
        .collect();
    if !lost.is_empty() {
        note(&mut hints, Hint::IncompleteLayout, lost);
    }
    hints
}

/// The same on the disk of a registry, where nothing is asked for.
fn of_root_on_disk(root: &Root<'_>) -> OfRoot {
    let mut hints = OfRoot::new();
    let graph = root.graph;
    for id in graph.reachable(root.node) {
        let node = graph.node(id);
        let is_nested = node.kind() == Kind::Index && node.verdict() == Verdict::Ok;
        if is_nested && id != root.node {
            note(&mut hints, Hint::NestedIndex, None);
        }
        if node.verdict().is_definite() && !root.is_broken(id) {
            continue;
        }
        if let Some(hint) = of_outcome_on_disk(node) {
            note(&mut hints, hint, [id]);
        }
    }
    if let Some(only) = only_attestations(root) {
        note(&mut hints, only, None);
    }
    hints
}

fn of_outcome_on_disk(node: Node<'_>) -> Option<Hint> {
    match (node.verdict(), node.cause()) {
        (_, Cause::Unreadable { .. }) => Some(Hint::UnreadableFile),
        (_, Cause::Unlinked { .. }) => Some(Hint::Unlinked),
        // What a tag leads to is not what its digest says.
        (Verdict::Missing, Cause::LinkDamaged(_) | Cause::OnlyByTag(_)) => {
            Some(Hint::DamagedOnDisk)
        }
        (Verdict::Missing, _) => Some(Hint::LostOnDisk),
        (verdict, _) => match of_outcome(node) {
            None if verdict.is_definite()
                && !matches!(verdict, Verdict::Malformed | Verdict::Unsupported) =>
            {
                Some(Hint::DamagedOnDisk)
            }
            hint => hint,
        },
    }
}

fn only_attestations(root: &Root<'_>) -> Option<Hint> {
    let mut lost = [&root.broken, &root.warned]
        .into_iter()
        .flatten()
        .filter(|id| root.graph.node(**id).verdict().is_definite())
        .map(|id| root.affected.get(*id))
        .peekable();
    let only = lost.peek().is_some()
        && root.undecided.is_empty()
        && lost.all(|affected| affected == Some(Affected::Provenance));
    only.then_some(if root.broken.is_empty() {
        Hint::OnlyAttestationsWarned
    } else {
        Hint::OnlyAttestations
    })
}

fn is_server_error(node: Node<'_>) -> bool {
    let is_5xx = |status| (500..600).contains(&status);
    node.verdict() == Verdict::Unavailable && node.status().is_some_and(is_5xx)
}

/// Several digests of a repository that answer 5xx while others are fine.
fn several_digests_fail(graph: &Graph) -> Option<Hint> {
    let mut failing: Vec<NodeId> = graph
        .iter()
        .filter(|(_, node)| is_server_error(*node) && !node.is_nameless())
        .map(|(id, _)| id)
        .collect();
    let (failing, fine) = (
        graph.distinct_digests(&mut failing),
        graph.count(Verdict::Ok),
    );
    (failing > 1 && fine > 0).then_some(Hint::SeveralDigestsFail { failing, fine })
}

fn of_subject(root: &Root<'_>, subject: &Subject) -> Vec<Hint> {
    let graph = root.graph;
    let nodes = || {
        graph
            .reachable(root.node)
            .into_iter()
            .map(|id| graph.node(id))
    };
    let is_config = |digest: &Digest| {
        let is_it = |node: Node<'_>| node.kind() == Kind::Config && node.has_digest(digest);
        nodes().any(is_it)
    };
    let of_finding = |finding: &Finding| match finding {
        Finding::WrongDigest { expected, .. } if is_config(expected) => Hint::ImageId,
        Finding::WrongDigest { .. } | Finding::StillWrong(_) => Hint::WrongDigest,
        Finding::TagsDiffer(_) => Hint::TagsDiffer,
        Finding::PlatformMissing { .. } => Hint::PlatformMissing,
        Finding::NotAnImage(_) => Hint::NotAnImage,
        Finding::HeadRefused(_)
        | Finding::HeadUnanswered(_)
        | Finding::HeadLacks(_)
        | Finding::NotListed
        | Finding::HeadDisagrees { .. } => Hint::HeadRefused,
        Finding::ContentType { .. } => Hint::ContentType,
    };
    let mut hints: Vec<Hint> = (subject.findings.iter())
        .filter(|finding| gravity_of(finding, root.counted()) != Gravity::Warned)
        .map(of_finding)
        .collect();
    if nodes().any(|node| node.verdict() == Verdict::RateLimited) {
        let is_hub = subject.reference.repository.registry == DOCKER_HUB;
        hints.push(if is_hub {
            Hint::DockerHubLimit
        } else {
            Hint::RateLimit
        });
    }
    hints
}

/// What the children of a node that is fine have in common, and which ones are lost.
fn of_children<'g>(graph: &'g Graph, parent: Node<'g>) -> Option<(Hint, Vec<NodeId>)> {
    let children = || parent.children().map(|edge| edge.to);
    let kind = |id: &NodeId| graph.node(*id).kind();
    let verdict = |id: &NodeId| graph.node(*id).verdict();
    let is_gone = |id: &NodeId| verdict(id) == Verdict::Missing;
    if parent.verdict() != Verdict::Ok {
        return None;
    }
    if parent.kind() != Kind::Index {
        let lost = children().filter(|id| !kind(id).is_manifest() && is_gone(id));
        let lost: Vec<_> = lost.collect();
        return (!lost.is_empty()).then_some((Hint::BlobsMissing, lost));
    }
    if children().any(|id| kind(&id) == Kind::Index && verdict(&id) == Verdict::Ok) {
        return Some((Hint::NestedIndex, Vec::new()));
    }
    let is_listed = |id: &NodeId| kind(id) != Kind::Referrer && verdict(id) != Verdict::Skipped;
    let listed = || children().filter(is_listed);
    let lost: Vec<_> = listed().filter(is_gone).collect();
    match lost.len() {
        0 => None,
        all if all == listed().count() => Some((Hint::EveryChildMissing, lost)),
        _ => Some((Hint::SomeChildrenMissing, lost)),
    }
}

fn of_outcome(node: Node<'_>) -> Option<Hint> {
    let answered = matches!(node.status(), Some(200 | 206));
    let cause = innermost(node.cause());
    match node.verdict() {
        Verdict::Unavailable => {
            of_trouble(node.cause()).or_else(|| is_server_error(node).then_some(Hint::ServerError))
        }
        verdict if !verdict.is_definite() => None,
        _ if matches!(cause, Cause::MisstatedSize { .. }) => Some(Hint::RefusedForm),
        _ if is_named_empty(node, cause) => Some(Hint::EmptyContent),
        Verdict::Empty | Verdict::Truncated | Verdict::SizeMismatch
            if matches!(cause, Cause::OtherSize { .. }) =>
        {
            answered.then_some(Hint::DamagedFile)
        }
        Verdict::Empty | Verdict::Truncated => answered.then_some(Hint::StaleCache),
        Verdict::DigestMismatch => answered.then_some(Hint::ChangedContent),
        _ => match cause {
            Cause::Unusable(Flaw::SchemaOne) => Some(Hint::SchemaOne),
            Cause::Unusable(Flaw::ContentType(_)) => Some(Hint::ContentType),
            Cause::Unusable(Flaw::Encoded(_)) => Some(Hint::ContentEncoding),
            Cause::Unusable(flaw) if flaw.is_of_form() => Some(Hint::RefusedForm),
            _ => None,
        },
    }
}

fn innermost(cause: &Cause) -> &Cause {
    cause.inner().map_or(cause, innermost)
}

/// Whether the content should be, or is, nothing at all.
fn is_named_empty(node: Node<'_>, cause: &Cause) -> bool {
    let came = match cause {
        Cause::OtherDigest { actual, .. } => actual.as_deref(),
        _ => None,
    };
    came.is_some_and(is_of_nothing) || node.digest().as_ref().is_some_and(is_of_nothing)
}

/// What to do about a registry, or what is around it, that does not answer for this reason.
pub(super) fn of_trouble(cause: &Cause) -> Option<Hint> {
    match cause {
        Cause::NoRegistry(_) => Some(Hint::NotARegistry),
        Cause::Status {
            status,
            place,
            is_registrys,
            is_page,
            ..
        } => match place {
            // A gateway's own statuses, and a page where a registry has JSON.
            Place::Registry if !is_registrys && matches!(status, 502 | 504) => {
                Some(Hint::ProxyError)
            }
            Place::Registry if !is_registrys && *status == 503 && *is_page => {
                Some(Hint::ProxyError)
            }
            Place::Registry => None,
            Place::Redirect(_) if matches!(status, 401 | 403) => Some(Hint::StorageRefuses),
            Place::Redirect(_) => Some(Hint::StorageFails),
            Place::TokenServer(server) => Some(token_server_fails(server)),
        },
        Cause::Unreached { trouble, place, .. } => match place {
            Place::Registry => of_registrys_trouble(*trouble),
            Place::Redirect(_) => Some(Hint::StorageFails),
            Place::TokenServer(server) => Some(token_server_fails(server)),
        },
        Cause::OnlyByTag(inner) | Cause::Referrers(inner) => of_trouble(inner),
        _ => None,
    }
}

fn token_server_fails(server: &str) -> Hint {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:/[]".contains(&byte);
    Hint::TokenServerFails {
        server: server.bytes().all(is_plain).then(|| server.into()),
    }
}

fn of_registrys_trouble(trouble: Trouble) -> Option<Hint> {
    match trouble {
        Trouble::UnknownHost => Some(Hint::UnknownHost),
        Trouble::ConnectionRefused => Some(Hint::ConnectionRefused),
        Trouble::WithoutTls => Some(Hint::SpeaksPlainHttp),
        Trouble::WithoutPlainHttp => Some(Hint::SpeaksTls),
        Trouble::UnknownIssuer => Some(Hint::UnknownAuthority),
        Trouble::BadCertificate => Some(Hint::BadCertificate),
        Trouble::WebPage => Some(Hint::WebPage),
        Trouble::Unreachable => Some(Hint::NetworkUnreachable),
        Trouble::Timeout => Some(Hint::NoAnswer),
        Trouble::Connection
        | Trouble::Handshake
        | Trouble::Garbled
        | Trouble::Cut
        | Trouble::NotAllowed => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::oci::digest::sha256;
    use crate::report::Report;
    use crate::report::example::{
        attestation, config, digest, found as found_node, index, layer, manifest, nothing, plain,
        platform_missing, referrer, report, status, trouble,
    };
    use crate::report::hint::Advice;
    use crate::report::judgement::Judgement;
    use crate::report::sentence;
    use crate::walk::checked::Finding;
    use crate::walk::checked::TagsDiffer;
    use crate::walk::graph::{Care, Found};
    use crate::walk::stop::Stop;
    use crate::walk::verdict::Outcome;

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
    fn children_that_answer_404_are_counted() {
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
            .with(manifest(0x30, "linux/arm64").skipped(Cause::AllowedMissing));
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
    fn only_attestations_needs_everything_else_to_be_there() {
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
    fn a_wrong_size_that_the_registry_states_is_not_a_stale_cache() {
        for verdict in [Verdict::Empty, Verdict::Truncated, Verdict::SizeMismatch] {
            let damaged = |status| layer(0x22).found(verdict, status, other_size());
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
    fn a_hint_that_a_stronger_one_covers_is_left_out() {
        let gone = || layer(0x22).missing();
        let stale = || layer(0x23).found(Verdict::Empty, 206, "sends no bytes");
        let damaged = || layer(0x24).found(Verdict::Empty, 200, other_size());
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
        let advice = |images: &[&str]| {
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
            let given = advice(images);
            assert!(given.len() == 1 && given[0].starts_with(words), "{given:?}");
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
            Judgement::of(&all).advice[0].addressees(),
            None,
            "for all of them"
        );
    }

    #[test]
    fn how_much_a_registry_fails_at_decides_the_hint() {
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
            [Hint::SeveralDigestsFail {
                failing: 2,
                fine: 3
            }]
        );
    }

    #[test]
    fn every_finding_has_its_hint() {
        for (finding, expected) in [
            (Finding::StillWrong(digest(0x20)), Hint::WrongDigest),
            (wrong_digest(0x30), Hint::WrongDigest),
            (wrong_digest(0x21), Hint::ImageId),
            (tags_differ(), Hint::TagsDiffer),
            (platform_missing("linux"), Hint::PlatformMissing),
        ] {
            let mut report = report(&[("app:1", plain(0x20))]);
            report.image_mut(0).findings.push(finding);
            assert_eq!(found(&report), [expected]);
        }
    }

    #[test]
    fn an_image_id_explains_a_wrong_digest() {
        let mut report = report(&[("app:1", plain(0x20))]);
        report
            .image_mut(0)
            .findings
            .push(Finding::StillWrong(digest(0x20)));
        report.image_mut(0).findings.push(wrong_digest(0x21));
        assert_eq!(found(&report), [Hint::ImageId]);
    }

    /// A finding for an image that is `0x20`; its config is `0x21`.
    fn wrong_digest(expected: u8) -> Finding {
        Finding::WrongDigest {
            expected: digest(expected),
            actual: digest(0x20),
        }
    }

    fn tags_differ() -> Finding {
        Finding::TagsDiffer(Box::new(TagsDiffer {
            first: "app:1".parse().unwrap(),
            theirs: digest(0x30),
            reference: "app:2".parse().unwrap(),
            ours: digest(0x20),
        }))
    }

    #[test]
    fn a_timeout_within_the_settle_window_is_not_blamed_on_the_registry() {
        let mut report = report(&[("app:1", nothing().unreachable("no reliable answer"))]);
        report.stopped = Some(Stop::Timeout);
        assert_eq!(found(&report), [Hint::Timeout]);
        report.settling = Some(Duration::from_secs(15));
        assert_eq!(found(&report), [Hint::TimeoutWhileSettling]);
    }

    #[test]
    fn a_refusal_has_its_reason() {
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
        let came = Cause::OtherDigest {
            size: None,
            actual: Some(Box::new(sha256(b""))),
        };
        let image = plain(0x20).with(layer(0x22).found(Verdict::DigestMismatch, 200, came));
        assert_eq!(one(image), [Hint::EmptyContent]);
    }

    #[test]
    fn an_isolated_5xx_is_lost_content() {
        let alone = Cause::FailsAlone(Box::new(status(500)));
        let image = plain(0x20).with(layer(0x22).found(Verdict::Unavailable, 500, alone));
        assert_eq!(one(image), [Hint::OneDigestFails]);
    }

    #[test]
    fn nested_indexes_and_schema_one_are_named() {
        assert_eq!(
            one(index(0x10).with(index(0x11).with(manifest(0x20, "linux/amd64")))),
            [Hint::NestedIndex]
        );
        assert_eq!(
            one(plain(0x20).found(Verdict::Unsupported, 200, Cause::Unusable(Flaw::SchemaOne))),
            [Hint::SchemaOne]
        );
        assert_eq!(
            one(plain(0x20).with(config(0x30).found(Verdict::Unsupported, None, "md5"))),
            []
        );
    }

    #[test]
    fn every_kind_of_trouble_has_its_hint() {
        let one = |cause| one(nothing().found(Verdict::Unavailable, None, cause));
        for (kind, expected) in [
            (Trouble::UnknownHost, Hint::UnknownHost),
            (Trouble::ConnectionRefused, Hint::ConnectionRefused),
            (Trouble::WithoutTls, Hint::SpeaksPlainHttp),
            (Trouble::WithoutPlainHttp, Hint::SpeaksTls),
            (Trouble::WebPage, Hint::WebPage),
            (Trouble::Timeout, Hint::NoAnswer),
            (Trouble::Unreachable, Hint::NetworkUnreachable),
            (Trouble::UnknownIssuer, Hint::UnknownAuthority),
            (Trouble::BadCertificate, Hint::BadCertificate),
        ] {
            assert_eq!(one(trouble(kind, "why")), [expected]);
        }
        let absent = Cause::NoRegistry(Box::new(status(404)));
        assert_eq!(one(absent), [Hint::NotARegistry]);
        let of_token_server = |server: &str| {
            let cause = Cause::Unreached {
                trouble: Trouble::ConnectionRefused,
                place: Place::TokenServer(server.into()),
                words: "why".into(),
            };
            one(cause).remove(0).text(&About::default())
        };
        let named = of_token_server("https://auth.example:8443");
        assert!(named.contains("the token server https://auth.example:8443, which"));
        let unusual = of_token_server("https://a`b*c");
        assert!(unusual.contains("the token server, which"));
        for (status, expected) in [
            (401, Hint::StorageRefuses),
            (403, Hint::StorageRefuses),
            (503, Hint::StorageFails),
        ] {
            let storage = Cause::Status {
                status,
                place: Place::Redirect("https://storage.example".into()),
                is_registrys: false,
                is_page: false,
                words: None,
            };
            assert_eq!(one(storage), [expected]);
        }
        assert_eq!(
            one("connection refused by a certificate without TLS".into()),
            []
        );
    }

    fn other_size() -> Cause {
        Cause::OtherSize {
            expected: 10,
            actual: 0,
        }
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

    /// A layer below the image `app:1`, found as it is.
    fn add_layer(report: &mut Report, outcome: Outcome) {
        let root = report.image(0).root;
        let layer = found_node(Kind::Layer);
        let graph = report.graph_mut();
        let id = graph.add(&Found { outcome, ..layer });
        graph.connect(root, id, None, Care::Check);
    }

    #[test]
    fn a_hint_does_not_depend_on_how_much_text_came_before() {
        let mut report = report(&[("app:1", plain(0x20))]);
        for number in 0..4000 {
            let words = format!("{number:512}");
            let outcome = Outcome::unasked(Verdict::RateLimited, words.as_str().into());
            add_layer(&mut report, outcome);
        }
        let damaged = Outcome {
            status: Some(200),
            ..Outcome::unasked(Verdict::Truncated, other_size())
        };
        add_layer(&mut report, damaged);
        assert_eq!(found(&report), [Hint::DamagedFile, Hint::DockerHubLimit]);
    }

    #[test]
    fn a_hint_names_the_first_digest_and_counts_the_others() {
        let gone = |name| layer(name).missing();
        let image = index(0x10)
            .with(
                manifest(0x20, "linux/amd64")
                    .with(gone(0x22))
                    .with(gone(0x23)),
            )
            .with(
                manifest(0x30, "linux/arm64")
                    .with(gone(0x22))
                    .with(gone(0x32)),
            );
        let other = plain(0x40).with(gone(0x23)).with(gone(0x42));
        let report = report(&[("r.example/app:1", image), ("r.example/app:2", other)]);
        let advice = Judgement::of(&report).advice;
        let [only] = &advice[..] else {
            panic!("{advice:#?}")
        };
        let content = Content {
            repository: "app".to_owned(),
            digest: digest(0x22),
            others: 3,
        };
        assert_eq!(only.about.content, Some(content));
    }

    #[test]
    fn each_registry_gets_the_hint_that_helps_on_it() {
        let image = || plain(0x20).with(layer(0x22).found(Verdict::Empty, 200, other_size()));
        let mut both = report(&[("one.example/app:1", image())]);
        both.repositories[0].product = Product::Gitea;
        let mut other = report(&[("two.example/app:1", image())]);
        other.repositories[0].product = Product::Zot;
        both.repositories.append(&mut other.repositories);
        both.order.push((1, 0));
        let advice = Judgement::of(&both).advice;
        let said: Vec<_> = advice
            .iter()
            .map(|one| (one.about.product, one.hint.clone()))
            .collect();
        let hint = Hint::DamagedFile;
        assert_eq!(said, [(Product::Zot, hint.clone()), (Product::Gitea, hint)]);
        assert!(advice[0].to_string().starts_with("two.example/app:1: "));
    }

    #[test]
    fn a_hint_about_a_registry_is_given_once_for_each() {
        let mut both = report(&[("one.example/app:1", plain(0x20).denied())]);
        both.repositories[0].product = Product::Gitea;
        let mut other = report(&[("two.example/app:1", plain(0x20).denied())]);
        both.repositories.append(&mut other.repositories);
        let mut again = report(&[("two.example/base:1", plain(0x20).denied())]);
        both.repositories.append(&mut again.repositories);
        both.order.extend([(1, 0), (2, 0)]);
        assert_eq!(found(&both), [Hint::Denied, Hint::Denied]);
        let texts: Vec<String> = Judgement::of(&both)
            .advice
            .iter()
            .map(Advice::text)
            .collect();
        assert!(
            texts[1].starts_with("two.example wants a login for app and base"),
            "{texts:?}"
        );
    }

    #[test]
    fn hints_stay_the_same_when_every_sentence_changes() {
        let causes = [
            (Verdict::Missing, 404, status(404)),
            (Verdict::Truncated, 200, other_size()),
            (Verdict::Empty, 206, Cause::NoBytes { expected: Some(7) }),
            (Verdict::Unsupported, 200, Cause::Unusable(Flaw::SchemaOne)),
            (
                Verdict::Unavailable,
                0,
                trouble(Trouble::UnknownHost, "why"),
            ),
            (Verdict::Unavailable, 0, trouble(Trouble::WithoutTls, "why")),
            (
                Verdict::Unavailable,
                404,
                Cause::NoRegistry(Box::new(status(404))),
            ),
            (Verdict::RateLimited, 429, status(429)),
        ];
        let hints = |reversed| {
            sentence::REVERSED.set(reversed);
            let image = |(verdict, status, cause): &(Verdict, u16, Cause)| {
                let layer = layer(0x22).found(*verdict, *status, cause.clone());
                let report = report(&[("app:1", plain(0x20).with(layer))]);
                let mut json = Vec::new();
                crate::report::json::write(&Judgement::of(&report), &mut json).unwrap();
                (found(&report), json)
            };
            let all: Vec<_> = causes.iter().map(image).collect();
            sentence::REVERSED.set(false);
            all
        };
        for (as_they_are, reversed) in hints(false).into_iter().zip(hints(true)) {
            assert_eq!((as_they_are.0.len(), &as_they_are.0), (1, &reversed.0));
            assert_ne!(as_they_are.1, reversed.1, "the sentences did change");
        }
    }
}
