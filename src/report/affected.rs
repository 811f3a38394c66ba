//! Which pulls a faulty digest affects.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::judged::Root;
use crate::oci::kind::Kind;
use crate::oci::platform::Platform;
use crate::text::{escape, human};
use crate::walk::graph::{Edge, Graph, NodeId};

/// How many platforms are named before the rest is counted.
const NAMED: usize = 8;

/// How many platforms of one image are distinguished; an index may list tens of thousands over one
/// manifest.
const MAX_DISTINCT: usize = 256;

/// The pulls that need one digest of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Affected<'a> {
    /// Every pull of the image.
    Everybody,
    /// Pulls for these platforms, in the image's own order.
    Platforms {
        /// The platforms.
        named: Vec<&'a Platform>,
        /// Whether the image has more than one, and these are all of them.
        all: bool,
        /// Whether there are more than are distinguished.
        more: bool,
    },
    /// Pulls of a child that the index lists without a platform.
    Unnamed,
    /// No pull: only readers of provenance or an SBOM.
    Provenance,
    /// No pull: only readers of what refers to the image.
    Signatures,
}

impl Affected<'_> {
    /// Whether a pull fails.
    #[must_use]
    pub fn stops_a_pull(&self) -> bool {
        !matches!(self, Self::Provenance | Self::Signatures)
    }

    /// The sentence for a digest that is broken, or that could not be checked.
    #[must_use]
    pub fn sentence(&self, broken: bool) -> String {
        let fate = if broken {
            "cannot be pulled"
        } else {
            "could not be checked"
        };
        let could = if broken {
            "can be pulled"
        } else {
            "could be checked"
        };
        match self {
            Self::Everybody => format!("the image {fate}"),
            Self::Platforms { all: true, .. } => format!("no platform {could}"),
            Self::Platforms { named, more, .. } => {
                let mut names: Vec<String> = named
                    .iter()
                    .take(NAMED)
                    .map(|platform| escape::line(&platform.to_string()))
                    .collect();
                if named.len() > NAMED || *more {
                    let least = if *more { "at least " } else { "" };
                    names.push(format!(
                        "{least}{} more",
                        named.len() - names.len() + usize::from(*more)
                    ));
                }
                format!("{} {fate}", human::list(&names))
            }
            Self::Unnamed => format!("a child without a platform {fate}"),
            Self::Provenance => "provenance only".to_owned(),
            Self::Signatures => "signatures only".to_owned(),
        }
    }
}

/// For which pulls a node is needed, as bits; the lowest is the gravest. Each platform has a bit,
/// from 1 on.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct PullSet([u64; 5]);

const EVERYBODY: usize = 0;
const ANOTHER_PLATFORM: usize = MAX_DISTINCT + 1;
const UNNAMED: usize = MAX_DISTINCT + 2;
const PROVENANCE: usize = MAX_DISTINCT + 3;
const SIGNATURES: usize = MAX_DISTINCT + 4;

impl PullSet {
    fn of(bit: usize) -> Self {
        let mut set = Self::default();
        set.0[bit / 64] |= 1 << (bit % 64);
        set
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn holds(self, bit: usize) -> bool {
        self.0[bit / 64] & (1 << (bit % 64)) != 0
    }

    fn without(mut self, bit: usize) -> Self {
        self.0[bit / 64] &= !(1 << (bit % 64));
        self
    }

    /// Adds all bits of another.
    fn join(&mut self, other: Self) {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
    }

    fn first(self) -> Option<usize> {
        (0..=SIGNATURES).find(|bit| self.holds(*bit))
    }
}

/// Which pulls each faulty digest of a root affects.
#[derive(Debug, Default)]
pub struct AffectedBy<'a> {
    /// By place, with the place in `sets`.
    faults: Vec<(NodeId, u32)>,
    sets: Vec<PullSet>,
    platforms: Vec<&'a Platform>,
}

impl fmt::Debug for PullSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries((0..=SIGNATURES).filter(|bit| self.holds(*bit)))
            .finish()
    }
}

impl<'a> AffectedBy<'a> {
    /// Which pulls this one affects; `None` when it is fine.
    #[must_use]
    pub fn get(&self, id: NodeId) -> Option<Affected<'a>> {
        let found = self
            .faults
            .binary_search_by_key(&id, |(fault, _)| *fault)
            .ok()?;
        Some(self.described(self.sets[self.faults[found].1 as usize]))
    }

    /// Which pulls any of these affects; `None` when all are fine.
    #[must_use]
    pub(crate) fn of_any(&self, ids: &[NodeId]) -> Option<Affected<'a>> {
        let place = |id: &NodeId| {
            let found = self.faults.binary_search_by_key(id, |(fault, _)| *fault);
            found.ok().map(|found| self.faults[found].1)
        };
        let places: HashSet<u32> = ids.iter().filter_map(place).collect();
        let mut all = PullSet::default();
        for place in &places {
            all.join(self.sets[*place as usize]);
        }
        (!places.is_empty()).then(|| self.described(all))
    }

    fn described(&self, set: PullSet) -> Affected<'a> {
        match set.first() {
            None | Some(EVERYBODY) => Affected::Everybody,
            Some(1..=ANOTHER_PLATFORM) => {
                let numbers = self
                    .platforms
                    .iter()
                    .enumerate()
                    .filter(|(number, _)| set.holds(number + 1));
                let named: Vec<_> = numbers.map(|(_, platform)| *platform).collect();
                let all = named.len() > 1 && named.len() == self.platforms.len();
                Affected::Platforms {
                    named,
                    all,
                    more: set.holds(ANOTHER_PLATFORM),
                }
            }
            Some(UNNAMED) => Affected::Unnamed,
            Some(PROVENANCE) => Affected::Provenance,
            Some(_) => Affected::Signatures,
        }
    }
}

/// Finds which pulls need each faulty digest of a root.
///
/// # Panics
/// Never: there are fewer groups of pulls than nodes.
#[must_use]
pub(crate) fn affected<'a>(graph: &'a Graph, root: &Root<'_>) -> AffectedBy<'a> {
    let mut faults: Vec<NodeId> = root.faults().collect();
    faults.sort_unstable();
    faults.dedup();
    if faults.is_empty() {
        return AffectedBy::default();
    }
    let mut platforms = Numbered::default();
    let mut needed_by = vec![PullSet::default(); graph.len()];
    needed_by[root.node.place()] = PullSet::of(EVERYBODY);
    // Only what refers to an image from outside can lead in a circle, and it affects only its own
    // readers.
    for id in parents_first(graph, root.node) {
        for edge in graph.node(id).children() {
            let set = along(graph, id, &edge, needed_by[id.place()], &mut platforms);
            needed_by[edge.to.place()].join(set);
        }
    }
    let mut places: HashMap<PullSet, u32> = HashMap::new();
    let mut sets = Vec::new();
    let faults = faults.into_iter().map(|id| {
        let set = needed_by[id.place()];
        let place = *places.entry(set).or_insert_with(|| {
            sets.push(set);
            u32::try_from(sets.len() - 1).expect("there are fewer than nodes")
        });
        (id, place)
    });
    AffectedBy {
        faults: faults.collect(),
        sets,
        platforms: platforms.platforms,
    }
}

/// Which pulls need a child when these need its parent.
fn along<'a>(
    graph: &'a Graph,
    from: NodeId,
    edge: &Edge<'a>,
    set: PullSet,
    platforms: &mut Numbered<'a>,
) -> PullSet {
    let child = graph.node(edge.to);
    // A config's platform says whose a manifest is where the index does not.
    let stated = edge
        .platform
        .or(child.platform().filter(|_| child.kind() == Kind::Manifest));
    let for_everybody = match (child.kind(), stated) {
        _ if set.is_empty() => return set,
        (Kind::Referrer, _) => return PullSet::of(SIGNATURES),
        (Kind::Attestation, _) => return PullSet::of(PROVENANCE),
        _ if !set.holds(EVERYBODY) => return set,
        (_, Some(platform)) if !platform.is_unknown() => platforms.bit(platform),
        (kind, _) if graph.node(from).kind() == Kind::Index && kind != Kind::Index => UNNAMED,
        _ => return set,
    };
    let mut set = set.without(EVERYBODY);
    set.join(PullSet::of(for_everybody));
    set
}

/// The platforms in the image's own order, as far as they are distinguished.
#[derive(Default)]
struct Numbered<'a> {
    platforms: Vec<&'a Platform>,
    bits: HashMap<&'a Platform, usize>,
}

impl<'a> Numbered<'a> {
    fn bit(&mut self, platform: &'a Platform) -> usize {
        if let Some(bit) = self.bits.get(platform) {
            return *bit;
        }
        if self.platforms.len() == MAX_DISTINCT {
            return ANOTHER_PLATFORM;
        }
        self.platforms.push(platform);
        self.bits.insert(platform, self.platforms.len());
        self.platforms.len()
    }
}

/// Every node that can be reached, parents before their children as far as there are no circles,
/// else in the image's own order.
pub(super) fn parents_first(graph: &Graph, root: NodeId) -> Vec<NodeId> {
    let children = |id: NodeId| {
        graph
            .node(id)
            .children()
            .map(|edge| edge.to)
            .collect::<Vec<_>>()
    };
    let mut seen = vec![false; graph.len()];
    let mut order = Vec::new();
    let mut stack = vec![(root, children(root))];
    seen[root.place()] = true;
    while let Some((id, open)) = stack.last_mut() {
        match open.pop() {
            Some(child) if std::mem::replace(&mut seen[child.place()], true) => {}
            Some(child) => stack.push((child, children(child))),
            None => {
                order.push(*id);
                stack.pop();
            }
        }
    }
    order.reverse();
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::report::example::{
        Content, attestation, child, digest, index, layer, manifest, plain, referrer, report,
    };
    use crate::report::judgement::Judgement;

    /// The sentence for the broken digest `0x55` of an image.
    fn sentence(image: Content) -> String {
        sentence_in(&report(&[("app:1", image)]))
    }

    fn sentence_in(report: &Report) -> String {
        let judgement = Judgement::of(report);
        let root = &judgement.repositories[0].roots[0];
        let is_it = |id: &NodeId| {
            report.repositories[0]
                .graph
                .node(*id)
                .has_digest(&digest(0x55))
        };
        let id = root.faults().find(is_it).unwrap();
        root.affected.get(id).unwrap().sentence(root.is_broken(id))
    }

    fn lost() -> Content {
        layer(0x55).missing()
    }

    #[test]
    fn the_platforms_that_need_a_digest_are_named() {
        let one = index(0x10)
            .with(manifest(0x20, "linux/amd64").with(lost()))
            .with(manifest(0x30, "linux/arm64"));
        assert_eq!(sentence(one.clone()), "linux/amd64 cannot be pulled");
        let two = one.with(manifest(0x40, "linux/arm/v7").with(lost()));
        assert_eq!(
            sentence(two),
            "linux/amd64 and linux/arm/v7 cannot be pulled"
        );
        let all = index(0x10)
            .with(manifest(0x20, "linux/amd64").with(lost()))
            .with(manifest(0x30, "linux/arm64").with(lost()))
            .with(attestation(0x40));
        assert_eq!(sentence(all), "no platform can be pulled");
        assert_eq!(
            sentence(index(0x10).with(manifest(0x55, "linux/amd64").missing())),
            "linux/amd64 cannot be pulled"
        );
    }

    #[test]
    fn without_an_index_the_image_is_affected() {
        assert_eq!(
            sentence(plain(0x20).with(lost())),
            "the image cannot be pulled"
        );
        assert_eq!(
            sentence(index(0x55).missing()),
            "the image cannot be pulled"
        );
        let unknown = index(0x10).with(child(0x20, "unknown/unknown").with(lost()));
        assert_eq!(
            sentence(unknown),
            "a child without a platform cannot be pulled"
        );
        assert_eq!(
            sentence(index(0x10).with(plain(0x20).with(lost()))),
            "a child without a platform cannot be pulled"
        );
    }

    #[test]
    fn a_config_names_the_platform_that_the_index_does_not() {
        let mut report = report(&[("app:1", index(0x10).with(plain(0x20).with(lost())))]);
        let child = report.repositories[0].graph.reachable(report.image(0).root)[1];
        report
            .graph_mut()
            .set_platform(child, Some(&"linux/amd64".parse().unwrap()));
        assert_eq!(sentence_in(&report), "linux/amd64 cannot be pulled");
    }

    #[test]
    fn a_platform_counts_through_a_nested_index() {
        let inner = index(0x11).with(manifest(0x20, "linux/amd64").with(lost()));
        let image = index(0x10).with(inner).with(manifest(0x30, "linux/arm64"));
        assert_eq!(sentence(image), "linux/amd64 cannot be pulled");
    }

    #[test]
    fn provenance_is_named_only_when_no_pull_is_affected() {
        let provenance = index(0x10)
            .with(manifest(0x20, "linux/amd64"))
            .with(attestation(0x40).with(lost()));
        assert_eq!(sentence(provenance.clone()), "provenance only");
        assert_eq!(
            sentence(provenance.with(manifest(0x30, "linux/arm64").with(lost()))),
            "linux/arm64 cannot be pulled"
        );
        assert_eq!(
            sentence(plain(0x20).with(referrer(0x30).with(lost()))),
            "signatures only"
        );
    }

    #[test]
    fn what_could_not_be_checked_is_not_called_broken() {
        let unknown = layer(0x55).denied();
        let image = index(0x10).with(manifest(0x20, "linux/amd64").with(unknown.clone()));
        assert_eq!(sentence(image.clone()), "linux/amd64 could not be checked");
        assert_eq!(
            sentence(image.with(manifest(0x30, "linux/arm64").with(unknown))),
            "no platform could be checked"
        );
    }

    #[test]
    fn many_platforms_are_counted() {
        let platforms = |number: usize| {
            let whole = index(0x10).with(manifest(0x70, "linux/whole"));
            (0..number).fold(whole, |image, place| {
                image.with(child(0x20, &format!("linux/a{place}")).with(lost()))
            })
        };
        assert_eq!(
            sentence(platforms(10)),
            "linux/a0, linux/a1, linux/a2, linux/a3, linux/a4, linux/a5, linux/a6, linux/a7 and \
             2 more cannot be pulled"
        );
        assert!(
            sentence(platforms(300)).ends_with("linux/a7 and at least 248 more cannot be pulled")
        );
    }
}
