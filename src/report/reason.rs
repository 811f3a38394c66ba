//! Why one image ends as it does, in a line that names it: the verdict line of a run of one image,
//! and one of the lines above the verdict of a run of several.

use std::collections::BTreeSet;

use super::affected::Affected;
use super::exit::Exit;
use super::judged::{Gravity, Root};
use super::judgement::Judgement;
use super::platforms::Platforms;
use super::scene::name;
use super::sentence;
use crate::oci::client::Clients;
use crate::oci::kind::Kind;
use crate::oci::platform::Platform;
use crate::text::escape;
use crate::text::human::{self, count};
use crate::walk::cause::{Cause, Denial, Place, Trouble};
use crate::walk::checked::{Finding, Subject};
use crate::walk::graph::{Node, NodeId};
use crate::walk::known::{Access, Known, Listed};
use crate::walk::verdict::Verdict;

/// How many platforms or kinds of fault are named before they are counted.
const NAMED: usize = 3;

/// Why the image at this place does not pass; `None` where it does.
#[must_use]
pub(crate) fn of(judgement: &Judgement<'_>, place: usize) -> Option<String> {
    let (root, subject) = (judgement.root(place), judgement.report.image(place));
    Some(match judgement.image_exit(place) {
        Exit::Broken if root.broken.is_empty() => of_findings(judgement, subject),
        Exit::Broken => broken(judgement, place),
        Exit::Denied => denied(judgement, place),
        Exit::Unknown => undecided(judgement, root, subject),
        Exit::Configuration => format!("{} has nothing to check", name(&subject.reference)),
        _ => return None,
    })
}

fn broken(judgement: &Judgement<'_>, place: usize) -> String {
    let (root, subject) = (judgement.root(place), judgement.report.image(place));
    let reference = &subject.reference;
    let own = root.graph.node(root.node);
    if own.verdict() == Verdict::Missing && own.is_leaf() {
        let tag = reference.tag.as_deref().unwrap_or_default();
        let listed = known(judgement, place).tags.get(tag);
        return match listed {
            Some(Listed::ItToo) => format!(
                "{} cannot be pulled: the tag is there, its manifest is gone",
                name(reference)
            ),
            _ => format!("{} does not exist", escape::line(&reference.to_string())),
        };
    }
    let whom = whom(root, reference_name(subject));
    // What no pull needs is not why it fails.
    let stops = |id: &NodeId| (root.affected.get(*id)).is_none_or(|one| one.stops_a_pull());
    let mut worst: Vec<NodeId> = root.broken.iter().filter(|id| stops(id)).copied().collect();
    if worst.is_empty() {
        worst.clone_from(&root.broken);
    }
    let what = faults(root, &worst);
    let stops = root.broken.iter().map(|id| root.graph.node(*id).stops());
    let clients = stops.fold(Clients::NONE, Clients::and);
    let by = if clients == Clients::ALL {
        String::new()
    } else {
        format!(" by {clients}")
    };
    if root.cannot_be_pulled() {
        format!("{whom} cannot be pulled{by}: {what}")
    } else {
        format!("{whom} cannot be read: {what}")
    }
}

fn reference_name(subject: &Subject) -> String {
    escape::line(&name(&subject.reference))
}

/// `linux/arm64 of team/app:1.4`, or the image where every pull of it is affected.
fn whom(root: &Root<'_>, image: String) -> String {
    let mut platforms: BTreeSet<&Platform> = BTreeSet::new();
    let mut only_attestations = true;
    for id in &root.broken {
        match root.affected.get(*id) {
            Some(Affected::Platforms {
                named, all: false, ..
            }) => platforms.extend(named),
            Some(Affected::Provenance | Affected::Signatures) => continue,
            _ => return image,
        }
        only_attestations = false;
    }
    if only_attestations {
        return format!("the provenance of {image}");
    }
    if platforms.len() > 1 && platforms.len() == Platforms::of(root.graph, root.node).offered.len()
    {
        return image;
    }
    let mut names: Vec<String> = (platforms.iter().take(NAMED))
        .map(|platform| escape::line(&platform.to_string()))
        .collect();
    if platforms.len() > NAMED {
        names.push(format!("{} more platforms", platforms.len() - NAMED));
    }
    format!("{} of {image}", human::list(&names))
}

/// `its manifest is missing`, `2 layers are empty and 1 is truncated`.
fn faults(root: &Root<'_>, ids: &[NodeId]) -> String {
    let mut groups: Vec<(Kind, &'static str, String, usize)> = Vec::new();
    for id in ids {
        let node = root.graph.node(*id);
        let (kind, (verb, state)) = (node.kind(), state(node));
        let is_it = |(known, _, words, _): &&mut (Kind, &str, String, usize)| {
            *known == kind && *words == state
        };
        match groups.iter_mut().find(is_it) {
            Some((.., number)) => *number += 1,
            None => groups.push((kind, verb, state, 1)),
        }
    }
    if groups.len() > NAMED {
        return format!("{} are at fault", count(ids.len(), "digest"));
    }
    let parts: Vec<String> = groups
        .into_iter()
        .map(|(kind, verb, state, number)| {
            let what = match (kind, number) {
                (Kind::Layer, _) | (_, 2..) => count(number, kind.as_str()),
                (Kind::Manifest | Kind::Index | Kind::Config, _) => {
                    format!("its {}", kind.as_str())
                }
                _ => count(number, kind.as_str()),
            };
            let verb = match (verb, number) {
                ("is", 2..) => "are",
                ("answers", 2..) => "answer",
                (other, _) => other,
            };
            format!("{what} {verb} {state}")
        })
        .collect();
    human::list(&parts)
}

/// A verb and what a digest is, for people.
fn state(node: Node<'_>) -> (&'static str, String) {
    let state = match node.verdict() {
        Verdict::Missing => "missing",
        Verdict::Empty => "empty",
        Verdict::Truncated => "truncated",
        Verdict::SizeMismatch => "of the wrong size",
        Verdict::DigestMismatch => "corrupted",
        Verdict::Malformed => "malformed",
        Verdict::Unsupported => "of a form that nothing pulls",
        Verdict::Denied => "refused",
        Verdict::NotChecked => "not checked",
        Verdict::RateLimited | Verdict::Unavailable => {
            return match (node.status(), node.cause()) {
                (
                    _,
                    Cause::Unreached {
                        trouble: Trouble::Timeout,
                        ..
                    },
                ) => ("got", "no answer".to_owned()),
                (Some(status), _) if status >= 400 => ("answers", status.to_string()),
                _ => ("got", "no usable answer".to_owned()),
            };
        }
        Verdict::Ok | Verdict::Skipped => "not usable by all clients",
    };
    ("is", state.to_owned())
}

fn of_findings(judgement: &Judgement<'_>, subject: &Subject) -> String {
    let name = reference_name(subject);
    let broken = |finding: &&Finding| judgement.gravity(finding) == Gravity::Broken;
    let mut findings = subject.findings.iter().filter(broken);
    let Some(first) = findings.next() else {
        return format!("{name} is not as expected");
    };
    let missing = |finding: &Finding| match finding {
        Finding::PlatformMissing { expected, .. } => Some(expected.to_string()),
        _ => None,
    };
    match first {
        Finding::PlatformMissing { .. } => {
            let all: Vec<String> = subject.findings.iter().filter_map(missing).collect();
            format!("{name} has no {}", escape::line(&human::list(&all)))
        }
        Finding::WrongDigest { .. } => format!("{name} is not the expected image"),
        Finding::StillWrong(_) => format!("{name} is still the image from before the rebuild"),
        Finding::TagsDiffer(differ) => format!(
            "{name} and {} are different images",
            differ.first.tag.as_deref().unwrap_or("the other tag")
        ),
        other => format!("{name}: {}", escape::line(&sentence::finding(other))),
    }
}

fn denied(judgement: &Judgement<'_>, place: usize) -> String {
    let (root, subject) = (judgement.root(place), judgement.report.image(place));
    let repository = &subject.reference.repository;
    let (host, what) = (&repository.registry, &repository.name);
    let refused = root.undecided.iter().find_map(|id| {
        let node = root.graph.node(*id);
        (node.verdict() == Verdict::Denied).then(|| node.cause())
    });
    let login = match &known(judgement, place).access {
        Access::Login { username, .. } => Some(username.as_deref()),
        _ => None,
    };
    match (refused, login) {
        (Some(Cause::Denied { denial, .. }), _) => match denial {
            Denial::Login { username, .. }
            | Denial::TokenServer {
                username: Some(username),
                ..
            } => format!("{host} refuses the login of {}", escape::line(username)),
            Denial::Anonymous { .. }
            | Denial::NoCredentials { .. }
            | Denial::TokenServer {
                identity: false, ..
            } => {
                format!("{host} wants a login for {what}")
            }
            _ => format!("{host} refuses access to {what}"),
        },
        (_, Some(Some(username))) => {
            format!("{} may not pull {host}/{what}", escape::line(username))
        }
        _ => format!("{host} refuses access to {what}"),
    }
}

fn undecided(judgement: &Judgement<'_>, root: &Root<'_>, subject: &Subject) -> String {
    let host = &subject.reference.repository.registry;
    let own = root.graph.node(root.node);
    let open = |id: &&NodeId| root.graph.node(**id).verdict() != Verdict::NotChecked;
    let asked: Vec<NodeId> = root.undecided.iter().filter(open).copied().collect();
    if asked.is_empty() && judgement.report.stopped.is_some() {
        return format!("{} was not checked to its end", reference_name(subject));
    }
    if let Cause::Unreached {
        trouble,
        place: Place::Registry,
        ..
    } = own.cause()
    {
        return match trouble {
            Trouble::UnknownHost => format!("{host} could not be resolved"),
            Trouble::ConnectionRefused => format!("nothing is listening at {host}"),
            Trouble::Unreachable => format!("there is no way to {host}"),
            Trouble::Timeout => format!("no answer from {host}"),
            Trouble::WithoutTls => format!("{host} does not speak TLS"),
            Trouble::WithoutPlainHttp => format!("{host} does not speak plain HTTP"),
            Trouble::UnknownIssuer | Trouble::BadCertificate => {
                format!("the certificate of {host} is not trusted")
            }
            _ => format!("no usable answer from {host}"),
        };
    }
    let name = reference_name(subject);
    match own.status() {
        _ if own.verdict() == Verdict::Ok && !asked.is_empty() => {
            format!("{name} could not be checked: {}", faults(root, &asked))
        }
        Some(status) if own.verdict() != Verdict::Ok => {
            format!("{name} could not be checked: {host} answers {status}")
        }
        _ => format!("{name} could not be checked"),
    }
}

fn known<'a>(judgement: &Judgement<'a>, place: usize) -> &'a Known {
    let (repository, _) = judgement.report.order[place];
    &judgement.report.repositories[repository].known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example::{
        Content, attestation, index, layer, manifest, nothing, plain, platform_missing, report,
        trouble,
    };

    fn said(content: Content) -> String {
        let report = report(&[("registry.example/team/app:1.4", content)]);
        of(&Judgement::of(&report), 0).unwrap()
    }

    fn empty(name: u8) -> Content {
        layer(name).found(Verdict::Empty, 206, "sends no bytes")
    }

    #[test]
    fn a_broken_image_is_named_with_its_platforms_and_what_is_wrong() {
        let arm = || manifest(0x30, "linux/arm64");
        let amd = || manifest(0x20, "linux/amd64");
        let app = "team/app:1.4 cannot be pulled";
        for (image, expected) in [
            (
                index(0x10).with(amd()).with(arm().with(empty(0x32))),
                format!("linux/arm64 of {app}: 1 layer is empty"),
            ),
            (
                index(0x10).with(amd()).with(arm().missing()),
                format!("linux/arm64 of {app}: its manifest is missing"),
            ),
            (
                index(0x10)
                    .with(amd().missing())
                    .with(arm().missing())
                    .with(attestation(0x40).missing()),
                format!("{app}: 2 manifests are missing"),
            ),
            (
                plain(0x20)
                    .with(empty(0x22))
                    .with(empty(0x23))
                    .with(layer(0x24).missing()),
                format!("{app}: 2 layers are empty and 1 layer is missing"),
            ),
            (
                index(0x10).with(amd()).with(attestation(0x40).missing()),
                "the provenance of team/app:1.4 cannot be read: 1 attestation is missing"
                    .to_owned(),
            ),
            (
                nothing().missing(),
                "registry.example/team/app:1.4 does not exist".to_owned(),
            ),
        ] {
            assert_eq!(said(image), expected);
        }
    }

    #[test]
    fn what_could_not_be_checked_names_the_registry_or_counts_the_digests() {
        let limited = |name| layer(name).found(Verdict::RateLimited, 429, "too many");
        let unreached = |kind| nothing().found(Verdict::Unavailable, None, trouble(kind, "why"));
        for (image, expected) in [
            (
                plain(0x20).with(limited(0x22)).with(limited(0x23)),
                "team/app:1.4 could not be checked: 2 layers answer 429",
            ),
            (
                unreached(Trouble::Timeout),
                "no answer from registry.example",
            ),
            (
                unreached(Trouble::ConnectionRefused),
                "nothing is listening at registry.example",
            ),
            (
                unreached(Trouble::Unreachable),
                "there is no way to registry.example",
            ),
            (
                nothing().found(
                    Verdict::Unavailable,
                    500,
                    crate::report::example::status(500),
                ),
                "team/app:1.4 could not be checked: registry.example answers 500",
            ),
            (
                nothing().denied(),
                "registry.example refuses access to team/app",
            ),
        ] {
            assert_eq!(said(image), expected);
        }
    }

    #[test]
    fn an_expectation_that_is_not_met_is_named() {
        let mut report = report(&[("registry.example/team/app:1.4", plain(0x20))]);
        report.image_mut(0).findings.push(platform_missing("linux"));
        assert_eq!(
            of(&Judgement::of(&report), 0).unwrap(),
            "team/app:1.4 has no linux/arm64"
        );
    }
}
