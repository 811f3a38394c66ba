//! What is wrong with an image as a whole, seen once the walk is over: another digest, tags that differ, a platform that is not there.

use std::collections::HashSet;

use oci_spec::image::Digest;

use crate::graph::{Graph, NodeId};
use crate::image::Kind;
use crate::platform::Platform;
use crate::report::{Finding, FindingKind, Image};
use crate::verdict::Verdict;

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
        let detail = format!("the reference still resolves to {found}, which was the wrong one before the rebuild");
        return Some(Finding { kind: FindingKind::WrongDigest, detail });
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
        detail: format!("{} is {theirs}, {} is {mine}", first.reference, image.reference),
    })
}

fn missing_platforms(graph: &Graph, root: NodeId, wanted: &[Platform]) -> Vec<Finding> {
    /// How many of the present platforms a finding lists; an index may state tens of thousands.
    const LISTED: usize = 50;
    if wanted.is_empty() {
        return Vec::new();
    }
    let Some(present) = platforms(graph, root) else { return Vec::new() };
    let missing = wanted.iter().filter(|wanted| !present.iter().any(|platform| platform.satisfies(wanted)));
    let listed = if present.is_empty() {
        "the image states none".to_owned()
    } else {
        format!("the image has {}", present.iter().take(LISTED).map(ToString::to_string).collect::<Vec<_>>().join(", "))
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
                let stated = |id| matches!(graph.node(id).verdict(), Verdict::Ok | Verdict::Skipped);
                if !read || !node.children().all(|edge| graph.node(edge.to).kind() != Kind::Config || stated(edge.to)) {
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
