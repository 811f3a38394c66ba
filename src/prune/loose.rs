//! Walks what no tag leads to: what has none, and what a tag or a referrer belongs to.

use std::collections::HashSet;

use oci_spec::image::Digest;

use crate::oci::reference::{Reference, Repository, digest_in_tag};
use crate::walk::checked::Checked;
use crate::walk::rules::{Concern, Depth, Rules};
use crate::walk::source::Source;
use crate::walk::walk;

/// How many manifests are walked at once.
const SIDE_BY_SIDE: usize = 500;

/// Walks manifests by their digests.
pub(crate) async fn walked<S: Source>(
    source: &S,
    repository: &Repository,
    digests: Vec<Digest>,
    rules: &Rules,
) -> Vec<Checked> {
    let reference = |digest| Reference {
        repository: repository.clone(),
        tag: None,
        digest: Some(digest),
    };
    let references: Vec<Reference> = digests.into_iter().map(reference).collect();
    let rules = Rules {
        depth: Depth::Manifests,
        // Nothing goes with them that is not listed itself.
        referrers: Concern::Ignore,
        ..rules.clone()
    };
    let mut walked = Vec::new();
    for references in references.chunks(SIDE_BY_SIDE) {
        let never = std::future::pending();
        walked.push(walk(source, repository, references, &rules, never, |_, _| ()).await);
    }
    walked
}

/// Walks what `known` names as a subject and does not lead to, and what that names in turn.
pub(crate) async fn subjects<S: Source>(
    source: &S,
    repository: &Repository,
    known: &[&[Checked]],
    rules: &Rules,
) -> Vec<Checked> {
    let mut subjects = Vec::new();
    loop {
        let known = known.iter().copied().flatten();
        let unknown = unknown(known.chain(&subjects));
        if unknown.is_empty() {
            return subjects;
        }
        subjects.extend(walked(source, repository, unknown, rules).await);
    }
}

/// The subjects that manifests and the names of tags state, and that were not met.
fn unknown<'c>(all: impl Iterator<Item = &'c Checked> + Clone) -> Vec<Digest> {
    let mut named = HashSet::new();
    for checked in all.clone() {
        let graph = &checked.graph;
        named.extend(graph.ids().filter_map(|id| graph.subject(id)));
        let tags = checked.subjects.iter();
        let tags = tags.filter_map(|subject| subject.reference.tag.as_deref());
        named.extend(tags.filter_map(digest_in_tag));
    }
    let mut unknown: Vec<Digest> = named.difference(&met(all)).cloned().collect();
    unknown.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    unknown
}

/// The manifests that walks met.
pub(crate) fn met<'c>(all: impl Iterator<Item = &'c Checked>) -> HashSet<Digest> {
    let nodes = all.flat_map(|checked| checked.graph.iter());
    let manifests = nodes.filter(|(_, node)| node.kind().is_manifest());
    manifests.filter_map(|(_, node)| node.digest()).collect()
}
