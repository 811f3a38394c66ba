//! How CI systems pass settings: from a pipeline's YAML to the variables that the program reads.

use std::collections::BTreeMap;

use serde_norway::Value;

/// Variables of an environment.
pub(crate) type Variables = BTreeMap<String, String>;

/// The content of a secret here; the one for a configuration file has to be valid.
fn secret(name: &str) -> String {
    if name.contains("config") {
        r#"{"auths":{}}"#.to_owned()
    } else {
        format!("content-of-{name}")
    }
}

/// Woodpecker's `settings:` as `PLUGIN_` variables: lists of plain values joined by commas,
/// anything nested as JSON.
pub(crate) fn woodpecker(settings: &Value) -> Variables {
    let mut variables = Variables::from([
        ("CI".to_owned(), "woodpecker".to_owned()),
        ("CI_SYSTEM_URL".to_owned(), "https://ci.example".to_owned()),
        ("CI_REPO".to_owned(), "team/app".to_owned()),
        ("CI_PIPELINE_EVENT".to_owned(), "push".to_owned()),
        ("CI_PIPELINE_NUMBER".to_owned(), "7".to_owned()),
        (
            "CI_PIPELINE_URL".to_owned(),
            "https://ci.example/repos/3/pipeline/7".to_owned(),
        ),
    ]);
    for (name, value) in settings.as_mapping().expect("settings are a map") {
        let name = name
            .as_str()
            .expect("a setting has a name")
            .replace(['-', '.'], "_")
            .to_uppercase();
        if let Some(text) = encode(value) {
            variables.insert(format!("PLUGIN_{name}"), text);
        }
    }
    variables
}

fn encode(value: &Value) -> Option<String> {
    let json = |value: &Value| {
        serde_json::to_string(&revealed(value)).expect("YAML of settings fits into JSON")
    };
    match value {
        Value::Null => None,
        Value::Mapping(_) => Some(scalar(value).unwrap_or_else(|| json(value))),
        Value::Sequence(items) => match items.iter().map(plain).collect::<Option<Vec<_>>>() {
            Some(items) => Some(items.join(",")),
            None => Some(json(value)),
        },
        value => scalar(value),
    }
}

/// A value that is neither a list, a map nor a secret.
fn plain(value: &Value) -> Option<String> {
    if value.is_mapping() {
        None
    } else {
        scalar(value)
    }
}

/// A value that is neither a list nor a map; a secret is replaced by its content.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(value) => Some(value.to_string()),
        Value::String(value) => Some(value.clone()),
        Value::Mapping(map) if map.len() == 1 => {
            map.get("from_secret").and_then(Value::as_str).map(secret)
        }
        _ => None,
    }
}

/// The same with every secret replaced by its content, at any depth.
fn revealed(value: &Value) -> serde_json::Value {
    match (scalar(value), value) {
        (Some(text), Value::Mapping(_)) => text.into(),
        (_, Value::Sequence(items)) => items.iter().map(revealed).collect(),
        (_, Value::Mapping(map)) => {
            let entries = map
                .iter()
                .map(|(name, value)| (name.as_str().expect("a name").to_owned(), revealed(value)));
            serde_json::Value::Object(entries.collect())
        }
        (_, value) => serde_json::to_value(value).expect("a plain value fits into JSON"),
    }
}

/// A pipeline after Woodpecker's server has replaced `${…}`.
pub(crate) fn substituted(pipeline: &str) -> String {
    pipeline
        .replace("${CI_COMMIT_SHA:0:8}", "0123abcd")
        .replace("${CI_COMMIT_SHA}", &"0123abcd".repeat(5))
}

/// A GitHub action's `with:` as `INPUT_` variables, with the defaults of its `action.yml`.
/// The runner keeps hyphens.
pub(crate) fn github(with: &Value, action: &Value, environment: &Value) -> Variables {
    let mut variables = Variables::from([
        ("CI".to_owned(), "true".to_owned()),
        ("GITHUB_ACTIONS".to_owned(), "true".to_owned()),
        ("GITHUB_ACTOR".to_owned(), "octocat".to_owned()),
        ("GITHUB_REF".to_owned(), "refs/heads/main".to_owned()),
    ]);
    let inputs = action["inputs"].as_mapping().expect("an action has inputs");
    for (name, value) in with.as_mapping().into_iter().flatten() {
        assert!(
            inputs.contains_key(name),
            "action.yml has no input {name:?}"
        );
        assert!(
            plain(value).is_some(),
            "{name:?} is neither text, number nor boolean: GitHub takes nothing else"
        );
    }
    for (name, input) in inputs {
        let value = with
            .get(name)
            .or_else(|| input.get("default"))
            .and_then(plain)
            .unwrap_or_default();
        let name = name
            .as_str()
            .expect("an input has a name")
            .replace(' ', "_")
            .to_uppercase();
        variables.insert(format!("INPUT_{name}"), evaluated(&value, environment));
    }
    variables
}

/// A text with each `${{ expression }}` replaced by a plausible value.
fn evaluated(text: &str, environment: &Value) -> String {
    let Some((before, rest)) = text.split_once("${{") else {
        return text.to_owned();
    };
    let (expression, after) = rest.split_once("}}").expect("an expression ends");
    let expression = expression.trim();
    let value = match expression {
        "github.actor" => "octocat".to_owned(),
        "github.run_number" => "7".to_owned(),
        "github.sha" => "0123abcd".repeat(5),
        "github.token" => "token-of-the-job".to_owned(),
        "runner.temp" => "/home/runner/work/_temp".to_owned(),
        _ if expression.ends_with(".outputs.digest") => format!("sha256:{}", "0123abcd".repeat(8)),
        _ if expression.ends_with(".outputs.metadata") => {
            let digest = "0123abcd".repeat(8);
            format!(
                r#"{{"containerimage.digest":"sha256:{digest}","image.name":"ghcr.io/example/app:latest"}}"#
            )
        }
        _ => match (
            expression.strip_prefix("secrets."),
            expression.strip_prefix("env."),
        ) {
            (Some(name), _) => secret(&name.to_lowercase()),
            (_, Some(name)) => environment[name]
                .as_str()
                .expect("the workflow sets it")
                .to_owned(),
            _ => panic!("no value for the expression {expression}"),
        },
    };
    format!("{before}{value}{}", evaluated(after, environment))
}

/// A GitLab job's `variables:`, with the variables of GitLab replaced by plausible values.
pub(crate) fn gitlab(variables: &Value) -> Variables {
    let entries = variables
        .as_mapping()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let value = match plain(value).expect("a variable has a value").as_str() {
                "$CI_REGISTRY" => "registry.example".to_owned(),
                "$CI_REGISTRY_USER" => "gitlab-ci-token".to_owned(),
                "$CI_REGISTRY_PASSWORD" => secret("job_token"),
                value => value.to_owned(),
            };
            assert!(!value.contains('$'), "no value for the variable in {value}");
            (
                name.as_str().expect("a variable has a name").to_owned(),
                value,
            )
        });
    let own = ["CI", "GITLAB_CI"].map(|name| (name.to_owned(), "true".to_owned()));
    entries.chain(own).collect()
}

/// A shell's command line as words, with its variables replaced by plausible values.
pub(crate) fn words(line: &str) -> Vec<String> {
    let line = line
        .replace("$CI_REGISTRY_IMAGE", "registry.example/team/app")
        .replace("$CI_COMMIT_SHORT_SHA", "0123abcd");
    assert!(!line.contains('$'), "no value for a variable in {line}");
    line.split_whitespace()
        .map(|word| word.trim_matches(['"', '\'']).to_owned())
        .collect()
}
