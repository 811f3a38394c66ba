//! The words for one digest.

use std::time::Duration;

use super::super::judged::{Gravity, Root};
use super::super::sentence;
use super::paint::Paint;
use crate::oci::kind::Kind;
use crate::text::{escape, human};
use crate::walk::graph::{Edge, Node, NodeId};
use crate::walk::verdict::Verdict;

/// How many hexadecimal digits of a digest that is fine are shown.
const SHORT: usize = 12;

/// The sign in front of a line, and its colour.
pub(super) fn mark(trouble: Gravity, verdict: Verdict) -> (&'static str, Paint) {
    match trouble {
        Gravity::Broken => ("✗", Paint::Bad),
        Gravity::Undecided => ("?", Paint::Doubt),
        Gravity::Warned => ("!", Paint::Doubt),
        Gravity::None if verdict == Verdict::Skipped => ("-", Paint::Plain),
        Gravity::None => ("✓", Paint::Plain),
    }
}

/// `linux/amd64`, `attestation`, `linux/arm64 index`: a platform says more than the word manifest.
pub(super) fn label(node: Node<'_>, edge: &Edge<'_>) -> String {
    let platform = edge
        .platform
        .or(node.platform().filter(|_| node.kind() == Kind::Manifest));
    match (
        node.kind(),
        platform.filter(|platform| !platform.is_unknown()),
    ) {
        (Kind::Manifest, Some(platform)) => escape::line(&platform.to_string()),
        (kind, Some(platform)) => {
            format!("{} {}", escape::line(&platform.to_string()), kind.as_str())
        }
        (kind, None) => kind.as_str().to_owned(),
    }
}

/// The whole digest, or what stands in its place.
pub(super) fn full(node: Node<'_>) -> String {
    match (node.digest(), node.written()) {
        (Some(digest), _) => escape::line(digest.as_ref()),
        (None, Some(written)) => format!("\"{}\"", escape::line(written)),
        (None, None) => "without a digest".to_owned(),
    }
}

/// Whether this is a reference that led to no content, so that it has no other name.
pub(in crate::report) fn is_unresolved(root: &Root<'_>, id: NodeId, node: Node<'_>) -> bool {
    id == root.node && node.is_nameless() && node.written().is_none()
}

/// The digest, short but still recognisable.
pub(super) fn short(node: Node<'_>) -> String {
    match node.digest() {
        Some(digest) => {
            let hash = digest.digest();
            let end = hash
                .char_indices()
                .nth(SHORT)
                .map_or(hash.len(), |(end, _)| end);
            escape::line(&format!("{}:{}", digest.algorithm(), &hash[..end]))
        }
        None => full(node),
    }
}

/// `missing: expected 12 bytes, nothing came`.
pub(super) fn verdict(node: Node<'_>) -> String {
    let word = node.verdict().as_str();
    match sentence::cause(node.cause()) {
        cause if cause.is_empty() => word.to_owned(),
        cause => format!("{word}: {}", escape::line(&cause)),
    }
}

/// `linux/arm64 cannot be pulled; status 404, 5 requests in 15.1 s`.
pub(super) fn consequence(root: &Root<'_>, id: NodeId) -> String {
    let node = root.graph.node(id);
    consequence_of(
        root.consequence(id),
        node.status(),
        node.attempts(),
        node.duration(),
    )
}

/// The same from its parts.
pub(super) fn consequence_of(
    consequence: Option<String>,
    status: Option<u16>,
    attempts: u32,
    duration: Duration,
) -> String {
    let mut facts = Vec::new();
    facts.extend(consequence);
    let mut effort = Vec::new();
    if let Some(status) = status {
        effort.push(format!("status {status}"));
    }
    if attempts > 0 {
        let requests = human::count(attempts as usize, "request");
        effort.push(format!("{requests} in {}", human::duration(duration)));
    }
    if !effort.is_empty() {
        facts.push(effort.join(", "));
    }
    facts.join("; ")
}

/// What is wrong below one root, one line for each digest, the gravest first.
pub(in crate::report) fn faults<'j>(root: &'j Root<'_>) -> impl Iterator<Item = String> + use<'j> {
    let graph = root.graph;
    root.faults().map(move |id| {
        let node = graph.node(id);
        let affected = root.consequence(id).map(|one| format!(" ({one})"));
        let affected = affected.unwrap_or_default();
        let verdict = verdict(node);
        if is_unresolved(root, id, node) {
            return format!("reference {verdict}{affected}");
        }
        format!(
            "{} {} {verdict}{affected}",
            node.kind().as_str(),
            full(node)
        )
    })
}
