//! Who is hurt by a digest that is not there.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::escape;
use super::human;
use super::judgement::Root;
use crate::graph::{Graph, NodeId};
use crate::image::Kind;
use crate::platform::Platform;

/// How many platforms are named before the rest is counted.
const NAMED: usize = 8;

/// How many platforms of one image are told apart; an index may list tens of thousands over one manifest.
const TOLD_APART: usize = 256;

/// Everybody who needs one digest of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hurt<'a> {
    /// Whoever pulls the image.
    Everybody,
    /// Whoever pulls for one of these platforms, in the image's own order.
    Platforms {
        /// The platforms.
        named: Vec<&'a Platform>,
        /// Whether the image has more than one, and these are all of them.
        all: bool,
        /// Whether there are more than can be told apart.
        more: bool,
    },
    /// Whoever pulls a child that the index lists without a platform.
    Unnamed,
    /// Nobody but the readers of provenance or an SBOM.
    Provenance,
    /// Nobody but the readers of what refers to the image.
    Signatures,
}

impl Hurt<'_> {
    /// Whether somebody cannot pull.
    #[must_use]
    pub fn stops_a_pull(&self) -> bool {
        !matches!(self, Self::Provenance | Self::Signatures)
    }

    /// The sentence for a digest that is broken, or that could not be checked.
    #[must_use]
    pub fn sentence(&self, broken: bool) -> String {
        let fate = if broken { "cannot be pulled" } else { "could not be checked" };
        let could = if broken { "can be pulled" } else { "could be checked" };
        match self {
            Self::Everybody => format!("the image {fate}"),
            Self::Platforms { all: true, .. } => format!("no platform {could}"),
            Self::Platforms { named, more, .. } => {
                let mut names: Vec<String> =
                    named.iter().take(NAMED).map(|platform| escape::line(&platform.to_string())).collect();
                if named.len() > NAMED || *more {
                    let least = if *more { "at least " } else { "" };
                    names.push(format!("{least}{} more", named.len() - names.len() + usize::from(*more)));
                }
                format!("{} {fate}", human::list(&names))
            }
            Self::Unnamed => format!("a child without a platform {fate}"),
            Self::Provenance => "provenance only".to_owned(),
            Self::Signatures => "signatures only".to_owned(),
        }
    }
}

/// On whose behalf a node is looked at; the gravest first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Behalf {
    Everybody,
    Platform(usize),
    AnotherPlatform,
    Unnamed,
    Provenance,
    Signatures,
}

/// Finds, for every digest of a root that is not fine, who needs it.
#[must_use]
pub fn who_is_hurt<'a>(graph: &'a Graph, root: &Root<'_>) -> HashMap<NodeId, Hurt<'a>> {
    let mut needed_by: HashMap<NodeId, BTreeSet<Behalf>> =
        [&root.broken, &root.undecided, &root.warned].into_iter().flatten().map(|id| (*id, BTreeSet::new())).collect();
    if needed_by.is_empty() {
        return HashMap::new();
    }
    let mut platforms: Vec<&Platform> = Vec::new();
    let mut numbers: HashMap<&Platform, usize> = HashMap::new();
    let mut seen = HashSet::new();
    let mut stack = vec![(root.node, Behalf::Everybody)];
    while let Some((id, behalf)) = stack.pop() {
        if let Some(needs) = needed_by.get_mut(&id) {
            needs.insert(behalf);
        }
        let node = graph.node(id);
        if node.children.is_empty() || !seen.insert((id, behalf)) {
            continue;
        }
        let first = stack.len();
        for edge in &node.children {
            let behalf = match (graph.node(edge.to).kind, &edge.platform) {
                (Kind::Referrer, _) => Behalf::Signatures,
                (Kind::Attestation, _) => Behalf::Provenance,
                (_, Some(platform)) if behalf == Behalf::Everybody && !platform.is_unknown() => {
                    if platforms.len() < TOLD_APART && !numbers.contains_key(platform) {
                        numbers.insert(platform, platforms.len());
                        platforms.push(platform);
                    }
                    numbers.get(platform).map_or(Behalf::AnotherPlatform, |number| Behalf::Platform(*number))
                }
                (kind, _) if node.kind == Kind::Index && behalf == Behalf::Everybody && kind != Kind::Index => {
                    Behalf::Unnamed
                }
                _ => behalf,
            };
            stack.push((edge.to, behalf));
        }
        stack[first..].reverse();
    }
    needed_by.into_iter().map(|(id, needs)| (id, hurt(&needs, &platforms))).collect()
}

fn hurt<'a>(needs: &BTreeSet<Behalf>, platforms: &[&'a Platform]) -> Hurt<'a> {
    match needs.first() {
        None | Some(Behalf::Everybody) => Hurt::Everybody,
        Some(Behalf::Platform(_) | Behalf::AnotherPlatform) => {
            let named: Vec<_> = needs
                .iter()
                .filter_map(|behalf| match behalf {
                    Behalf::Platform(number) => Some(platforms[*number]),
                    _ => None,
                })
                .collect();
            let more = needs.contains(&Behalf::AnotherPlatform);
            let all = named.len() > 1 && named.len() == platforms.len();
            Hurt::Platforms { named, all, more }
        }
        Some(Behalf::Unnamed) => Hurt::Unnamed,
        Some(Behalf::Provenance) => Hurt::Provenance,
        Some(Behalf::Signatures) => Hurt::Signatures,
    }
}
