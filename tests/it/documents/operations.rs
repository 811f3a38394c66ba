//! The folder `examples/operations`: the program takes each setting in it, and the parts fit
//! together. `scripts/lint-operations` has them checked by the programs that they are for.

use std::collections::BTreeSet;

use pullproof::settings::{Backup, PruneSettings, Target};
use serde::Deserialize as _;
use serde_json::Value as Json;
use serde_norway::Value;

use super::ci;
use super::page::anchors;
use super::text;
use super::uses::{Use, audit, prune, repair, uses};

/// The documents of a file.
#[track_caller]
fn documents(file: &str) -> Vec<Value> {
    serde_norway::Deserializer::from_str(&text(&format!("examples/operations/{file}")))
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

/// The document of this kind.
#[track_caller]
fn object(file: &str, kind: &str) -> Value {
    let mut found = documents(file);
    found.retain(|document| document["kind"] == kind);
    assert_eq!(found.len(), 1, "{file} has one {kind}");
    found.remove(0)
}

/// The only container of a pod.
#[track_caller]
fn container(pod: &Value) -> Value {
    let containers = pod["spec"]["containers"].as_sequence().unwrap();
    assert_eq!(containers.len(), 1);
    containers[0].clone()
}

fn cronjob() -> Value {
    object("kubernetes-cronjob.yaml", "CronJob")
}

fn deployment() -> Value {
    object("kubernetes-deployment.yaml", "Deployment")
}

fn words(value: &Value) -> Vec<String> {
    let words = value.as_sequence().unwrap().iter();
    words
        .map(|word| word.as_str().unwrap().to_owned())
        .collect()
}

/// The value of `--name=…`.
#[track_caller]
fn flag<'a>(arguments: &'a [String], name: &str) -> &'a str {
    let mut values = arguments
        .iter()
        .filter_map(|argument| argument.strip_prefix(&format!("--{name}=")));
    values.next().unwrap_or_else(|| panic!("no --{name}"))
}

/// `50m` or `15m`, in seconds.
fn minutes(duration: &str) -> u64 {
    60 * duration.strip_suffix('m').unwrap().parse::<u64>().unwrap()
}

/// The command line of a script, with these variables.
fn command_line(script: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let script = variables
        .iter()
        .fold(script.replace("\\\n", " "), |script, (name, value)| {
            script.replace(name, value)
        });
    let (_, arguments) = script.split_once("pullproof ").unwrap();
    ci::words(arguments.lines().next().unwrap())
}

#[track_caller]
fn covers_the_registry(found: &Use) {
    let targets = &found.audit().extent.targets;
    assert_eq!(targets.len(), 1);
    assert_eq!(targets[0].registry, "registry.example");
}

#[test]
fn the_cronjob_audits_with_settings_that_exist() {
    let arguments =
        words(&container(&cronjob()["spec"]["jobTemplate"]["spec"]["template"])["args"]);
    covers_the_registry(&audit(&arguments));
}

#[test]
fn the_nightly_repair_has_settings_that_exist_and_the_state_of_the_audit() {
    let nightly = object("kubernetes-repair.yaml", "CronJob");
    let job = &nightly["spec"]["jobTemplate"]["spec"];
    let arguments = words(&container(&job["template"])["args"]);
    let found = repair(&arguments);
    let found = found.repair();
    let targets = &found.audit.as_ref().unwrap().extent.targets;
    assert_eq!(targets[0].registry, "registry.example");
    assert!(found.sources.permission.is_some() && found.sources.gc_stopped.is_none());
    assert_eq!(found.sources.from.len(), 1);
    // The state has one writer: who comes second only reads.
    let audits = words(&container(&cronjob()["spec"]["jobTemplate"]["spec"]["template"])["args"]);
    assert_eq!(flag(&arguments, "state"), flag(&audits, "state"));
    assert!(job["activeDeadlineSeconds"].as_u64().unwrap() > minutes(flag(&arguments, "timeout")));
    assert_eq!(job["backoffLimit"], 0);
}

/// A prune that deletes, of so many policies, with a backup.
#[track_caller]
fn prunes_the_registry(found: &Use) -> &PruneSettings {
    let found = found.prune();
    assert_eq!(found.audit.extent.targets[0].registry, "registry.example");
    assert!(found.apply.is_some());
    found
}

#[test]
fn the_nightly_prune_keeps_what_its_policy_names() {
    let job = object("kubernetes-prune.yaml", "CronJob")["spec"]["jobTemplate"]["spec"].clone();
    let arguments = words(&container(&job["template"])["args"]);
    let policy = object("kubernetes-prune.yaml", "ConfigMap")["data"]["policy.yaml"].clone();
    let policy = format!("--policy={}", policy.as_str().unwrap());
    let is_policy = |word: &String| word.starts_with("--policy=");
    let named = arguments
        .iter()
        .map(|word| if is_policy(word) { &policy } else { word });
    let found = prune(&named.cloned().collect::<Vec<_>>());
    let found = prunes_the_registry(&found);
    let rules = |name: &str| found.policy.of(name).map(|at| &found.policy.entries[at].1);
    assert_eq!(rules("team/app").unwrap().newest.map(usize::from), Some(10));
    assert!(rules("cache/app").unwrap().younger.is_some());
    assert!(rules("other").is_none());
    assert!(matches!(found.backup, Some(Backup::Directory(_))));
    assert!(job["activeDeadlineSeconds"].as_u64().unwrap() > minutes(flag(&arguments, "timeout")));
    assert_eq!(job["backoffLimit"], 0);
}

#[test]
fn the_service_prunes_with_settings_that_exist() {
    let unit = text("examples/operations/pullproof-prune.service").replace("\\\n", " ");
    let line = unit.lines().find(|line| line.starts_with("ExecStart="));
    let directories = [
        (
            "${CREDENTIALS_DIRECTORY}",
            "/run/credentials/pullproof-prune.service",
        ),
        ("${STATE_DIRECTORY}", "/var/lib/pullproof-prune"),
    ];
    prunes_the_registry(&prune(&command_line(line.unwrap(), &directories)));
    let timer = text("examples/operations/pullproof-prune.timer");
    assert!(timer.contains("pullproof-prune.service") && timer.contains("OnCalendar="));
}

#[test]
fn the_woodpecker_prune_has_settings_that_exist() {
    let found = uses(&text("examples/operations/woodpecker-prune.yaml")).remove(0);
    let found = prunes_the_registry(&found);
    let rules = &found.policy.entries[0].1;
    assert_eq!(
        (rules.keep.len(), rules.newest.map(usize::from)),
        (2, Some(10))
    );
}

#[test]
fn the_deployment_audits_with_settings_that_exist() {
    let arguments = words(&container(&deployment()["spec"]["template"])["args"]);
    covers_the_registry(&audit(&arguments));
}

#[test]
fn the_shards_audit_with_settings_that_exist() {
    let job = object("kubernetes-shards.yaml", "Job");
    let script = words(&container(&job["spec"]["template"])["command"]).remove(2);
    let index = [("$((JOB_COMPLETION_INDEX + 1))", "8")];
    let found = audit(&command_line(&script, &index));
    covers_the_registry(&found);
    let shard = found.audit().extent.shard.unwrap();
    assert_eq!((shard.number, shard.of), (8, 8));
    for field in ["completions", "parallelism", "maxFailedIndexes"] {
        assert_eq!(job["spec"][field], 8, "{field}");
    }
}

#[test]
fn the_service_audits_with_settings_that_exist() {
    let unit = text("examples/operations/pullproof-audit.service").replace("\\\n", " ");
    let line = unit.lines().find(|line| line.starts_with("ExecStart="));
    let directories = [
        (
            "${CREDENTIALS_DIRECTORY}",
            "/run/credentials/pullproof-audit.service",
        ),
        ("${STATE_DIRECTORY}", "/var/lib/pullproof"),
    ];
    covers_the_registry(&audit(&command_line(line.unwrap(), &directories)));
}

#[test]
fn the_compose_file_audits_with_settings_that_exist() {
    let compose = documents("compose.yaml").remove(0);
    covers_the_registry(&audit(&words(&compose["services"]["pullproof"]["command"])));
}

#[test]
fn the_woodpecker_audit_has_settings_that_exist() {
    let found = uses(&text("examples/operations/woodpecker-audit.yaml")).remove(0);
    covers_the_registry(&found);
    assert!(!found.audit().extent.covers("registry.example", "cache/app"));
    assert!(!found.audit().extent.covers_tag("team/app", "pr-7"));
}

#[test]
fn the_github_audit_names_repositories_because_there_is_no_catalog() {
    let found = uses(&text("examples/operations/github-audit.yaml")).remove(0);
    let extent = &found.audit().extent;
    let names: Vec<_> = extent.targets.iter().filter_map(Target::name).collect();
    assert_eq!(names, ["example/app", "example/tools"]);
    assert!(
        extent
            .targets
            .iter()
            .all(|target| target.registry == "ghcr.io")
    );
    assert!(extent.covers_tag("example/app", "v1.2"));
}

#[test]
fn a_job_is_ended_after_the_audit_ends_itself() {
    let (cronjob, deployment) = (cronjob(), deployment());
    let job = &cronjob["spec"]["jobTemplate"]["spec"];
    let arguments = words(&container(&job["template"])["args"]);
    let deadline = job["activeDeadlineSeconds"].as_u64().unwrap();
    assert!(deadline > minutes(flag(&arguments, "timeout")));
    assert_eq!(cronjob["spec"]["concurrencyPolicy"], "Forbid");
    assert!(cronjob["spec"]["startingDeadlineSeconds"].is_u64());
    assert_eq!(job["backoffLimit"], 0);
    // The state has one writer.
    assert_eq!(deployment["spec"]["replicas"], 1);
    assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
}

#[test]
fn every_pod_has_a_read_only_root_limits_and_only_volumes_that_exist() {
    let claims: BTreeSet<String> = ["cronjob", "deployment", "shards"]
        .iter()
        .map(|name| object(&format!("kubernetes-{name}.yaml"), "PersistentVolumeClaim"))
        .map(|claim| claim["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    for pod in [
        cronjob()["spec"]["jobTemplate"]["spec"]["template"].clone(),
        deployment()["spec"]["template"].clone(),
        object("kubernetes-shards.yaml", "Job")["spec"]["template"].clone(),
        object("kubernetes-repair.yaml", "CronJob")["spec"]["jobTemplate"]["spec"]["template"]
            .clone(),
        object("kubernetes-prune.yaml", "CronJob")["spec"]["jobTemplate"]["spec"]["template"]
            .clone(),
    ] {
        let container = container(&pod);
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert!(container["resources"]["limits"]["memory"].is_string());
        assert!(container["resources"]["requests"]["cpu"].is_string());
        let volumes = pod["spec"]["volumes"].as_sequence().unwrap();
        let claim = volumes
            .iter()
            .find_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
        assert!(claims.contains(claim.unwrap()));
        if pod["spec"]["automountServiceAccountToken"] != false {
            assert_eq!(pod["spec"]["serviceAccountName"], "pullproof");
        }
    }
}

#[test]
fn the_port_is_the_same_wherever_it_is_named() {
    let (deployment, service) = (
        deployment(),
        object("kubernetes-deployment.yaml", "Service"),
    );
    let template = &deployment["spec"]["template"];
    let container = container(template);
    let listen = flag(&words(&container["args"]), "listen").to_owned();
    let (_, port) = listen.rsplit_once(':').unwrap();
    assert_eq!(
        container["ports"][0]["containerPort"],
        port.parse::<u64>().unwrap()
    );
    assert_eq!(
        service["spec"]["ports"][0]["port"],
        port.parse::<u64>().unwrap()
    );
    assert_eq!(
        service["metadata"]["annotations"]["prometheus.io/port"],
        port
    );
    for part in [
        &service["spec"]["selector"],
        &deployment["spec"]["selector"]["matchLabels"],
    ] {
        assert_eq!(*part, template["metadata"]["labels"]);
    }
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
    let compose = documents("compose.yaml").remove(0);
    let compose = &compose["services"]["pullproof"];
    let ports = compose["ports"][0].as_str().unwrap();
    assert_eq!(ports, format!("127.0.0.1:{port}:{port}"));
    assert_eq!(flag(&words(&compose["command"]), "listen"), listen);
}

/// What the account may do, as `group/resource`: to list it, and nothing else.
fn listed() -> BTreeSet<String> {
    let role = object("kubernetes-base.yaml", "ClusterRole");
    let mut listed = BTreeSet::new();
    for rule in role["rules"].as_sequence().unwrap() {
        assert_eq!(words(&rule["verbs"]), ["list"]);
        let [group] = &words(&rule["apiGroups"])[..] else {
            panic!("{rule:?}")
        };
        let resources = words(&rule["resources"]);
        listed.extend(resources.iter().map(|name| format!("{group}/{name}")));
    }
    listed
}

#[test]
fn the_account_may_list_and_do_nothing_else() {
    assert!(listed().contains("/pods"));
    let binding = object("kubernetes-base.yaml", "ClusterRoleBinding");
    let named = |kind| object("kubernetes-base.yaml", kind)["metadata"]["name"].clone();
    assert_eq!(binding["subjects"][0]["name"], named("ServiceAccount"));
    assert_eq!(binding["roleRef"]["name"], named("ClusterRole"));
}

#[test]
fn the_account_may_list_what_the_program_asks_a_cluster_for() {
    let source = text("src/cluster/kind.rs");
    let (_, kinds) = source.split_once("KINDS: &[Kind] = &[").unwrap();
    let (kinds, _) = kinds.split_once("];").unwrap();
    let kinds: String = kinds.split_whitespace().collect();
    let asked: BTreeSet<String> = kinds
        .split("(\"")
        .skip(1)
        .filter_map(|call| call.split(')').next())
        .map(|words| words.split('"').step_by(2).collect::<Vec<_>>())
        .map(|words| match words[..] {
            [group, _, plural, ..] => format!("{group}/{plural}"),
            [plural, ..] => format!("/{plural}"),
            [] => String::new(),
        })
        .collect();
    assert_eq!(listed(), asked);
}

#[test]
fn the_timer_starts_the_service_every_quarter_of_an_hour() {
    let timer = text("examples/operations/pullproof-audit.timer");
    for line in [
        "OnCalendar=*:0/15",
        "Persistent=true",
        "WantedBy=timers.target",
    ] {
        assert!(timer.lines().any(|one| one == line), "{line}");
    }
    let service = text("examples/operations/pullproof-audit.service");
    for line in ["Type=oneshot", "DynamicUser=yes", "ProtectSystem=strict"] {
        assert!(service.lines().any(|one| one == line), "{line}");
    }
}

/// Every alert.
fn alerts() -> Vec<Value> {
    let rules = documents("prometheus-rules.yaml").remove(0);
    let groups = rules["groups"].as_sequence().unwrap().iter();
    groups
        .flat_map(|group| group["rules"].as_sequence().unwrap().clone())
        .collect()
}

#[test]
fn every_alert_leads_to_a_page_and_is_tested_silent_and_firing() {
    let tests = documents("prometheus-rules-test.yaml").remove(0);
    let tests: Vec<Value> = tests["tests"]
        .as_sequence()
        .unwrap()
        .iter()
        .flat_map(|test| test["alert_rule_test"].as_sequence().unwrap().clone())
        .collect();
    let mut names = Vec::new();
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        let of_it = || tests.iter().filter(|test| test["alertname"] == name);
        assert!(
            of_it().any(|test| test["exp_alerts"].is_sequence()),
            "{name}"
        );
        assert!(of_it().any(|test| test["exp_alerts"].is_null()), "{name}");
        let url = alert["annotations"]["runbook_url"].as_str().unwrap();
        let (_, place) = url.split_once("/blob/main/").unwrap();
        let (page, anchor) = place.split_once('#').unwrap_or((place, ""));
        let page_text = text(page);
        assert!(
            anchor.is_empty() || anchors(&page_text).contains(&anchor.to_owned()),
            "{url}"
        );
        assert!(
            page_text.contains(&format!("`{name}`")),
            "{page} does not name {name}"
        );
        names.push(name.to_owned());
    }
    assert_eq!(
        names,
        [
            "RegistryImageInUseBroken",
            "RegistryManifestIntegrityFailure",
            "RegistryIntegrityProbeStale",
            "RegistryIntegrityProbeAbsent",
            "RegistryCatalogInaccessible",
        ]
    );
}

fn dashboard() -> Json {
    serde_json::from_str(&text("examples/operations/grafana-dashboard.json")).unwrap()
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard = dashboard();
    assert_eq!(dashboard["id"], Json::Null);
    assert_eq!(dashboard["uid"], "pullproof-audit");
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let [source, registry] = &variables[..] else {
        panic!("{variables:?}")
    };
    assert_eq!(
        (&source["name"], &source["type"]),
        (&"datasource".into(), &"datasource".into())
    );
    let values = registry["query"]["query"].as_str().unwrap();
    assert!(
        values.starts_with("label_values(") && values.ends_with(", registry)"),
        "{values}"
    );
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "{}",
            panel["title"]
        );
        assert_eq!(panel["datasource"]["uid"], "${datasource}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}");
            let expression = target["expr"].as_str().unwrap();
            assert!(
                expression.contains("registry=~\"$registry\""),
                "{expression}"
            );
        }
    }
}

/// Every expression in rules, their tests, the dashboard, and the documents.
fn expressions() -> Vec<String> {
    let mut all: Vec<String> = alerts()
        .iter()
        .map(|alert| alert["expr"].as_str().unwrap().to_owned())
        .collect();
    for test in documents("prometheus-rules-test.yaml").remove(0)["tests"]
        .as_sequence()
        .unwrap()
    {
        let series = test["input_series"].as_sequence().unwrap().iter();
        all.extend(series.map(|series| series["series"].as_str().unwrap().to_owned()));
    }
    let dashboard = dashboard();
    for panel in dashboard["panels"].as_array().unwrap() {
        let targets = panel["targets"].as_array().unwrap().iter();
        all.extend(targets.map(|target| target["expr"].as_str().unwrap().to_owned()));
    }
    let registry = &dashboard["templating"]["list"][1]["query"]["query"];
    all.push(registry.as_str().unwrap().to_owned());
    for page in ["docs/audit.md", "docs/runbooks/orphaned-index.md"] {
        let blocks = super::page::blocks(&text(page), "promql");
        all.extend(
            blocks
                .iter()
                .flat_map(|block| block.lines().map(str::to_owned)),
        );
    }
    all
}

/// The words of an expression that are no function, no keyword and no label.
fn metrics(expression: &str) -> Vec<String> {
    let mut outside = String::new();
    let mut inside = 0;
    for letter in expression.chars() {
        inside += i32::from(letter == '{');
        outside.push(if inside > 0 { ' ' } else { letter });
        inside -= i32::from(letter == '}');
    }
    let words = outside.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words
        .filter(|word| word.starts_with(|letter: char| letter.is_ascii_alphabetic()))
        .filter(|word| {
            ![
                "absent",
                "by",
                "label_values",
                "max",
                "min",
                "registry",
                "repository",
                "sort_desc",
                "sum",
                "time",
            ]
            .contains(word)
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn metrics_are_read_from_an_expression() {
    let expression = "time() - min by (registry) (a_b{c=~\"$d\"}) > 3600 or absent(e{f=\"g\"})";
    assert_eq!(metrics(expression), ["a_b", "or", "e"]);
}

#[test]
fn every_metric_in_an_expression_exists() {
    let source = text("src/report/metrics.rs");
    let known: BTreeSet<&str> = source.split('"').skip(1).step_by(2).collect();
    let used: BTreeSet<String> = expressions().iter().flat_map(|one| metrics(one)).collect();
    assert!(used.len() > 12, "{used:?}");
    for name in used {
        assert!(known.contains(&*name), "there is no metric {name}");
    }
}
