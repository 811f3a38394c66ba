//! The parts of Kubernetes' objects that say which images are used, and by whom.

use serde::Deserialize;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    pub(super) metadata: PageMetadata,
    pub(super) items: Option<Vec<Workload>>,
}

/// Where a list goes on.
#[derive(Debug, Default, Deserialize)]
pub(super) struct PageMetadata {
    #[serde(rename = "continue")]
    pub(super) next: Option<String>,
}

/// The resources of one version of an API group.
#[derive(Debug, Deserialize)]
pub(super) struct Resources {
    pub(super) resources: Vec<Resource>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Resource {
    pub(super) name: String,
}

/// Any object that holds a pod or a template of one.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Workload {
    #[serde(default)]
    pub(super) metadata: Metadata,
    spec: Option<Spec>,
    /// Of a pod template.
    template: Option<Template>,
    status: Option<Status>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    owner_references: Option<Vec<Owner>>,
}

/// What an object belongs to.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Owner {
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) name: String,
    controller: Option<bool>,
}

/// The specification of a pod, or of what makes pods.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    replicas: Option<i64>,
    template: Option<Template>,
    job_template: Option<Box<Template>>,
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<Container>>,
    ephemeral_containers: Option<Vec<Container>>,
    volumes: Option<Vec<Volume>>,
}

#[derive(Debug, Default, Deserialize)]
struct Template {
    spec: Option<Box<Spec>>,
}

#[derive(Debug, Deserialize)]
struct Container {
    image: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Volume {
    image: Option<ImageVolume>,
}

#[derive(Debug, Deserialize)]
struct ImageVolume {
    reference: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    phase: Option<String>,
    conditions: Option<Vec<Condition>>,
    container_statuses: Option<Vec<Running>>,
    init_container_statuses: Option<Vec<Running>>,
    ephemeral_container_statuses: Option<Vec<Running>>,
}

#[derive(Debug, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: Option<String>,
    status: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Running {
    #[serde(rename = "imageID")]
    image_id: Option<String>,
}

impl Metadata {
    /// What controls the object, if something does.
    pub(super) fn controller(&self) -> Option<&Owner> {
        let mut owners = self.owner_references.iter().flatten();
        owners.find(|owner| owner.controller == Some(true))
    }
}

impl Workload {
    /// Whether nothing will run from it again: a pod or a job that has ended, an old revision of a
    /// deployment.
    pub(super) fn is_over(&self) -> bool {
        let is_old = self.metadata.controller().is_some()
            && (self.spec.as_ref()).is_some_and(|spec| spec.replicas == Some(0));
        let status = self.status.as_ref();
        let phase = status.and_then(|status| status.phase.as_deref());
        let conditions = status.and_then(|status| status.conditions.as_ref());
        let has_ended = |condition: &Condition| {
            matches!(condition.kind.as_deref(), Some("Complete" | "Failed"))
                && condition.status.as_deref() == Some("True")
        };
        is_old
            || matches!(phase, Some("Succeeded" | "Failed"))
            || conditions.is_some_and(|conditions| conditions.iter().any(has_ended))
    }

    /// Every image that it names, and every one that runs in it.
    pub(super) fn images(&self) -> Vec<&str> {
        let mut images = Vec::new();
        let of_pods = [
            self.spec.as_ref(),
            self.template.as_ref().and_then(|it| it.spec.as_deref()),
        ];
        for spec in of_pods.into_iter().flatten() {
            spec.add_images(&mut images);
        }
        if let Some(status) = &self.status {
            let running = [
                &status.container_statuses,
                &status.init_container_statuses,
                &status.ephemeral_container_statuses,
            ];
            let running = running.into_iter().flatten().flatten();
            images.extend(running.filter_map(|one| one.image_id.as_deref()));
        }
        images.retain(|image| !image.is_empty());
        images
    }
}

impl Spec {
    fn add_images<'s>(&'s self, images: &mut Vec<&'s str>) {
        let containers = [
            &self.containers,
            &self.init_containers,
            &self.ephemeral_containers,
        ];
        let containers = containers.into_iter().flatten().flatten();
        images.extend(containers.filter_map(|one| one.image.as_deref()));
        let volumes = self.volumes.iter().flatten();
        images.extend(volumes.filter_map(|one| one.image.as_ref()?.reference.as_deref()));
        let job = self.job_template.as_deref();
        for template in [self.template.as_ref(), job].into_iter().flatten() {
            if let Some(spec) = &template.spec {
                spec.add_images(images);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn workload(object: Value) -> Workload {
        serde_json::from_value(object).unwrap()
    }

    fn pod_spec(image: &str) -> Value {
        json!({ "containers": [{ "name": "app", "image": image }] })
    }

    #[test]
    fn images_are_found_wherever_a_pod_or_a_template_names_them() {
        let pod = json!({
            "spec": {
                "containers": [{ "image": "a:1" }, { "name": "none" }],
                "initContainers": [{ "image": "b:1" }],
                "ephemeralContainers": [{ "image": "c:1" }],
                "volumes": [{ "image": { "reference": "d:1" } }, { "emptyDir": {} }],
                "nodeName": "image",
            },
            "status": {
                "containerStatuses": [{ "image": "x:1", "imageID": "a@sha256:1" }, { "imageID": "" }],
                "initContainerStatuses": [{ "imageID": "b@sha256:1" }],
                "ephemeralContainerStatuses": null,
            },
        });
        let expected = ["a:1", "b:1", "c:1", "d:1", "a@sha256:1", "b@sha256:1"];
        assert_eq!(workload(pod).images(), expected);
        let template = json!({ "spec": pod_spec("a:1") });
        for object in [
            json!({ "spec": { "template": template, "replicas": 0 } }),
            json!({ "template": template }),
            json!({ "spec": { "jobTemplate": { "spec": { "template": template } } } }),
        ] {
            assert_eq!(workload(object.clone()).images(), ["a:1"], "{object}");
        }
        for nothing in [
            json!({}),
            json!({ "spec": null, "status": null }),
            json!({ "spec": { "template": null, "containers": null } }),
        ] {
            assert_eq!(workload(nothing).images(), [""; 0]);
        }
    }

    #[test]
    fn what_has_ended_is_over_and_what_sleeps_is_not() {
        let owned = json!({ "ownerReferences": [{ "kind": "Deployment", "name": "app", "controller": true }] });
        for (object, is_over) in [
            (json!({ "status": { "phase": "Succeeded" } }), true),
            (json!({ "status": { "phase": "Failed" } }), true),
            (json!({ "status": { "phase": "Running" } }), false),
            (json!({ "status": { "phase": "Pending" } }), false),
            (
                json!({ "status": { "conditions": [{ "type": "Complete", "status": "True" }] } }),
                true,
            ),
            (
                json!({ "status": { "conditions": [{ "type": "Failed", "status": "False" }] } }),
                false,
            ),
            (
                json!({ "metadata": owned, "spec": { "replicas": 0 } }),
                true,
            ),
            (
                json!({ "metadata": owned, "spec": { "replicas": 1 } }),
                false,
            ),
            // A deployment that is scaled down wakes up with this image.
            (json!({ "spec": { "replicas": 0 } }), false),
            (json!({}), false),
        ] {
            assert_eq!(workload(object.clone()).is_over(), is_over, "{object}");
        }
    }
}
