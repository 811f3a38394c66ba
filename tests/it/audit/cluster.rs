//! What is deployed, as a Kubernetes cluster says it: a fake API server over HTTPS.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::audit;
use crate::support::authority::Authority;
use crate::support::command::{Finished, Pullproof, Report, pullproof};
use crate::support::fake::Registry;
use crate::support::http::{Reply, Request, Server};
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

const TOKEN: &str = "t0ken-of-the-service-account";

/// What every cluster can list.
const BUILT_IN: [&str; 9] = [
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/statefulsets",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/replicasets",
    "/apis/batch/v1/cronjobs",
    "/apis/batch/v1/jobs",
    "/api/v1/replicationcontrollers",
    "/api/v1/podtemplates",
    "/api/v1/pods",
];

type Answers = HashMap<String, Arc<dyn Fn(&Request) -> Reply + Send + Sync>>;

/// A cluster with an API server and a mounted service account.
struct Cluster {
    server: Server,
    account: Scratch,
    answers: Arc<Mutex<Answers>>,
}

impl Cluster {
    /// One in which nothing runs.
    fn start() -> Self {
        Self::with_certificate(&["kubernetes.default.svc"])
    }

    fn with_certificate(names: &[&str]) -> Self {
        let authority = Authority::new();
        let account = Scratch::new("account");
        let write = |name: &str, text: &str| {
            std::fs::write(account.path().join(name), text).unwrap();
        };
        write("ca.crt", &authority.pem());
        write("token", &format!("{TOKEN}\n"));
        write("namespace", "ops");
        let answers: Arc<Mutex<Answers>> = Arc::default();
        let shared = Arc::clone(&answers);
        let token = account.path().join("token");
        let server = Server::start_tls(authority.issue(names).server(), move |request| {
            let current = std::fs::read_to_string(&token).unwrap();
            let expected = format!("Bearer {}", current.trim());
            if request.header("Authorization") != Some(&expected) {
                return Reply::status(401);
            }
            let answer = shared.lock().unwrap().get(&request.path).cloned();
            answer.map_or_else(|| Reply::status(404), |answer| answer(request))
        });
        let cluster = Self {
            server,
            account,
            answers,
        };
        for path in BUILT_IN {
            cluster.has(path, &[]);
        }
        cluster
    }

    fn on(&self, path: &str, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) {
        let mut answers = self.answers.lock().unwrap();
        answers.insert(path.to_owned(), Arc::new(answer));
    }

    fn has(&self, path: &str, items: &[Value]) {
        let page = json!({ "metadata": {}, "items": items });
        self.on(path, move |_| Reply::json(&page));
    }

    fn refuses(&self, path: &str, status: u16) {
        self.on(path, move |_| Reply::status(status));
    }

    /// The audit of a registry inside this cluster.
    fn audit(&self, registry: &Registry) -> Pullproof {
        self.inside(audit(&registry.host()))
    }

    /// The same with the text on standard output.
    fn text(&self, registry: &Registry) -> Finished {
        let run = pullproof().arguments(["audit", &registry.host(), "--backoff", "10ms"]);
        self.inside(run).run()
    }

    fn inside(&self, run: Pullproof) -> Pullproof {
        let account = self.account.path().display();
        run.variable("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .variable("KUBERNETES_SERVICE_PORT", self.server.port().to_string())
            .argument(format!("--in-use=cluster:{account}"))
            .arguments(["--attempts", "2"])
    }

    fn token(&self) -> PathBuf {
        self.account.path().join("token")
    }

    fn asked(&self) -> Vec<String> {
        let requests = self.server.requests().into_iter();
        requests.map(|request| request.path).collect()
    }
}

/// A registry with `app:1`, `app:2` and `app:3`, of which the first is broken.
fn registry() -> Registry {
    let registry = Registry::start();
    for seed in 1..4 {
        let image = registry.image(&format!("app:{seed}"), &platforms(2).layers(1).seed(seed));
        if seed == 1 {
            registry.lose(image.child(1));
        }
    }
    registry
}

fn object(name: &str, owner: Option<(&str, &str)>, spec: &Value) -> Value {
    let owners =
        owner.map(|(kind, name)| json!([{ "kind": kind, "name": name, "controller": true }]));
    json!({
        "metadata": { "name": name, "namespace": "shop", "ownerReferences": owners },
        "spec": spec,
    })
}

fn containers(image: &str) -> Value {
    json!({ "containers": [{ "name": "app", "image": image }] })
}

fn template(image: &str) -> Value {
    json!({ "template": { "spec": containers(image) } })
}

/// Who uses a tag.
fn users(report: &Report, tag: &str) -> Vec<String> {
    let images = report.images();
    let image = images
        .into_iter()
        .find(|image| image["tag"] == tag)
        .unwrap();
    let users = image["used_by"].as_array().cloned().unwrap_or_default();
    assert_eq!(image["in_use"], !users.is_empty());
    users
        .iter()
        .map(|user| user.as_str().unwrap().to_owned())
        .collect()
}

/// Nobody deletes by a second answer that nobody has looked at.
#[test]
fn a_prune_asks_once_what_is_in_use() {
    let (registry, cluster) = (registry(), Cluster::start());
    let pod = object("pod", None, &containers(&registry.reference("app:2")));
    cluster.has("/api/v1/pods", &[pod]);
    let prune = pullproof().arguments(["prune", &registry.host(), "--keep", "3"]);
    let plan = cluster.inside(prune).run().exits(1);
    assert!(plan.stdout.contains("in use by pod shop/pod"), "{plan}");
    let asked = cluster.asked();
    for path in BUILT_IN {
        assert_eq!(asked.iter().filter(|one| *one == path).count(), 1, "{path}");
    }
}

#[test]
fn workloads_are_named_that_use_an_image() {
    let (registry, cluster) = (registry(), Cluster::start());
    let [one, two] = ["app:1", "app:2"].map(|name| registry.reference(name));
    cluster.has(
        "/apis/apps/v1/deployments",
        &[object("web", None, &template(&one))],
    );
    cluster.has(
        "/apis/apps/v1/replicasets",
        &[object(
            "web-1",
            Some(("Deployment", "web")),
            &template(&one),
        )],
    );
    let pod = object("web-1-a", Some(("ReplicaSet", "web-1")), &containers(&one));
    cluster.has("/api/v1/pods", &[pod.clone(), pod]);
    let job = json!({ "jobTemplate": { "spec": template(&two) } });
    cluster.has("/apis/batch/v1/cronjobs", &[object("nightly", None, &job)]);
    cluster.has(
        "/apis/argoproj.io/v1alpha1/rollouts",
        &[object("canary", None, &template(&one))],
    );
    let finished = cluster.audit(&registry).run().exits(1);
    let report = finished.report();
    assert_eq!(
        users(&report, "1"),
        ["deployment shop/web", "rollout shop/canary"]
    );
    assert_eq!(users(&report, "2"), ["cronjob shop/nightly"]);
    assert_eq!(users(&report, "3"), [""; 0]);
    let text = cluster.text(&registry).exits(1).stdout;
    assert!(
        text.contains(
            "✗ app:1  in use by 2 workloads  linux/arm64 manifest missing (404)\n    used by \
             deployment shop/web and rollout shop/canary\n"
        ),
        "{text}"
    );
    assert!(!finished.stderr.contains("warn"), "{finished}");
    let methods = cluster.server.requests();
    assert!(methods.iter().all(|request| request.method == "GET"));
}

#[test]
fn the_digest_that_a_pod_runs_is_in_use() {
    let (registry, cluster) = (registry(), Cluster::start());
    registry.lenient();
    let gone = format!("sha256:{}", "7".repeat(64));
    let mut pod = object("web", None, &containers("other.example/app:9"));
    pod["status"] = json!({
        "phase": "Running",
        "containerStatuses": [{ "imageID": registry.reference(&format!("app@{gone}")) }],
    });
    let mut ended = object("old", None, &containers(&registry.reference("app:ended")));
    ended["status"] = json!({ "phase": "Succeeded" });
    cluster.has("/api/v1/pods", &[pod, ended]);
    let report = cluster.audit(&registry).run().exits(1).report();
    let images = report.images();
    let lost = images.iter().find(|image| image["tag"].is_null()).unwrap();
    assert_eq!(lost["used_by"], json!(["pod shop/web"]));
    assert_eq!(report.count("images"), 4);
}

#[test]
fn a_list_is_read_page_by_page_and_again_when_it_expires() {
    let (registry, cluster) = (registry(), Cluster::start());
    let images: Vec<String> = (1..4)
        .map(|tag| registry.reference(&format!("app:{tag}")))
        .collect();
    let expired = Arc::new(Mutex::new(false));
    cluster.on("/api/v1/pods", move |request| {
        assert_eq!(request.parameter("limit").as_deref(), Some("500"));
        let page: usize = request.parameter("continue").map_or(0, |next| {
            next.trim_start_matches("p/a&g=e").parse().unwrap()
        });
        if page == 2 && !std::mem::replace(&mut *expired.lock().unwrap(), true) {
            return Reply::status(410);
        }
        let next = (page < 2).then(|| format!("p/a&g=e{}", page + 1));
        let pod = object(&format!("pod-{page}"), None, &containers(&images[page]));
        Reply::json(&json!({ "metadata": { "continue": next }, "items": [pod] }))
    });
    let report = cluster.audit(&registry).run().exits(1).report();
    for tag in ["1", "2", "3"] {
        assert_eq!(users(&report, tag).len(), 1, "{tag}");
    }
    let asked = cluster.asked();
    assert_eq!(
        asked.iter().filter(|path| *path == "/api/v1/pods").count(),
        6
    );
}

#[test]
fn a_token_that_is_renewed_is_read_again() {
    let (registry, cluster) = (registry(), Cluster::start());
    let token = cluster.token();
    let one = registry.reference("app:1");
    cluster.on("/apis/apps/v1/deployments", move |_| {
        std::fs::write(&token, "another-t0ken").unwrap();
        Reply::json(&json!({ "items": [object("web", None, &template(&one))] }))
    });
    // It may be renewed while a request with the old one is on its way.
    let late = cluster.token();
    let is_late = Mutex::new(true);
    cluster.on("/apis/apps/v1/daemonsets", move |_| {
        if std::mem::take(&mut *is_late.lock().unwrap()) {
            std::fs::write(&late, "a-third-t0ken").unwrap();
            return Reply::status(401);
        }
        Reply::json(&json!({ "items": [] }))
    });
    let finished = cluster
        .audit(&registry)
        .arguments(["--log-level", "trace"])
        .run()
        .exits(1);
    assert_eq!(users(&finished.report(), "1"), ["deployment shop/web"]);
    assert!(
        !finished
            .stderr
            .contains("what is deployed is known in part"),
        "{finished}"
    );
    for secret in [TOKEN, "another-t0ken", "a-third-t0ken"] {
        assert!(!finished.stderr.contains(secret) && !finished.stdout.contains(secret));
    }
    for request in registry.requests() {
        assert_eq!(request.header("Authorization"), None);
    }
}

#[test]
fn a_right_that_is_missing_is_a_warning_that_names_it() {
    let (registry, cluster) = (registry(), Cluster::start());
    cluster.has(
        "/apis/apps/v1/deployments",
        &[object("web", None, &template(&registry.reference("app:1")))],
    );
    cluster.refuses("/apis/batch/v1/cronjobs", 403);
    cluster.refuses("/api/v1/pods", 403);
    cluster.has(
        "/api/v1/namespaces/ops/pods",
        &[object(
            "web",
            None,
            &containers(&registry.reference("app:2")),
        )],
    );
    let finished = cluster.audit(&registry).run().exits(1);
    for warning in [
        "in_use: the service account lacks the right to list cronjobs.batch (403); what is deployed \
         is known in part",
        "in_use: the service account lacks the right to list pods in all namespaces (403), so only \
         the namespace ops was read; what is deployed is known in part",
    ] {
        assert!(finished.stderr.contains(warning), "{finished}");
    }
    let report = finished.report();
    assert_eq!(users(&report, "1"), ["deployment shop/web"]);
    assert_eq!(users(&report, "2"), ["pod shop/web"]);
}

#[test]
fn a_right_on_what_the_cluster_does_not_have_is_not_missed() {
    let (registry, cluster) = (registry(), Cluster::start());
    cluster.has(
        "/api/v1/pods",
        &[object(
            "web",
            None,
            &containers(&registry.reference("app:2")),
        )],
    );
    // Rights are looked at before anything else.
    let rollouts = "/apis/argoproj.io/v1alpha1/rollouts";
    cluster.refuses(rollouts, 403);
    let group = "/apis/argoproj.io/v1alpha1";
    for (resources, is_missed) in [
        (json!(["applications"]), false),
        (json!(["rollouts"]), true),
    ] {
        let names = resources.as_array().unwrap().iter();
        let list: Vec<Value> = names.map(|name| json!({ "name": name })).collect();
        cluster.on(group, move |_| Reply::json(&json!({ "resources": list })));
        let finished = cluster.audit(&registry).run().exits(1);
        let warning = "lacks the right to list rollouts.argoproj.io";
        assert_eq!(finished.stderr.contains(warning), is_missed, "{finished}");
    }
}

#[test]
fn a_cluster_that_says_nothing_leaves_the_result_open() {
    let registry = Registry::start();
    registry.image("app:1", &platforms(2));
    for (status, code, words) in [
        (
            403,
            3,
            "the service account lacks the right to list cronjobs.batch, ",
        ),
        (
            500,
            4,
            "the API server does not answer: the API server answers 500",
        ),
        (
            302,
            4,
            "deployments.apps could not be listed: the API server answers 302",
        ),
    ] {
        let cluster = Cluster::start();
        for path in BUILT_IN {
            cluster.refuses(path, status);
        }
        let finished = cluster.audit(&registry).run().exits(code);
        let error = finished.report().error().to_owned();
        assert!(
            error.starts_with("in_use: ") && error.contains(words),
            "{error}"
        );
        let failing = cluster.audit(&registry).arguments(["--fail-on", "in_use"]);
        failing.run().exits(code);
    }
    let cluster = Cluster::start();
    std::fs::write(cluster.token(), "").unwrap();
    let wrong = cluster.audit(&registry).run();
    assert_ne!(wrong.code, Some(0), "{wrong}");
}

#[test]
fn a_server_with_another_certificate_gets_no_token() {
    let (registry, cluster) = (registry(), Cluster::start());
    let stranger = Cluster::start();
    std::fs::copy(
        stranger.account.path().join("ca.crt"),
        cluster.account.path().join("ca.crt"),
    )
    .unwrap();
    let finished = cluster
        .audit(&registry)
        .arguments(["--skip-tls-verify"])
        .run()
        .exits(1);
    assert!(
        finished.report().error().contains("unknown authority"),
        "{finished}"
    );
    assert!(cluster.asked().is_empty());
    // The authority is right, and the name is another one.
    let named = Cluster::with_certificate(&["api.attacker.example", "127.0.0.1"]);
    named.audit(&registry).run().exits(1).report().error();
    assert!(named.asked().is_empty());
}

#[test]
fn hostile_lists_end_and_harm_nothing() {
    let (registry, cluster) = (registry(), Cluster::start());
    let used = object(
        "a\u{1b}[31m\n::error::x",
        None,
        &template(&registry.reference("app:1")),
    );
    cluster.has("/apis/apps/v1/deployments", &[used]);
    cluster.on("/apis/apps/v1/statefulsets", |_| {
        Reply::json(&json!({ "metadata": { "continue": "again" }, "items": [] }))
    });
    cluster.on("/apis/apps/v1/daemonsets", |_| {
        Reply::ok("text/html", "<!doctype html>")
    });
    cluster.has(
        "/apis/batch/v1/jobs",
        &[json!({ "metadata": { "name": 7 } })],
    );
    cluster.on("/apis/batch/v1/cronjobs", |_| {
        Reply::json(&json!({ "kind": "Status" }))
    });
    let finished = cluster.text(&registry).exits(1);
    for words in [
        "statefulsets.apps could not be listed: the list does not end",
        "daemonsets.apps could not be listed: the answer is not a list",
        "jobs.batch could not be listed: the answer is not a list",
        "cronjobs.batch could not be listed: the answer is not a list",
    ] {
        assert!(finished.stderr.contains(words), "{words}: {finished}");
    }
    assert!(
        finished.stdout.contains("in use by 1 workload"),
        "{finished}"
    );
    let all = format!("{}{}", finished.stdout, finished.stderr);
    assert!(
        !all.contains('\u{1b}') && !all.contains("\n::error"),
        "{all}"
    );
}

#[test]
fn without_a_service_account_nothing_is_asked() {
    let registry = registry();
    let finished = audit(&registry.host())
        .arguments(["--in-use", "cluster"])
        .run()
        .exits(2);
    assert!(
        finished
            .stderr
            .contains("in_use: cannot read /var/run/secrets/kubernetes.io/serviceaccount/token: "),
        "{finished}"
    );
    assert!(
        finished
            .stderr
            .contains("hint: in_use: cluster works inside a pod")
    );
    assert!(registry.requests().is_empty());
}
