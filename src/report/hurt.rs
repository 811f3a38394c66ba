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
    let mut needed_by: HashMap<NodeId, BTreeSet<Behalf>> = root.faults().map(|id| (id, BTreeSet::new())).collect();
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
            let child = graph.node(edge.to);
            // A config's platform says whose a manifest is where the index does not.
            let stated = edge.platform.as_ref().or(child.platform.as_ref().filter(|_| child.kind == Kind::Manifest));
            let behalf = match (child.kind, stated) {
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
        let root = &judgement.roots()[0];
        let is_it = |id: &NodeId| report.graphs[0].node(*id).digest == Some(digest(0x55));
        let id = root.faults().find(is_it).unwrap();
        root.hurt[&id].sentence(judgement.is_broken(0, id))
    }

    fn lost() -> Content {
        layer(0x55).missing()
    }

    #[test]
    fn the_platforms_that_need_a_digest_are_named() {
        let one = index(0x10).with(manifest(0x20, "linux/amd64").with(lost())).with(manifest(0x30, "linux/arm64"));
        assert_eq!(sentence(one.clone()), "linux/amd64 cannot be pulled");
        let two = one.with(manifest(0x40, "linux/arm/v7").with(lost()));
        assert_eq!(sentence(two), "linux/amd64 and linux/arm/v7 cannot be pulled");
        let all = index(0x10)
            .with(manifest(0x20, "linux/amd64").with(lost()))
            .with(manifest(0x30, "linux/arm64").with(lost()))
            .with(attestation(0x40));
        assert_eq!(sentence(all), "no platform can be pulled");
        assert_eq!(sentence(index(0x10).with(manifest(0x55, "linux/amd64").missing())), "linux/amd64 cannot be pulled");
    }

    #[test]
    fn without_an_index_the_image_is_hurt() {
        assert_eq!(sentence(plain(0x20).with(lost())), "the image cannot be pulled");
        assert_eq!(sentence(index(0x55).missing()), "the image cannot be pulled");
        let unknown = index(0x10).with(child(0x20, "unknown/unknown").with(lost()));
        assert_eq!(sentence(unknown), "a child without a platform cannot be pulled");
        assert_eq!(sentence(index(0x10).with(plain(0x20).with(lost()))), "a child without a platform cannot be pulled");
    }

    #[test]
    fn a_config_names_the_platform_that_the_index_does_not() {
        let mut report = report(&[("app:1", index(0x10).with(plain(0x20).with(lost())))]);
        let child = report.graphs[0].reachable(report.images[0].root)[1];
        report.graphs[0].node_mut(child).platform = Some("linux/amd64".parse().unwrap());
        assert_eq!(sentence_in(&report), "linux/amd64 cannot be pulled");
    }

    #[test]
    fn a_platform_counts_through_a_nested_index() {
        let inner = index(0x11).with(manifest(0x20, "linux/amd64").with(lost()));
        let image = index(0x10).with(inner).with(manifest(0x30, "linux/arm64"));
        assert_eq!(sentence(image), "linux/amd64 cannot be pulled");
    }

    #[test]
    fn readers_of_provenance_are_hurt_only_when_nobody_else_is() {
        let provenance = index(0x10).with(manifest(0x20, "linux/amd64")).with(attestation(0x40).with(lost()));
        assert_eq!(sentence(provenance.clone()), "provenance only");
        assert_eq!(
            sentence(provenance.with(manifest(0x30, "linux/arm64").with(lost()))),
            "linux/arm64 cannot be pulled"
        );
        assert_eq!(sentence(plain(0x20).with(referrer(0x30).with(lost()))), "signatures only");
    }

    #[test]
    fn what_could_not_be_checked_is_not_called_broken() {
        let unknown = layer(0x55).denied();
        let image = index(0x10).with(manifest(0x20, "linux/amd64").with(unknown.clone()));
        assert_eq!(sentence(image.clone()), "linux/amd64 could not be checked");
        assert_eq!(sentence(image.with(manifest(0x30, "linux/arm64").with(unknown))), "no platform could be checked");
    }

    #[test]
    fn many_platforms_are_counted() {
        let platforms = |number: usize| {
            let whole = index(0x10).with(manifest(0x70, "linux/whole"));
            (0..number).fold(whole, |image, place| image.with(child(0x20, &format!("linux/a{place}")).with(lost())))
        };
        assert_eq!(
            sentence(platforms(10)),
            "linux/a0, linux/a1, linux/a2, linux/a3, linux/a4, linux/a5, linux/a6, linux/a7 and 2 more cannot be pulled"
        );
        assert!(sentence(platforms(300)).ends_with("linux/a7 and at least 248 more cannot be pulled"));
    }
}
