//! What is wrong with an image as a whole, seen once the walk is over: another digest, tags that differ, a platform that is not there.

use std::collections::HashSet;

use oci_spec::image::Digest;

use crate::oci::manifest::Kind;
use crate::oci::platform::Platform;
use crate::report::{Finding, FindingKind, Image};
use crate::walk::graph::{Graph, NodeId};
use crate::walk::verdict::Verdict;

/// Adds its findings to each image.
pub fn add(images: &mut [Image], graphs: &[Graph], platforms: &[Platform]) {
    let found: Vec<Vec<Finding>> = images
        .iter()
        .map(|image| {
            let graph = &graphs[image.graph];
            let mut findings = Vec::new();
            findings.extend(wrong_digest(image, graph));
            findings.extend(tags_differ(image, images, graphs));
            findings.extend(missing_platforms(graph, image.root, platforms));
            findings
        })
        .collect();
    for (image, findings) in images.iter_mut().zip(found) {
        image.findings.extend(findings);
    }
}

/// What a reference resolved to; an image that could not be resolved is a fault, and no finding.
fn resolved(image: &Image, graphs: &[Graph]) -> Option<Digest> {
    graphs[image.graph].node(image.root).digest()
}

fn wrong_digest(image: &Image, graph: &Graph) -> Option<Finding> {
    let found = graph.node(image.root).digest()?;
    if image.unwanted.as_ref() == Some(&found) {
        let detail = format!(
            "the reference still resolves to {found}, which was the wrong one before the rebuild"
        );
        return Some(Finding {
            kind: FindingKind::WrongDigest,
            detail,
        });
    }
    let expected = image.expected.as_ref()?;
    // A digest by another algorithm can name the same bytes.
    let is_it = |actual: &Digest| actual == expected || image.also.as_ref() == Some(expected);
    let actual = Some(found).filter(|actual| !is_it(actual))?;
    Some(Finding {
        kind: FindingKind::WrongDigest,
        detail: format!("expected {expected}, the reference resolves to {actual}"),
    })
}

/// Compares with the first of the siblings, so that the odd ones out are the ones that are named.
fn tags_differ(image: &Image, images: &[Image], graphs: &[Graph]) -> Option<Finding> {
    if !image.alike {
        return None;
    }
    let mine = resolved(image, graphs)?;
    let (first, theirs) = images
        .iter()
        .filter(|other| other.alike && other.graph == image.graph)
        .find_map(|other| resolved(other, graphs).map(|digest| (other, digest)))?;
    (mine != theirs).then(|| Finding {
        kind: FindingKind::TagsDiffer,
        detail: format!(
            "{} is {theirs}, {} is {mine}",
            first.reference, image.reference
        ),
    })
}

fn missing_platforms(graph: &Graph, root: NodeId, wanted: &[Platform]) -> Vec<Finding> {
    /// How many of the present platforms a finding lists; an index may state tens of thousands.
    const LISTED: usize = 50;
    if wanted.is_empty() {
        return Vec::new();
    }
    let Some(present) = platforms(graph, root) else {
        return Vec::new();
    };
    let missing = wanted
        .iter()
        .filter(|wanted| !present.iter().any(|platform| platform.satisfies(wanted)));
    let listed = if present.is_empty() {
        "the image states none".to_owned()
    } else {
        format!(
            "the image has {}",
            present
                .iter()
                .take(LISTED)
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        )
    };
    missing
        .map(|platform| Finding {
            kind: FindingKind::PlatformMissing,
            detail: format!("expected {platform}, {listed}"),
        })
        .collect()
}

/// The platforms of an image in its own order; `None` when that cannot be known, because an index or a config could not be read.
fn platforms(graph: &Graph, root: NodeId) -> Option<Vec<&Platform>> {
    let mut present = Vec::new();
    let mut known = HashSet::new();
    for id in graph.reachable(root) {
        let node = graph.node(id);
        let read = matches!(node.verdict(), Verdict::Ok | Verdict::Skipped);
        match node.kind() {
            Kind::Index if !read => return None,
            Kind::Index => {
                for edge in node.children() {
                    let child = graph.node(edge.to);
                    if child.kind() == Kind::Manifest
                        && let Some(platform) = edge.platform.or(child.platform())
                        && known.insert(platform)
                    {
                        present.push(platform);
                    }
                }
            }
            Kind::Manifest if id == root => {
                // An image that states none has none; what could not be read may have any.
                let stated =
                    |id| matches!(graph.node(id).verdict(), Verdict::Ok | Verdict::Skipped);
                if !read
                    || !node
                        .children()
                        .all(|edge| graph.node(edge.to).kind() != Kind::Config || stated(edge.to))
                {
                    return None;
                }
                present.extend(node.platform());
            }
            Kind::Artifact if id == root && !read => return None,
            _ => {}
        }
    }
    Some(present)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::report::example::{
        Content, attestation, child, config, digest, index, layer, manifest, nothing, plain, report,
    };

    /// The findings of each image, when these platforms are wanted.
    fn found(report: &Report, wanted: &[&str]) -> Vec<Vec<(FindingKind, String)>> {
        let wanted: Vec<Platform> = wanted
            .iter()
            .map(|wanted| wanted.parse().unwrap())
            .collect();
        let mut images = report.images.clone();
        add(&mut images, &report.graphs, &wanted);
        let of = |image: Image| {
            image
                .findings
                .into_iter()
                .map(|finding| (finding.kind, finding.detail))
                .collect()
        };
        images.into_iter().map(of).collect()
    }

    /// What is said of the platforms of one image.
    fn missing(content: Content, wanted: &[&str]) -> Vec<String> {
        let found = found(&report(&[("app:1", content)]), wanted).remove(0);
        assert!(
            found
                .iter()
                .all(|(kind, _)| *kind == FindingKind::PlatformMissing)
        );
        found.into_iter().map(|(_, detail)| detail).collect()
    }

    #[test]
    fn an_image_has_to_resolve_to_what_is_expected_by_whatever_algorithm() {
        let mut report = report(&[("app:1", plain(0x20))]);
        assert_eq!(found(&report, &[]), [[]]);
        report.images[0].expected = Some(digest(0x20));
        assert_eq!(found(&report, &[]), [[]]);
        report.images[0].expected = Some(digest(0x30));
        let [(kind, detail)] = &found(&report, &[])[0][..] else {
            panic!("it is not the wrong digest")
        };
        assert_eq!(*kind, FindingKind::WrongDigest);
        assert_eq!(
            *detail,
            format!(
                "expected {}, the reference resolves to {}",
                digest(0x30),
                digest(0x20)
            )
        );
        report.images[0].also = Some(digest(0x30));
        assert_eq!(found(&report, &[]), [[]]);
    }

    #[test]
    fn a_reference_that_leads_nowhere_has_no_wrong_digest() {
        let mut report = report(&[("app:1", nothing().missing())]);
        report.images[0].expected = Some(digest(0x30));
        assert_eq!(found(&report, &["linux/amd64"]), [[]]);
    }

    #[test]
    fn what_was_wrong_before_a_rebuild_is_wrong_after_it() {
        let mut report = report(&[("app:1", plain(0x20))]);
        report.images[0].unwanted = Some(digest(0x20));
        assert_eq!(found(&report, &[])[0][0].0, FindingKind::WrongDigest);
        report.images[0].unwanted = Some(digest(0x30));
        assert_eq!(found(&report, &[]), [[]]);
    }

    #[test]
    fn tags_that_should_be_alike_are_compared_with_the_first_of_them() {
        let names = ["app:other", "app:gone", "app:1", "app:1.2", "app:latest"];
        let contents = [
            plain(0x40),
            nothing().missing(),
            plain(0x20),
            plain(0x20),
            plain(0x30),
        ];
        let images: Vec<_> = names.into_iter().zip(contents).collect();
        let mut report = report(&images);
        assert_eq!(found(&report, &[]).concat(), []);
        for image in &mut report.images[1..] {
            image.alike = true;
        }
        let found = found(&report, &[]);
        assert_eq!(
            found.iter().map(Vec::len).collect::<Vec<_>>(),
            [0, 0, 0, 0, 1]
        );
        let (kind, detail) = &found[4][0];
        assert_eq!(*kind, FindingKind::TagsDiffer);
        let (first, odd) = (&report.images[2].reference, &report.images[4].reference);
        assert_eq!(
            *detail,
            format!("{first} is {}, {odd} is {}", digest(0x20), digest(0x30))
        );
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
            ["expected linux/amd64, the image states none"]
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
        let mut report = report(&[("app:1", plain(0x20))]);
        let kinds = |report: &Report| found(report, &["linux/amd64"])[0].clone();
        assert_eq!(
            kinds(&report)[0].1,
            "expected linux/amd64, the image states none"
        );
        let root = report.images[0].root;
        report.graphs[0].set_platform(root, Some(&"linux/amd64".parse().unwrap()));
        assert_eq!(kinds(&report), []);
        report.graphs[0].set_platform(root, Some(&"linux/arm64".parse().unwrap()));
        assert_eq!(
            kinds(&report)[0].1,
            "expected linux/amd64, the image has linux/arm64"
        );
        let inline = content_with_inline_config();
        assert_eq!(
            missing(inline, &["linux/amd64"]),
            ["expected linux/amd64, the image states none"]
        );
    }

    /// A manifest whose config stands in its descriptor.
    fn content_with_inline_config() -> Content {
        child(0x20, "").with(config(0x21).skipped("its data stands in the descriptor and is right"))
    }

    #[test]
    fn of_what_could_not_be_read_nothing_is_said_to_be_missing() {
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
