//! Kubernetes: which images the workloads of the cluster use, as a pod's service account may read it.
//!
//! Lists are read and nothing else. The token goes to the API server whose certificate the mounted
//! authority has signed for `kubernetes.default.svc`, whatever the environment says.

mod account;
mod client;
mod kind;
mod model;
mod owner;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) use self::account::Account;
pub(crate) use self::client::Client;
use self::client::Refused;
use self::kind::{KINDS, Kind};
use self::model::Workload;
use self::owner::Owners;
use crate::text::human;

/// Takes an image, and who uses it.
pub(crate) type Take<'t> = dyn FnMut(&str, &Arc<str>) + 't;

/// What a list of the cluster lacks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacks {
    /// Kinds that may not be listed, as a role names them.
    denied: BTreeSet<String>,
    /// The same, but read in the pod's own namespace.
    elsewhere: BTreeSet<String>,
    /// Why others could not be listed.
    failures: Vec<String>,
    /// Whether the token is not accepted.
    is_unauthorized: bool,
    /// How many kinds were listed, at least in one namespace.
    listed: usize,
}

impl Lacks {
    /// Whether nothing at all could be listed.
    pub(crate) fn everything(&self) -> bool {
        self.listed == 0
    }

    /// Whether that is because nothing may be listed.
    pub(crate) fn is_denied(&self) -> bool {
        self.is_unauthorized || self.failures.is_empty()
    }

    /// What is missing, one fragment for each reason.
    pub(crate) fn reasons(&self, namespace: &str) -> Vec<String> {
        let names = |kinds: &BTreeSet<String>| {
            let kinds: Vec<String> = kinds.iter().cloned().collect();
            human::list(&kinds)
        };
        let mut reasons = Vec::new();
        if !self.denied.is_empty() {
            let kinds = names(&self.denied);
            reasons.push(format!(
                "the service account lacks the right to list {kinds} (403)"
            ));
        }
        if !self.elsewhere.is_empty() {
            let kinds = names(&self.elsewhere);
            reasons.push(format!(
                "the service account lacks the right to list {kinds} in all namespaces (403), so \
                 only the namespace {namespace} was read"
            ));
        }
        reasons.extend(self.failures.iter().cloned());
        reasons
    }

    /// Takes note of a kind that was not listed; whether the others can be.
    fn note(&mut self, kind: &Kind, refused: Refused) -> bool {
        let name = kind.in_a_role();
        let is_of_the_kind = !matches!(refused, Refused::Unauthorized | Refused::Unreachable(_));
        self.failures.push(match refused {
            Refused::Forbidden => {
                self.denied.insert(name);
                return true;
            }
            Refused::NotFound => format!("the API server does not know {name} (404)"),
            Refused::Expired => format!("the list of {name} expired again and again (410)"),
            Refused::Useless(why) => format!("{name} could not be listed: {why}"),
            Refused::Unauthorized => {
                self.is_unauthorized = true;
                "the API server does not accept the token (401)".to_owned()
            }
            Refused::Unreachable(why) => format!("the API server does not answer: {why}"),
        });
        is_of_the_kind
    }
}

/// Lists every kind of workload, and gives each of their images.
pub(crate) async fn list(client: &Client, take: &mut Take<'_>) -> Lacks {
    let mut lacks = Lacks::default();
    let mut owners = Owners::default();
    for kind in KINDS {
        let mut each = |workload: Workload| owners.read(kind, &workload, take);
        let listed = client.list(kind, None, &mut each).await;
        let refused = match listed {
            Ok(()) => {
                lacks.listed += 1;
                continue;
            }
            Err(Refused::NotFound) if kind.is_optional => continue,
            Err(Refused::Forbidden) if kind.is_optional && !client.has(kind).await => continue,
            Err(refused) => refused,
        };
        if refused == Refused::Forbidden {
            let namespace = client.namespace();
            let listed = client.list(kind, Some(&namespace), &mut each).await;
            if listed.is_ok() {
                lacks.listed += 1;
                lacks.elsewhere.insert(kind.in_a_role());
                continue;
            }
        }
        if !lacks.note(kind, refused) {
            break;
        }
    }
    lacks
}
