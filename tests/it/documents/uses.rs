//! Every use of the program in a pipeline, read the way the program reads it in that CI system.

use std::path::Path;

use pullproof::commands::verify::targets::{Target, idle_logins, targets};
use pullproof::settings::{
    AuditSettings, Command, Environment, PruneSettings, RebuildSettings, RepairSettings,
    VerifySettings, read, table,
};
use serde_norway::Value;

use super::ci::{self, Variables};
use super::text;
use crate::support::authority::Authority;

const IMAGE: &str = "ghcr.io/pullproof/pullproof";

/// One use of the program, understood.
pub(crate) struct Use {
    command: Command,
    /// What is verified; nothing when it audits or only rebuilds.
    pub(crate) targets: Vec<Target>,
}

impl Use {
    /// The settings of a verification.
    #[track_caller]
    pub(crate) fn settings(&self) -> &VerifySettings {
        match &self.command {
            Command::Verify(settings) => settings,
            other => panic!("expected a verification, got {other:?}"),
        }
    }

    /// The settings of an audit.
    #[track_caller]
    pub(crate) fn audit(&self) -> &AuditSettings {
        match &self.command {
            Command::Audit(settings) => settings,
            other => panic!("expected an audit, got {other:?}"),
        }
    }

    /// The settings of a repair.
    #[track_caller]
    pub(crate) fn repair(&self) -> &RepairSettings {
        match &self.command {
            Command::Repair(settings) => settings,
            other => panic!("expected a repair, got {other:?}"),
        }
    }

    /// The settings of a prune.
    #[track_caller]
    pub(crate) fn prune(&self) -> &PruneSettings {
        match &self.command {
            Command::Prune(settings) => settings,
            other => panic!("expected a prune, got {other:?}"),
        }
    }

    /// The settings of a rebuild that is run alone.
    #[track_caller]
    pub(crate) fn rebuild(&self) -> &RebuildSettings {
        match &self.command {
            Command::Rebuild(settings) => settings,
            other => panic!("expected a rebuild, got {other:?}"),
        }
    }
}

/// Every use in a pipeline's YAML, in order; fails if one of them is not valid.
#[track_caller]
pub(crate) fn uses(yaml: &str) -> Vec<Use> {
    let parsed: Value = serde_norway::from_str(&ci::substituted(yaml))
        .unwrap_or_else(|error| panic!("{error}: {yaml}"));
    let action: Value = serde_norway::from_str(&text("action.yml")).unwrap();
    let mut found = Vec::new();
    search(&parsed, &mut |part| {
        let is_ours = |key: &str, separators: &[char], name: &str| {
            part.get(key)
                .and_then(Value::as_str)
                .and_then(|text| text.split(separators).next())
                == Some(name)
        };
        if is_ours("image", &[':', '@'], IMAGE) {
            let settings = part.get("settings").expect("a plugin has settings");
            names_are_known(settings, &parsed);
            found.push(understood(ci::woodpecker(settings), &[]));
        } else if is_ours("uses", &['@'], "pullproof/pullproof") {
            found.push(understood(
                ci::github(&part["with"], &action, &parsed["env"]),
                &[],
            ));
        } else if let Some(lines) = part.get("script").and_then(Value::as_sequence) {
            let variables = ci::gitlab(&part["variables"]);
            for line in lines
                .iter()
                .filter_map(Value::as_str)
                .filter(|line| line.starts_with("pullproof "))
            {
                found.push(understood(variables.clone(), &ci::words(line)[1..]));
            }
        }
    });
    found
}

/// An audit with these arguments; fails if it is not valid.
#[track_caller]
pub(crate) fn audit(arguments: &[String]) -> Use {
    let found = understood(Variables::new(), arguments);
    found.audit();
    found
}

/// A repair with these arguments; fails if it is not valid.
#[track_caller]
pub(crate) fn repair(arguments: &[String]) -> Use {
    let found = understood(Variables::new(), arguments);
    found.repair();
    found
}

/// A prune with these arguments; fails if it is not valid.
#[track_caller]
pub(crate) fn prune(arguments: &[String]) -> Use {
    let found = understood(Variables::new(), arguments);
    found.prune();
    found
}

/// Every call in a shell script: of the program itself, and of its image.
#[track_caller]
pub(crate) fn calls(script: &str) -> Vec<Use> {
    let script = script.replace("\\\n", " ");
    let commands = script
        .lines()
        .map(|line| line.trim().trim_start_matches("exec "));
    let commands =
        commands.filter(|line| line.starts_with("pullproof ") || line.starts_with("docker run "));
    commands
        .map(|line| {
            let (_, arguments) = line
                .split_once(IMAGE)
                .or_else(|| line.split_once("pullproof"))
                .unwrap();
            // Behind the version of the image.
            let (_, arguments) = arguments.split_once(' ').unwrap_or_default();
            let mut variables = Variables::new();
            if arguments.contains("rebuild") {
                variables.insert("PLUGIN_WOODPECKER_TOKEN".to_owned(), "token".to_owned());
            }
            understood(variables, &ci::words(arguments))
        })
        .collect()
}

fn search(value: &Value, visit: &mut impl FnMut(&Value)) {
    match value {
        Value::Mapping(map) => {
            visit(value);
            map.values().for_each(|value| search(value, visit));
        }
        Value::Sequence(items) => items.iter().for_each(|value| search(value, visit)),
        _ => {}
    }
}

/// Every setting is in the table, unless another step has the same settings.
fn names_are_known(settings: &Value, pipeline: &Value) {
    let mut sharing = 0;
    search(pipeline, &mut |part| {
        sharing += usize::from(part.get("settings") == Some(settings));
    });
    for name in settings
        .as_mapping()
        .expect("settings are a map")
        .keys()
        .filter_map(Value::as_str)
    {
        let known = table::find(&name.replace('-', "_")).is_some();
        assert!(known || sharing > 1, "there is no setting {name}");
    }
}

#[track_caller]
fn understood(variables: Variables, arguments: &[String]) -> Use {
    let shown = format!("{variables:#?} {arguments:?}");
    let environment = Environment {
        variables,
        arguments: arguments.iter().map(Into::into).collect(),
        directory: "/workspace".into(),
        ..Environment::default()
    };
    let (command, warnings) = read(&environment, &|path| file(path))
        .unwrap_or_else(|error| panic!("{error} for {shown}"));
    assert!(warnings.is_empty(), "{warnings:?} for {shown}");
    let targets = match &command {
        Command::Verify(settings) => {
            // What comes through a pipe is not here.
            let listed = settings.wanted.list.iter();
            let listed = listed.map(|_| "registry.example/team/app:1.4".parse());
            let listed = listed.collect::<Result<_, _>>().expect("it is a reference");
            let targets = targets(&settings.wanted, listed)
                .unwrap_or_else(|error| panic!("{error} for {shown}"));
            assert_eq!(idle_logins(&settings.login, &targets), None, "{shown}");
            targets
        }
        Command::Audit(_) | Command::Repair(_) | Command::Prune(_) | Command::Rebuild(_) => {
            Vec::new()
        }
        other => panic!("{other:?} for {shown}"),
    };
    Use { command, targets }
}

/// What a build step would have left in the workspace.
fn file(path: &Path) -> std::io::Result<String> {
    let digest = "0123abcd".repeat(8);
    match path.file_name().and_then(|name| name.to_str()) {
        Some("metadata.json") => Ok(format!(
            r#"{{"containerimage.digest":"sha256:{digest}","image.name":"registry.example/team/app:latest"}}"#
        )),
        Some("registry-ca.pem") => Ok(Authority::new().pem()),
        Some("registry-password") => Ok("content-of-registry_password\n".to_owned()),
        Some("policy.yaml") => Ok("team/*: {keep: [latest, v*]}".to_owned()),
        Some("running.txt") => Ok("registry.example/team/app:1.4".to_owned()),
        Some("config.json" | "registry-login")
            if ["/home/runner", "/login", "/run", "/config.json"]
                .iter()
                .any(|known| path.starts_with(known)) =>
        {
            Ok(r#"{"auths":{}}"#.to_owned())
        }
        _ => Err(std::io::ErrorKind::NotFound.into()),
    }
}
