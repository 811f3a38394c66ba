//! Who uses an image: what a person would name, a deployment rather than its pods.

use std::collections::HashMap;
use std::sync::Arc;

use super::Take;
use super::kind::Kind;
use super::model::Workload;

/// What is only made by others: a person names its owner.
const MADE: [&str; 4] = ["pod", "replicaset", "job", "replicationcontroller"];

/// The longest name of an object or a namespace, in characters.
const LONGEST: usize = 253;

/// The owners of objects that own others in turn.
#[derive(Debug, Default)]
pub(super) struct Owners(HashMap<String, Arc<str>>);

impl Owners {
    /// Gives the images of an object, with what a person would name as their user.
    pub(super) fn read(&mut self, kind: &Kind, workload: &Workload, take: &mut Take<'_>) {
        let metadata = &workload.metadata;
        let own = named(kind.name, &metadata.namespace, &metadata.name);
        let controller = metadata.controller().filter(|_| MADE.contains(&kind.name));
        let user = match controller {
            None => own.into(),
            Some(owner) => {
                let kind_of_owner = owner.kind.to_ascii_lowercase();
                let owner = named(&kind_of_owner, &metadata.namespace, &owner.name);
                let known = self.0.get(&owner).cloned();
                let user = known.unwrap_or_else(|| owner.into());
                // Pods own nothing, and are many.
                if kind.name != "pod" {
                    self.0.insert(own, Arc::clone(&user));
                }
                user
            }
        };
        if !workload.is_over() {
            for image in workload.images() {
                take(image, &user);
            }
        }
    }
}

/// `deployment shop/app`.
fn named(kind: &str, namespace: &str, name: &str) -> String {
    let [kind, namespace, name] =
        [kind, namespace, name].map(|text| text.chars().take(LONGEST).collect::<String>());
    format!("{kind} {namespace}/{name}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::kind::KINDS;
    use super::*;

    /// An object of the namespace shop, with an image of its own name.
    fn object(name: &str, owner: Option<(&str, &str)>) -> Value {
        let owners = owner.map(|(kind, name)| {
            json!([
                { "kind": "Other", "name": "other" },
                { "kind": kind, "name": name, "controller": true },
            ])
        });
        json!({
            "metadata": { "name": name, "namespace": "shop", "ownerReferences": owners },
            "spec": { "containers": [{ "image": name }] },
        })
    }

    #[test]
    fn an_image_is_used_by_what_a_person_would_name() {
        let mut owners = Owners::default();
        let mut users = Vec::new();
        for (kind, name, owner) in [
            ("deployment", "app", None),
            // An operator made it, and a person still calls it by its own name.
            ("deployment", "operated", Some(("Operator", "olm"))),
            ("replicaset", "app-1", Some(("Deployment", "app"))),
            ("job", "nightly-1", Some(("CronJob", "nightly"))),
            ("pod", "app-1-a", Some(("ReplicaSet", "app-1"))),
            ("pod", "nightly-1-a", Some(("Job", "nightly-1"))),
            ("pod", "db-0", Some(("StatefulSet", "db"))),
            ("pod", "alone", None),
            // Its replica set may not be listed.
            ("pod", "other-1-a", Some(("ReplicaSet", "other-1"))),
        ] {
            let kind = KINDS.iter().find(|one| one.name == kind).unwrap();
            let workload = serde_json::from_value(object(name, owner)).unwrap();
            owners.read(kind, &workload, &mut |image, user| {
                users.push(format!("{image}: {user}"));
            });
        }
        assert_eq!(
            users,
            [
                "app: deployment shop/app",
                "operated: deployment shop/operated",
                "app-1: deployment shop/app",
                "nightly-1: cronjob shop/nightly",
                "app-1-a: deployment shop/app",
                "nightly-1-a: cronjob shop/nightly",
                "db-0: statefulset shop/db",
                "alone: pod shop/alone",
                "other-1-a: replicaset shop/other-1",
            ]
        );
    }
}
