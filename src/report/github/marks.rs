//! The platforms of an image, each with a sign for how it is.

use std::collections::HashSet;

use super::super::affected::Affected;
use super::super::judged::Root;
use super::super::platforms::Platforms;
use super::alert::Alert;
use crate::oci::platform::Platform;
use crate::text::markdown::text;
use crate::walk::graph::NodeId;

/// How many platforms are shown; what cannot be pulled comes first where there are more.
const SHOWN: usize = 8;

/// `✅ linux/amd64 ❌ linux/arm64`, as markdown.
pub(super) fn of_platforms(root: &Root<'_>) -> String {
    let offered = Platforms::of(root.graph, root.node).offered;
    let (broken, undecided) = (Hit::by(root, &root.broken), Hit::by(root, &root.undecided));
    let marked = offered.iter().map(|platform| {
        let alert = match () {
            () if broken.holds(platform) => Alert::Caution,
            () if undecided.holds(platform) => Alert::Warning,
            () => Alert::Tip,
        };
        (alert, *platform)
    });
    let mut marked: Vec<(Alert, &Platform)> = marked.collect();
    if marked.len() > SHOWN {
        marked.sort_by_key(|(alert, _)| std::cmp::Reverse(*alert));
    }
    let shown = marked
        .iter()
        .take(SHOWN)
        .map(|(alert, platform)| format!("{}&nbsp;{}", alert.mark(), text(&platform.to_string())));
    let mut shown: Vec<String> = shown.collect();
    if marked.len() > SHOWN {
        shown.push(format!("and {} more", marked.len() - SHOWN));
    }
    shown.join(" ")
}

/// The platforms that some faults affect.
enum Hit<'a> {
    All,
    These(HashSet<&'a Platform>),
}

impl<'a> Hit<'a> {
    fn by(root: &Root<'a>, faults: &[NodeId]) -> Self {
        match root.affected.of_any(faults) {
            Some(Affected::Everybody) => Self::All,
            Some(Affected::Platforms { named, .. }) => Self::These(named.into_iter().collect()),
            _ => Self::These(HashSet::new()),
        }
    }

    fn holds(&self, platform: &Platform) -> bool {
        match self {
            Self::All => true,
            Self::These(platforms) => platforms.contains(platform),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::report::example::{attestation, index, layer, manifest, plain, report};
    use crate::report::judgement::Judgement;

    fn marks(report: &Report) -> String {
        of_platforms(Judgement::of(report).root(0))
    }

    #[test]
    fn every_platform_has_its_own_sign() {
        let image = index(0x10)
            .with(manifest(0x20, "linux/amd64"))
            .with(manifest(0x30, "linux/arm64").with(layer(0x32).missing()))
            .with(manifest(0x40, "linux/riscv64").with(layer(0x42).denied()))
            .with(manifest(0x50, "linux/s390x").missing())
            .with(attestation(0x60).missing().minor());
        assert_eq!(
            marks(&report(&[("app:1", image)])),
            "✅&nbsp;linux/amd64 ❌&nbsp;linux/arm64 ⚠️&nbsp;linux/riscv64 ❌&nbsp;linux/s390x"
        );
    }

    #[test]
    fn a_fault_above_all_platforms_affects_each() {
        let shared = || layer(0x55).missing();
        let image = index(0x10)
            .with(manifest(0x20, "linux/amd64").with(shared()))
            .with(manifest(0x30, "linux/arm64").with(shared()));
        assert!(!marks(&report(&[("app:1", image)])).contains('✅'));
        let mut single = report(&[("app:1", plain(0x20).with(layer(0x22).missing()))]);
        let amd64 = Some("linux/amd64".parse().unwrap());
        for id in single.repositories[0].graph.reachable(single.image(0).root) {
            single.graph_mut().set_platform(id, amd64.as_ref());
        }
        assert_eq!(marks(&single), "❌&nbsp;linux/amd64");
    }

    #[test]
    fn what_is_broken_is_among_the_first_of_many() {
        let image = (0..20).fold(index(1), |index, number: u8| {
            let manifest = manifest(2 + 2 * number, &format!("linux/a{number}"));
            index.with(if number == 17 {
                manifest.missing()
            } else {
                manifest
            })
        });
        let marks = marks(&report(&[("app:1", image)]));
        assert!(
            marks.starts_with("❌&nbsp;linux/a17 ✅&nbsp;linux/a0 "),
            "{marks}"
        );
        assert!(marks.ends_with(" ✅&nbsp;linux/a6 and 12 more"), "{marks}");
    }
}
