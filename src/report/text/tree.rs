//! One image as a tree in its own order: whole parts folded, everything else in full.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use super::super::affected::parents_first;
use super::super::judged::{Gravity, Root};
use super::super::judgement::Judgement;
use super::super::sentence;
use super::alike::Alike;
use super::content;
use super::entry;
use super::paint::{Paint, Style};
use crate::oci::kind::Kind;
use crate::text::escape;
use crate::text::human::{self, count};
use crate::walk::graph::{Care, Edge, Graph, NodeId};
use crate::walk::verdict::Verdict;

/// An index with more whole manifests than this says how many there are.
const MANIFESTS: usize = 50;

/// Writes the trees of one report; what two images share is described once.
pub(super) struct Tree<'j, 'a> {
    judgement: &'j Judgement<'a>,
    style: Style,
    /// For each repository and node the root in whose tree it was described.
    described: HashMap<*const Graph, Vec<Option<NodeId>>>,
}

/// The references of one manifest that are still to be described.
type Edges<'p, 'a> = Box<dyn Iterator<Item = Edge<'a>> + 'p>;

/// How far a line is indented at most, in levels.
const DEEPEST: usize = 12;

/// What stays the same within one tree.
struct Spot<'j, 'a> {
    root: &'j Root<'a>,
    graph: &'a Graph,
    troubles: Vec<Option<Gravity>>,
    /// The summaries of manifests that are long and may be shown again and again.
    summaries: RefCell<HashMap<NodeId, String>>,
}

impl Spot<'_, '_> {
    fn trouble(&self, id: NodeId) -> Gravity {
        self.troubles[id.place()].unwrap_or(Gravity::None)
    }
}

impl<'j, 'a> Tree<'j, 'a> {
    pub(super) fn new(judgement: &'j Judgement<'a>, style: Style) -> Self {
        Self {
            judgement,
            style,
            described: HashMap::new(),
        }
    }

    /// The root in whose tree a node was described before, if it was; from now on it is this one.
    fn describe(&mut self, place: &Spot<'_, 'a>, id: NodeId) -> Option<NodeId> {
        let graph = place.root.graph;
        let described = self.described.entry(std::ptr::from_ref(graph));
        let described = described.or_insert_with(|| vec![None; graph.len()]);
        described[id.place()].replace(place.root.node)
    }

    /// Writes the tree of the image at this place.
    pub(super) fn write(&mut self, image: usize, out: &mut dyn Write) -> io::Result<()> {
        let root = self.judgement.root(image);
        let place = Spot {
            root,
            graph: root.graph,
            troubles: assess(root),
            summaries: RefCell::default(),
        };
        let edge = Edge {
            to: root.node,
            platform: None,
            care: Care::Check,
        };
        // Not by recursion: each index may list the next one, thousands of times.
        let mut open: Vec<Edges<'_, 'a>> = vec![Box::new(std::iter::once(edge))];
        while let Some(edges) = open.last_mut() {
            let Some(edge) = edges.next() else {
                open.pop();
                continue;
            };
            if self.entry(&place, &edge, open.len(), out)? {
                let below = self.children(&place, edge.to, open.len() + 1, out)?;
                open.push(below);
            }
        }
        Ok(())
    }

    /// What one reference leads to; whether what is below it is still to be described.
    fn entry(
        &mut self,
        place: &Spot<'_, 'a>,
        edge: &Edge<'_>,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<bool> {
        let node = place.graph.node(edge.to);
        let is_warning = node.cause().is_warning() && !node.kind().is_manifest();
        if node.kind().is_manifest() && node.verdict().is_definite() && !node.is_leaf() {
            self.fault(place, edge, depth, out)?;
            return Ok(true);
        } else if node.verdict() != Verdict::Ok || is_warning {
            self.fault(place, edge, depth, out)?;
        } else if node.kind().is_manifest() {
            return self.manifest(place, edge, depth, out);
        } else if self.style.verbose {
            let size = node
                .size()
                .map(|size| format!(", {}", human::bytes(size)))
                .unwrap_or_default();
            let line = format!(
                "{} {} {}{size}",
                node.kind().as_str(),
                entry::full(node),
                entry::verdict(node)
            );
            self.line(depth, Gravity::None, Verdict::Ok, &line, out)?;
        }
        Ok(false)
    }

    fn manifest(
        &mut self,
        place: &Spot<'_, 'a>,
        edge: &Edge<'_>,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<bool> {
        let node = place.graph.node(edge.to);
        let trouble = seen_along(edge, place.trouble(edge.to));
        let at_root = edge.to == place.root.node;
        let digest = if at_root || self.style.verbose {
            entry::full(node)
        } else {
            entry::short(node)
        };
        let mut summary = summary(place, edge.to);
        let cause = sentence::cause(node.cause());
        if !cause.is_empty() {
            let semicolon = if summary.is_empty() { "" } else { "; " };
            summary.push_str(semicolon);
            summary.push_str(&escape::line(&cause));
        }
        // A skimmed report of a broken image should not read as if something were ok.
        let verdict = match (trouble, summary.is_empty()) {
            (Gravity::None, true) => "ok",
            (Gravity::None, false) => "ok: ",
            (_, true) => "(itself ok)",
            (_, false) => "(itself ok) ",
        };
        let label = entry::label(node, edge);
        let again = self.describe(place, edge.to).is_some();
        let above = if again { " (as above)" } else { "" };
        self.line(
            depth,
            trouble,
            Verdict::Ok,
            &format!("{label} {digest} {verdict}{summary}{above}"),
            out,
        )?;
        Ok(!again)
    }

    /// What is shown below a manifest; what is undecided for one reason is one line.
    fn children<'p>(
        &mut self,
        place: &'p Spot<'_, 'a>,
        id: NodeId,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<Edges<'p, 'a>> {
        let children = place.graph.node(id).children();
        let is_whole = |edge: &Edge<'_>| {
            place.graph.node(edge.to).kind().is_manifest()
                && place.trouble(edge.to) == Gravity::None
        };
        let whole = children.clone().filter(is_whole).count();
        let fold = whole > MANIFESTS && !self.style.verbose;
        if fold {
            self.line(
                depth,
                Gravity::None,
                Verdict::Ok,
                &format!("{whole} whole manifests"),
                out,
            )?;
        }
        let alike = if self.style.verbose {
            HashSet::new()
        } else {
            self.alike(place, id, depth, out)?
        };
        Ok(Box::new(children.filter(move |edge| {
            let is_folded = fold && is_whole(edge);
            !is_folded && !alike.contains(&edge.to)
        })))
    }

    /// Writes a line for all that is undecided for one reason, and gives what it is about.
    fn alike(
        &mut self,
        place: &Spot<'_, 'a>,
        parent: NodeId,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<HashSet<NodeId>> {
        let mut said = HashSet::new();
        for alike in Alike::among(place.root, parent) {
            let described = alike.nodes.iter().map(|id| self.describe(place, *id));
            let is_new = described.fold(false, |is_new, before| is_new | before.is_none());
            let first = place.graph.node(alike.nodes[0]).verdict();
            let above = if is_new { "" } else { " (as above)" };
            let line = format!("{}{above}", alike.line(place.root));
            let trouble = place.trouble(alike.nodes[0]);
            self.line(depth, trouble, first, &line, out)?;
            if is_new {
                let consequence = alike.consequence(place.root);
                let indent = 2 * depth.min(DEEPEST) + 4;
                writeln!(out, "{:indent$}{consequence}", "")?;
            }
            said.extend(alike.nodes);
        }
        Ok(said)
    }

    /// A digest that is not ok: in full, or where it was shown in full already, short.
    fn fault(
        &mut self,
        place: &Spot<'_, 'a>,
        edge: &Edge<'_>,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let node = place.graph.node(edge.to);
        let trouble = seen_along(edge, place.trouble(edge.to));
        let label = entry::label(node, edge);
        let verdict = node.verdict();
        let described_in = self.describe(place, edge.to);
        if described_in.is_some() {
            let line = format!(
                "{label} {} {} (as above)",
                entry::short(node),
                verdict.as_str()
            );
            self.line(depth, trouble, verdict, &line, out)?;
        } else {
            let line = if entry::is_unresolved(place.root, edge.to, node) {
                format!("reference {}", entry::verdict(node))
            } else {
                format!("{label} {} {}", entry::full(node), entry::verdict(node))
            };
            self.line(depth, trouble, verdict, &line, out)?;
        }
        let asked = !matches!(verdict, Verdict::NotChecked | Verdict::Skipped);
        if asked && described_in != Some(place.root.node) {
            let consequence = entry::consequence(place.root, edge.to);
            writeln!(
                out,
                "{:indent$}{consequence}",
                "",
                indent = 2 * depth.min(DEEPEST) + 4
            )?;
        }
        Ok(())
    }

    fn line(
        &self,
        depth: usize,
        trouble: Gravity,
        verdict: Verdict,
        text: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let (mark, paint) = entry::mark(trouble, verdict);
        let depth = depth.min(DEEPEST);
        let paint = if verdict == Verdict::Ok && trouble != Gravity::None {
            Paint::Doubt
        } else {
            paint
        };
        writeln!(
            out,
            "{:indent$}{}",
            "",
            self.style.paint(paint, &format!("{mark} {text}")),
            indent = 2 * depth
        )
    }
}

/// The gravest trouble at or below every node, by its place.
fn assess(root: &Root<'_>) -> Vec<Option<Gravity>> {
    let graph = root.graph;
    let mut troubles = vec![None; graph.len()];
    for id in parents_first(graph, root.node).into_iter().rev() {
        let below = |edge: Edge<'_>| {
            let trouble = troubles[edge.to.place()].unwrap_or(Gravity::None);
            seen_along(&edge, trouble)
        };
        let children = graph.node(id).children().map(below);
        troubles[id.place()] = Some(children.fold(root.trouble(id), Gravity::max));
    }
    troubles
}

/// What a reference makes of the trouble behind it.
fn seen_along(edge: &Edge<'_>, trouble: Gravity) -> Gravity {
    if edge.care == Care::Warn {
        trouble.min(Gravity::Warned)
    } else {
        trouble
    }
}

/// The summary of a manifest or an index, made once where it is long.
fn summary(place: &Spot<'_, '_>, id: NodeId) -> String {
    /// How many references are looked at more than once.
    const FEW: usize = 64;
    if place.graph.node(id).children().nth(FEW).is_none() {
        return summarize(place, id);
    }
    place
        .summaries
        .borrow_mut()
        .entry(id)
        .or_insert_with(|| summarize(place, id))
        .clone()
}

/// `config, 12 layers, 214 MB; 1 broken`, or for an index `2 manifests, 1 attestation; 1 broken, 1
/// undecided`.
fn summarize(place: &Spot<'_, '_>, id: NodeId) -> String {
    let (mut configs, mut layers, mut bytes) = (0, 0, 0_u64);
    let (mut broken, mut undecided, mut warned) = (0, 0, 0);
    let mut manifests: Vec<(Kind, usize)> = Vec::new();
    for edge in place.graph.node(id).children() {
        let child = place.graph.node(edge.to);
        if child.kind().is_manifest() {
            match manifests.iter_mut().find(|(kind, _)| *kind == child.kind()) {
                Some((_, number)) => *number += 1,
                None => manifests.push((child.kind(), 1)),
            }
        } else if child.verdict() == Verdict::Ok {
            configs += usize::from(child.kind() == Kind::Config);
            layers += usize::from(child.kind() == Kind::Layer);
            bytes = bytes.saturating_add(child.size().unwrap_or(0));
        }
        match seen_along(&edge, place.trouble(edge.to)) {
            Gravity::None => {}
            Gravity::Warned => warned += 1,
            Gravity::Undecided => undecided += 1,
            Gravity::Broken => broken += 1,
        }
    }
    let mut parts: Vec<String> = manifests
        .iter()
        .map(|(kind, number)| count(*number, kind.as_str()))
        .collect();
    if configs + layers > 0 {
        parts.push(content(configs, layers, bytes));
    }
    let mut texts = vec![parts.join(", ")];
    let troubles = [
        (broken, "broken"),
        (undecided, "undecided"),
        (warned, "with a warning"),
    ];
    let troubles = troubles.iter().filter(|(number, _)| *number > 0);
    texts.push(
        troubles
            .map(|(number, state)| format!("{number} {state}"))
            .collect::<Vec<_>>()
            .join(", "),
    );
    texts.retain(|text| !text.is_empty());
    texts.join("; ")
}
