//! What is expected of an image besides being whole: its digest, the same digest as its siblings,
//! its platforms.

use std::collections::HashSet;

use oci_spec::image::Digest;

use super::targets::Target;
use crate::oci::kind::Kind;
use crate::oci::platform::Platform;
use crate::walk::checked::{Checked, Finding, Subject, TagsDiffer};
use crate::walk::graph::{Graph, Node, NodeId};
use crate::walk::verdict::Verdict;

/// Adds its findings to each image; `targets` are those that the repository was walked for, in the
/// same order.
pub(crate) fn add(checked: &mut Checked, targets: &[&Target], platforms: &[Platform]) {
    let images: Vec<(&Subject, &Target)> = checked
        .subjects
        .iter()
        .zip(targets.iter().copied())
        .collect();
    let graph = &checked.graph;
    let found: Vec<Vec<Finding>> = images
        .iter()
        .map(|(subject, target)| {
            let mut findings = Vec::new();
            findings.extend(wrong_digest(subject, target, graph));
            findings.extend(tags_differ(subject, target, &images, graph));
            findings.extend(missing_platforms(graph, subject.root, platforms));
            findings
        })
        .collect();
    for (subject, findings) in checked.subjects.iter_mut().zip(found) {
        subject.findings.extend(findings);
    }
}

fn wrong_digest(subject: &Subject, target: &Target, graph: &Graph) -> Option<Finding> {
    let actual = graph.node(subject.root).digest()?;
    if target.unwanted.as_ref() == Some(&actual) {
        return Some(Finding::StillWrong(actual));
    }
    let expected = target.expected.clone()?;
    // A digest by another algorithm can name the same bytes.
    let is_it = actual == expected || subject.also.as_ref() == Some(&expected);
    (!is_it).then_some(Finding::WrongDigest { expected, actual })
}

/// Compares with the first of the siblings, so that the ones that differ are named.
fn tags_differ(
    subject: &Subject,
    target: &Target,
    images: &[(&Subject, &Target)],
    graph: &Graph,
) -> Option<Finding> {
    // An image that could not be resolved is a fault, and not a finding.
    let resolved = |subject: &Subject| -> Option<Digest> { graph.node(subject.root).digest() };
    let ours = resolved(subject).filter(|_| target.alike)?;
    let mut siblings = images.iter().filter(|(_, sibling)| sibling.alike);
    let (first, theirs) = siblings.find_map(|(sibling, _)| Some((*sibling, resolved(sibling)?)))?;
    (ours != theirs).then(|| {
        Finding::TagsDiffer(Box::new(TagsDiffer {
            first: first.reference.clone(),
            theirs,
            reference: subject.reference.clone(),
            ours,
        }))
    })
}

fn missing_platforms(graph: &Graph, root: NodeId, wanted: &[Platform]) -> Vec<Finding> {
    /// How many of the present platforms a finding lists; an index may state tens of thousands.
    const LISTED: usize = 50;
    if wanted.is_empty() {
        return Vec::new();
    }
    let Some((present, all_known)) = platforms(graph, root) else {
        return Vec::new();
    };
    // A child that could not be read may be for any platform.
    if !all_known {
        return Vec::new();
    }
    let is_missing =
        |wanted: &&Platform| !present.iter().any(|platform| platform.satisfies(wanted));
    let finding = |expected: &Platform| Finding::PlatformMissing {
        expected: expected.clone(),
        present: present
            .iter()
            .take(LISTED)
            .map(|one| (*one).clone())
            .collect(),
    };
    wanted.iter().filter(is_missing).map(finding).collect()
}

/// The platforms of an image in its own order, and whether those of all its children are known;
/// `None` when the image itself could not be read.
fn platforms(graph: &Graph, root: NodeId) -> Option<(Vec<&Platform>, bool)> {
    let mut present = Vec::new();
    let mut known = HashSet::new();
    let mut all_known = true;
    for id in graph.reachable(root) {
        let node = graph.node(id);
        if id == root && !was_read(node) {
            return None;
        }
        match node.kind() {
            Kind::Index => {
                all_known &= was_read(node);
                for edge in node.children() {
                    let child = graph.node(edge.to);
                    let platform = edge.platform.or(child.platform());
                    if child.kind() != Kind::Manifest {
                        continue;
                    }
                    all_known &= platform.is_some() || states_its_platform(graph, child);
                    present.extend(platform.filter(|platform| known.insert(*platform)));
                }
            }
            Kind::Manifest if id == root => {
                all_known &= states_its_platform(graph, node);
                present.extend(node.platform());
            }
            _ => {}
        }
    }
    Some((present, all_known))
}

/// Whether the content came, whoever may refuse its form.
fn was_read(node: Node<'_>) -> bool {
    let is_form = |verdict| matches!(verdict, Verdict::Malformed | Verdict::Unsupported);
    match node.verdict() {
        Verdict::Ok => true,
        verdict => is_form(verdict) && !node.is_leaf(),
    }
}

/// Whether a manifest's config was read, so that what it says of the platform is all there is.
fn states_its_platform(graph: &Graph, manifest: Node<'_>) -> bool {
    let is_known = |verdict| matches!(verdict, Verdict::Ok | Verdict::Skipped | Verdict::Malformed);
    let mut configs = manifest
        .children()
        .map(|edge| graph.node(edge.to))
        .filter(|child| child.kind() == Kind::Config);
    was_read(manifest) && configs.all(|config| is_known(config.verdict()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::reference::Reference;
    use crate::report::example::{
        Content, attestation, child, config, digest, index, layer, manifest, nothing, plain, report,
    };
    use crate::report::{Report, sentence};
    use crate::walk::cause::Cause;

    /// A target that nothing is expected of.
    fn target(reference: &Reference) -> Target {
        Target {
            reference: reference.clone(),
            expected: None,
            unwanted: None,
            alike: false,
        }
    }

    fn targets(report: &Report) -> Vec<Target> {
        report
            .images()
            .map(|image| target(&image.reference))
            .collect()
    }

    /// The findings of each image, when these platforms are wanted.
    fn found(mut report: Report, targets: &[Target], wanted: &[&str]) -> Vec<Vec<Finding>> {
        let parse = |wanted: &&str| wanted.parse().unwrap();
        let wanted: Vec<Platform> = wanted.iter().map(parse).collect();
        let targets: Vec<&Target> = targets.iter().collect();
        let mut checked = report.repositories.remove(0);
        add(&mut checked, &targets, &wanted);
        let findings = |subject: Subject| subject.findings;
        checked.subjects.into_iter().map(findings).collect()
    }

    /// What is said of the platforms of one image.
    fn missing(content: Content, wanted: &[&str]) -> Vec<String> {
        let report = report(&[("app:1", content)]);
        let targets = targets(&report);
        let found = found(report, &targets, wanted).remove(0);
        let is_one = |finding: &Finding| matches!(finding, Finding::PlatformMissing { .. });
        assert!(found.iter().all(is_one));
        found.iter().map(sentence::finding).collect()
    }

    #[test]
    fn an_image_has_to_resolve_to_what_is_expected_by_whatever_algorithm() {
        let image = || report(&[("app:1", plain(0x20))]);
        let mut targets = targets(&image());
        assert_eq!(found(image(), &targets, &[]), [[]]);
        targets[0].expected = Some(digest(0x20));
        assert_eq!(found(image(), &targets, &[]), [[]]);
        targets[0].expected = Some(digest(0x30));
        let wrong = Finding::WrongDigest {
            expected: digest(0x30),
            actual: digest(0x20),
        };
        assert_eq!(found(image(), &targets, &[]), [[wrong]]);
        let mut also = image();
        also.image_mut(0).also = Some(digest(0x30));
        assert_eq!(found(also, &targets, &[]), [[]]);
    }

    #[test]
    fn a_reference_that_leads_nowhere_has_no_wrong_digest() {
        let report = report(&[("app:1", nothing().missing())]);
        let mut targets = targets(&report);
        targets[0].expected = Some(digest(0x30));
        assert_eq!(found(report, &targets, &["linux/amd64"]), [[]]);
    }

    #[test]
    fn what_was_wrong_before_a_rebuild_is_wrong_after_it() {
        let image = || report(&[("app:1", plain(0x20))]);
        let mut targets = targets(&image());
        targets[0].unwanted = Some(digest(0x20));
        let wrong = Finding::StillWrong(digest(0x20));
        assert_eq!(found(image(), &targets, &[]), [[wrong]]);
        targets[0].unwanted = Some(digest(0x30));
        assert_eq!(found(image(), &targets, &[]), [[]]);
    }

    #[test]
    fn tags_that_should_be_alike_are_compared_with_the_first_of_them() {
        let names = ["app:other", "app:gone", "app:1", "app:1.2", "app:latest"];
        let images = || {
            let contents = [
                plain(0x40),
                nothing().missing(),
                plain(0x20),
                plain(0x20),
                plain(0x30),
            ];
            report(&names.into_iter().zip(contents).collect::<Vec<_>>())
        };
        let mut targets = targets(&images());
        assert_eq!(found(images(), &targets, &[]).concat(), []);
        for target in &mut targets[1..] {
            target.alike = true;
        }
        let found = found(images(), &targets, &[]);
        let differs = Finding::TagsDiffer(Box::new(TagsDiffer {
            first: names[2].parse().unwrap(),
            theirs: digest(0x20),
            reference: names[4].parse().unwrap(),
            ours: digest(0x30),
        }));
        assert_eq!(found, [vec![], vec![], vec![], vec![], vec![differs]]);
    }

    #[test]
    fn every_platform_that_is_wanted_has_to_be_in_the_index() {
        let image = || {
            index(0x10)
                .with(manifest(0x20, "linux/amd64"))
                .with(manifest(0x30, "linux/arm/v7"))
        };
        assert_eq!(missing(image(), &[]), [""; 0]);
        assert_eq!(
            missing(image(), &["linux/amd64", "linux/arm", "linux/x86_64"]),
            [""; 0]
        );
        assert_eq!(
            missing(
                image().with(attestation(0x40)),
                &["linux/arm64", "linux/amd64", "linux/arm/v6"]
            ),
            [
                "expected linux/arm64, the image has linux/amd64, linux/arm/v7",
                "expected linux/arm/v6, the image has linux/amd64, linux/arm/v7"
            ]
        );
        let nested = index(0x11).with(manifest(0x20, "linux/amd64"));
        assert_eq!(missing(index(0x10).with(nested), &["linux/amd64"]), [""; 0]);
        assert_eq!(
            missing(index(0x10), &["linux/amd64"]),
            ["expected linux/amd64, the image states no platform"]
        );
        // A platform whose manifest is lost is there, and broken.
        assert_eq!(
            missing(
                index(0x10).with(manifest(0x20, "linux/amd64").missing()),
                &["linux/amd64"]
            ),
            [""; 0]
        );
    }

    #[test]
    fn a_single_manifest_has_the_platform_of_its_config_or_none() {
        let said = |platform: Option<&str>| {
            let mut report = report(&[("app:1", plain(0x20))]);
            let root = report.image(0).root;
            let platform = platform.map(|platform| platform.parse().unwrap());
            report.graph_mut().set_platform(root, platform.as_ref());
            let targets = targets(&report);
            let found = found(report, &targets, &["linux/amd64"]).remove(0);
            found.iter().map(sentence::finding).collect::<Vec<_>>()
        };
        assert_eq!(
            said(None),
            ["expected linux/amd64, the image states no platform"]
        );
        assert_eq!(said(Some("linux/amd64")), [""; 0]);
        assert_eq!(
            said(Some("linux/arm64")),
            ["expected linux/amd64, the image has linux/arm64"]
        );
        let inline = content_with_inline_config();
        assert_eq!(
            missing(inline, &["linux/amd64"]),
            ["expected linux/amd64, the image states no platform"]
        );
    }

    /// A manifest whose config stands in its descriptor.
    fn content_with_inline_config() -> Content {
        child(0x20, "").with(config(0x21).skipped(Cause::Inline))
    }

    #[test]
    fn unreadable_content_is_not_called_missing() {
        for image in [
            index(0x10).missing(),
            index(0x10).with(index(0x11).denied()),
            plain(0x20).missing(),
            plain(0x20).with(config(0x25).missing()),
            plain(0x20).with(config(0x25).denied()),
        ] {
            assert_eq!(
                missing(image.clone(), &["linux/amd64"]),
                [""; 0],
                "{image:?}"
            );
        }
        // A layer says nothing of platforms.
        assert_eq!(
            missing(plain(0x20).with(layer(0x25).missing()), &["linux/amd64"]).len(),
            1
        );
    }
}
