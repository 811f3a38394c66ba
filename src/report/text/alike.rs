//! Undecided digests of one manifest that have one cause: they are one line, because a registry that
//! answers 429 does so for every layer.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::super::judged::Root;
use super::super::sentence;
use super::entry;
use crate::oci::kind::Kind;
use crate::text::{escape, human};
use crate::walk::cause::Cause;
use crate::walk::graph::{Node, NodeId};
use crate::walk::verdict::Verdict;

/// How many digests are named before the rest is counted.
const NAMED: usize = 3;

/// Digests that have one cause.
pub(super) struct Alike {
    /// Those digests, at least two.
    pub(super) nodes: Vec<NodeId>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    verdict: Verdict,
    status: Option<u16>,
    manifest: bool,
    /// Without what differs from digest to digest.
    cause: Cause,
    consequence: Option<String>,
}

impl Alike {
    /// Those among the children of a manifest, in its own order.
    pub(super) fn among(root: &Root<'_>, parent: NodeId) -> Vec<Self> {
        let mut places: HashMap<Key, usize> = HashMap::new();
        let mut groups: Vec<Vec<NodeId>> = Vec::new();
        let mut seen = HashSet::new();
        for edge in root.graph.node(parent).children() {
            let node = root.graph.node(edge.to);
            let verdict = node.verdict();
            if !verdict.is_undecided() || verdict == Verdict::NotChecked || !node.is_leaf() {
                continue;
            }
            // What fails alone is definite, and has a line of its own.
            if root.is_isolated(edge.to) || node.is_nameless() {
                continue;
            }
            let key = Key {
                verdict,
                status: node.status(),
                manifest: node.kind().is_manifest(),
                cause: node.cause().clone().in_short(),
                consequence: root.consequence(edge.to),
            };
            let place = *places.entry(key).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            if seen.insert(edge.to) {
                groups[place].push(edge.to);
            }
        }
        groups.retain(|nodes| nodes.len() > 1);
        groups.into_iter().map(|nodes| Self { nodes }).collect()
    }

    /// `13 layers rate_limited: answered 429: sha256:…, sha256:…, sha256:… and 10 more`.
    pub(super) fn line(&self, root: &Root<'_>) -> String {
        let first = root.graph.node(self.nodes[0]);
        let names = self.nodes.iter().take(NAMED);
        let mut names: Vec<String> = names.map(|id| entry::short(root.graph.node(*id))).collect();
        if self.nodes.len() > NAMED {
            names.push(format!("{} more", self.nodes.len() - NAMED));
        }
        let cause = sentence::cause(first.cause());
        let cause = match &*cause {
            "" => String::new(),
            cause => format!("{}: ", escape::line(cause)),
        };
        format!(
            "{} {}: {cause}{}",
            human::count(self.nodes.len(), self.noun(root)),
            first.verdict().as_str(),
            human::list(&names)
        )
    }

    /// `linux/amd64 could not be checked; status 429, 26 requests in 48.0 s`.
    pub(super) fn consequence(&self, root: &Root<'_>) -> String {
        let nodes = || self.nodes.iter().map(|id| root.graph.node(*id));
        let requests: u32 = nodes().map(Node::attempts).sum();
        let longest = nodes().map(Node::duration).max();
        entry::consequence_of(
            root.consequence(self.nodes[0]),
            root.graph.node(self.nodes[0]).status(),
            requests,
            longest.unwrap_or(Duration::ZERO),
        )
    }

    fn noun(&self, root: &Root<'_>) -> &'static str {
        let kind = |id: &NodeId| root.graph.node(*id).kind();
        let first = kind(&self.nodes[0]);
        match first {
            _ if self.nodes.iter().all(|id| kind(id) == first) => first.as_str(),
            Kind::Config | Kind::Layer => "blob",
            _ => "manifest",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::report::example::{Content, config, index, layer, manifest, report, status};
    use crate::report::judgement::Judgement;
    use crate::report::text::{Style, write};
    use crate::walk::cause::Cause;
    use crate::walk::verdict::Verdict;

    fn text(image: Content, verbose: bool) -> String {
        let report = report(&[("app:1", image)]);
        let mut out = Vec::new();
        let style = Style {
            verbose,
            ..Style::default()
        };
        write(&Judgement::of(&report), style, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn limited(content: Content, words: &str) -> Content {
        let Cause::Status {
            status,
            place,
            is_registrys,
            is_page,
            ..
        } = status(429)
        else {
            unreachable!("it is one");
        };
        let words = Some(words.into());
        let cause = Cause::Status {
            status,
            place,
            is_registrys,
            is_page,
            words,
        };
        content.found(Verdict::RateLimited, 429, cause)
    }

    #[test]
    fn what_is_undecided_for_one_reason_is_one_line() {
        let image = |layers: std::ops::Range<u8>| {
            let image = manifest(0x20, "linux/amd64");
            layers.fold(image, |image, name| {
                image.with(limited(layer(name), &format!("words {name}")))
            })
        };
        let other = layer(0x60).unreachable("broke off");
        let index = index(0x10).with(image(0x30..0x3d).with(other));
        let text_of = |verbose| text(index.clone(), verbose);
        let short = text_of(false);
        let line = "? 13 layers rate_limited: answered 429 (words 48): sha256:303030303030, \
                    sha256:313131313131, sha256:323232323232 and 10 more\n";
        assert!(short.contains(line), "{short}");
        assert_eq!(short.matches("rate_limited").count(), 1, "{short}");
        assert!(short.contains("? layer sha256:6060606060606060"), "{short}");
        assert!(
            short.contains("linux/amd64 could not be checked; status 429"),
            "{short}"
        );
        assert_eq!(text_of(true).matches("? layer sha256:").count(), 14);
    }

    #[test]
    fn what_differs_has_a_line_of_its_own() {
        let both = manifest(0x20, "linux/amd64")
            .with(limited(config(0x61), "a"))
            .with(limited(layer(0x22), "b"))
            .with(layer(0x23).found(Verdict::Unavailable, 500, status(500)))
            .with(layer(0x24).missing())
            .with(layer(0x25).missing());
        let text = text(index(0x10).with(both), false);
        assert!(
            text.contains("? 2 blobs rate_limited: answered 429 (a): "),
            "{text}"
        );
        assert_eq!(text.matches("✗ layer sha256:").count(), 2, "{text}");
        assert!(text.contains("? layer sha256:2323"), "{text}");
    }
}
