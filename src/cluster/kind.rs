//! The kinds of objects that hold a pod or a template of one.

/// A kind of object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// Its API group; empty for the first one.
    pub(super) group: &'static str,
    /// The version of the group.
    pub(super) version: &'static str,
    /// Its name in addresses.
    pub(super) plural: &'static str,
    /// Its name for people, as owners are named too.
    pub(super) name: &'static str,
    /// Whether only some clusters have it.
    pub(super) is_optional: bool,
}

const fn core(plural: &'static str, name: &'static str) -> Kind {
    of("", "v1", plural, name)
}

const fn of(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    name: &'static str,
) -> Kind {
    Kind {
        group,
        version,
        plural,
        name,
        is_optional: false,
    }
}

const fn optional(kind: Kind) -> Kind {
    Kind {
        is_optional: true,
        ..kind
    }
}

/// All that are listed. What owns others comes before what it owns.
pub(super) const KINDS: &[Kind] = &[
    of("apps", "v1", "deployments", "deployment"),
    of("apps", "v1", "statefulsets", "statefulset"),
    of("apps", "v1", "daemonsets", "daemonset"),
    of("apps", "v1", "replicasets", "replicaset"),
    of("batch", "v1", "cronjobs", "cronjob"),
    of("batch", "v1", "jobs", "job"),
    core("replicationcontrollers", "replicationcontroller"),
    core("podtemplates", "podtemplate"),
    optional(of(
        "apps.openshift.io",
        "v1",
        "deploymentconfigs",
        "deploymentconfig",
    )),
    optional(of("argoproj.io", "v1alpha1", "rollouts", "rollout")),
    optional(of(
        "serving.knative.dev",
        "v1",
        "services",
        "knative service",
    )),
    optional(of("apps.kruise.io", "v1alpha1", "clonesets", "cloneset")),
    core("pods", "pod"),
];

impl Kind {
    /// As `kubectl auth can-i list` and a role call it: `deployments.apps`.
    pub(super) fn in_a_role(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// Where its version of the API begins.
    pub(super) fn base(&self) -> String {
        if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        }
    }

    /// Where its objects are listed, of all namespaces or of one.
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        let base = self.base();
        match namespace {
            None => format!("{base}/{}", self.plural),
            Some(namespace) => format!("{base}/namespaces/{namespace}/{}", self.plural),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_an_address_and_a_name_in_a_role() {
        let pods = KINDS.last().unwrap();
        assert_eq!(pods.path(None), "/api/v1/pods");
        assert_eq!(pods.path(Some("shop")), "/api/v1/namespaces/shop/pods");
        assert_eq!(pods.in_a_role(), "pods");
        assert_eq!(KINDS[0].path(None), "/apis/apps/v1/deployments");
        assert_eq!(KINDS[0].in_a_role(), "deployments.apps");
    }

    #[test]
    fn the_documented_role_may_list_exactly_these_kinds() {
        let page = include_str!("../../docs/in-use.md");
        let (_, role) = page.split_once("kind: ClusterRole\n").unwrap();
        let (role, _) = role.split_once("---").unwrap();
        let mut allowed = Vec::new();
        let list = |line: &str| -> Vec<String> {
            let items = line.split_once('[').unwrap().1.trim_end_matches(']');
            let items = items.split(',').map(|item| item.trim().trim_matches('"'));
            items.map(str::to_owned).collect()
        };
        let mut groups = Vec::new();
        for line in role.lines() {
            if line.contains("apiGroups:") {
                groups = list(line);
            } else if line.contains("resources:") {
                allowed.extend(list(line).into_iter().map(|name| (groups[0].clone(), name)));
            } else if line.contains("verbs:") {
                assert_eq!(list(line), ["list"]);
            }
        }
        let mut listed: Vec<_> = KINDS
            .iter()
            .map(|kind| (kind.group.to_owned(), kind.plural.to_owned()))
            .collect();
        allowed.sort();
        listed.sort();
        assert_eq!(allowed, listed);
    }
}
