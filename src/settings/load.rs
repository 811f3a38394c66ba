//! From the process's environment to a command: gather what was given, take what the command
//! takes, and read it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::arguments::{self, CommandLine};
use super::ci::{Facts, System};
use super::command::{
    AuditSettings, Command, CommandName, OnBroken, PruneSettings, RebuildSettings, RepairSettings,
    VerifySettings,
};
use super::files::{Disk, Files};
use super::list_source::ListSource;
use super::output::{Stream, Terminals};
use super::permission::{Deletion, GcStopped, Permission};
use super::raw::{Gathered, Typed};
use super::repair::Operands;
use super::wanted::Wanted;
use super::{
    Error, environment, extent, help, in_use, logins, manual, metrics, network, output, prune,
    rebuild, repair, rules, wanted,
};
use crate::http::network::Network;
use crate::report::exit::FailOn;
use crate::state::Tiers;
use crate::terminal::output::Output;
use crate::text::human;
use crate::walk::rules::Concern;

/// What the process finds around itself.
#[derive(Clone, Default)]
pub struct Environment {
    /// The environment's variables; those that are not valid UTF-8 are left out.
    pub variables: BTreeMap<String, String>,
    /// The arguments after the program's name.
    pub arguments: Vec<OsString>,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// The working directory.
    pub directory: PathBuf,
}

impl std::fmt::Debug for Environment {
    /// Names alone: variables and arguments may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("arguments", &self.arguments.len())
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .field("directory", &self.directory)
            .finish()
    }
}

/// Reads what the user wants from arguments and variables, and from the files they name; beside it
/// come warnings, as fragments, about what looks odd and prevents nothing.
///
/// # Errors
///
/// When something cannot be understood or does not fit together; the run ends with exit code 2.
pub fn read(environment: &Environment, files: &Files<'_>) -> Result<(Command, Vec<String>), Error> {
    let mut warnings = Vec::new();
    match command(environment, files, &mut warnings) {
        Ok(command) => Ok((command, warnings)),
        Err(error) => Err(error.after(warnings)),
    }
}

/// Where the result of a run with wrong settings goes: as its valid settings say.
#[must_use]
pub fn read_output(environment: &Environment) -> Output {
    let facts = Facts::new(&environment.variables);
    let terminals = terminals(environment);
    let output = |sources: [Gathered; 2]| output::output(&Typed::merge(sources), &facts, terminals);
    let understood = |gathered: Gathered| {
        gathered.keeping(|one| output([one.clone(), Gathered::default()]).is_ok())
    };
    let flags = arguments::understood_flags(&environment.arguments);
    let (variables, _) = environment::gather(&facts, &mut Vec::new());
    output([understood(flags), understood(variables)])
        .unwrap_or_else(|_| output::unset(&facts, terminals))
}

/// What the values of settings are read with.
struct Gathering<'a> {
    typed: Typed,
    facts: Facts<'a>,
    disk: Disk<'a>,
    terminals: Terminals,
}

fn terminals(environment: &Environment) -> Terminals {
    Terminals {
        stdout: environment.stdout,
        stderr: environment.stderr,
    }
}

/// Reads the command, with a warning for each odd thing, even when an error follows.
fn command(
    environment: &Environment,
    files: &Files<'_>,
    warnings: &mut Vec<String>,
) -> Result<Command, Error> {
    let facts = Facts::new(&environment.variables);
    let (named, flags) = match arguments::read(&environment.arguments) {
        Ok(CommandLine::Help(topic)) => return Ok(Command::Help(help::help(topic))),
        Ok(CommandLine::Version) => return Ok(Command::Version(help::version())),
        Ok(CommandLine::Completions(shell)) => return Ok(Command::Generated(shell.script())),
        Ok(CommandLine::Manual) => return Ok(Command::Generated(manual::manual())),
        Ok(CommandLine::Run { command, flags }) => (command, flags),
        Err(error) => {
            environment::gather(&facts, warnings);
            return Err(error);
        }
    };
    if environment.stdout.is_terminal && is_idle(environment, &facts) {
        return Ok(Command::Help(help::help(help::Topic::Overview)));
    }
    let (variables, contradiction) = environment::gather(&facts, warnings);
    if let Some(contradiction) = contradiction {
        return Err(contradiction);
    }
    let command = command_name(named, &flags, &variables)?;
    refuse_flags(command, &flags)?;
    warnings.extend(ignored(command, &variables, facts.system()));
    let disk = Disk {
        directory: &environment.directory,
        home: facts.get("HOME"),
        files,
    };
    let typed = Typed::merge([flags, variables.of(command)]);
    let reading = Gathering {
        typed: typed.with_secret_files(facts.system(), &disk)?,
        facts,
        disk,
        terminals: terminals(environment),
    };
    Ok(match command {
        CommandName::Verify => Command::Verify(Box::new(verify(&reading, warnings)?)),
        CommandName::Audit => {
            Command::Audit(Box::new(audit(&reading, CommandName::Audit, warnings)?))
        }
        CommandName::Repair => Command::Repair(Box::new(repair(&reading, warnings)?)),
        CommandName::Prune => Command::Prune(Box::new(prune(&reading, warnings)?)),
        CommandName::Rebuild => Command::Rebuild(Box::new(rebuild(&reading)?)),
    })
}

/// Whether nothing says what to do: no argument, no CI system, no setting.
fn is_idle(environment: &Environment, facts: &Facts<'_>) -> bool {
    environment.arguments.is_empty() && !facts.is_ci() && !environment::has_settings(facts)
}

/// A command that is named wins over `mode` in the environment, but not over a flag that says the
/// opposite.
fn command_name(
    named: Option<CommandName>,
    flags: &Gathered,
    variables: &Gathered,
) -> Result<CommandName, Error> {
    let typed = Typed::merge([flags.clone(), variables.clone()]);
    let mode = CommandName::of(typed.mode().word()?).unwrap_or(CommandName::Verify);
    match named {
        Some(named) if flags.text("mode").is_some() && named != mode => {
            Err(Error::new("--mode contradicts the command").with_hint("leave out --mode"))
        }
        Some(named) => Ok(named),
        None => Ok(mode),
    }
}

/// A flag that the command does not take is an error: a user who types it expects an effect.
fn refuse_flags(command: CommandName, flags: &Gathered) -> Result<(), Error> {
    let other = flags
        .settings()
        .find(|(setting, _)| !setting.is_for(command));
    let Some((setting, spelled)) = other else {
        return Ok(());
    };
    let takers: Vec<_> = setting.commands.iter().map(|name| name.word()).collect();
    Err(Error::new(format!(
        "{spelled} is a setting of {}; {command} does not take it",
        human::list(&takers)
    ))
    .with_hint(format!("pullproof help {command} lists its settings")))
}

/// One warning about all settings of the environment that the command does not take: steps with
/// different commands may share their settings.
fn ignored(command: CommandName, variables: &Gathered, system: System) -> Option<String> {
    let others: Vec<_> = variables
        .settings()
        .filter(|(setting, _)| !setting.is_for(command))
        // The action sets it in every run.
        .filter(|(setting, _)| {
            !(setting.comes_with_the_action() && system == System::GithubActions)
        })
        .map(|(_, spelled)| spelled)
        .collect();
    let (are, them) = match others.len() {
        0 => return None,
        1 => ("is", "it"),
        _ => ("are", "them"),
    };
    Some(format!(
        "{} {are} ignored: {command} does not take {them}",
        human::list(&others)
    ))
}

fn verify(reading: &Gathering<'_>, warnings: &mut Vec<String>) -> Result<VerifySettings, Error> {
    let Gathering {
        typed, facts, disk, ..
    } = reading;
    let (network, output) = shared(reading)?;
    if output.fail_on == FailOn::InUse {
        let value = typed.fail_on();
        return Err(value.error("\"in_use\" is for audit; verify takes broken and never"));
    }
    let wanted = wanted::wanted(typed, facts, disk, warnings)?;
    let rules = rules::rules(typed, CommandName::Verify)?;
    let login = logins::logins(typed, typed.registry().text, facts, disk, warnings)?;
    let patience = network::patience(typed, CommandName::Verify)?;
    let words = repair::on_broken(typed)?;
    let rebuilds = words.contains(&"rebuild");
    let mut plan = rebuild::rebuild(typed, facts, &network.insecure, rebuilds)?;
    let mut on_broken = Vec::new();
    for word in words {
        on_broken.extend(match word {
            "repair" => {
                let sources = repair::sources(typed, disk, true)?;
                repair::require_source(typed, &sources)?;
                Some(OnBroken::Repair(sources))
            }
            "rebuild" => plan.take().map(|plan| {
                OnBroken::Rebuild(Box::new(RebuildSettings {
                    plan,
                    network: network.clone(),
                    patience: patience.clone(),
                    output: output.clone(),
                }))
            }),
            _ => None,
        });
    }
    Ok(VerifySettings {
        wanted,
        rules,
        network,
        login,
        patience,
        output,
        on_broken,
    })
}

fn repair(reading: &Gathering<'_>, warnings: &mut Vec<String>) -> Result<RepairSettings, Error> {
    let Gathering {
        typed, facts, disk, ..
    } = reading;
    let applies = typed.apply().boolean()?;
    let undo = typed.undo().boolean()?;
    let sources = repair::sources(typed, disk, applies || undo)?;
    let (audit, wanted, login) = match repair::operands(typed, undo)? {
        Operands::Images(images) => {
            let wanted = Wanted {
                images,
                list: typed
                    .images_file()
                    .map(|value| ListSource::named(value.text, disk)),
                registry: typed
                    .registry()
                    .if_given()
                    .map(|value| value.text.to_owned()),
                ..Wanted::default()
            };
            let registry = typed.registry().text;
            let login = logins::logins(typed, registry, facts, disk, warnings)?;
            (None, wanted, login)
        }
        Operands::Targets => {
            let audit = audit(reading, CommandName::Repair, warnings)?;
            if audit.extent.is_disk && sources.permission.is_some() {
                repair::require_gc_stopped(sources.gc_stopped)?;
            }
            let login = audit.login.clone();
            (Some(audit), Wanted::default(), login)
        }
    };
    let (network, output) = shared(reading)?;
    // A manifest comes back only with what is below it, so blobs are looked at.
    rules::depth(&typed.depth(), CommandName::Repair)?;
    let command = match audit {
        Some(_) => CommandName::Audit,
        None => CommandName::Verify,
    };
    Ok(RepairSettings {
        verify: VerifySettings {
            wanted,
            rules: rules::rules(typed, command)?,
            network,
            login,
            patience: network::patience(typed, command)?,
            output,
            on_broken: Vec::new(),
        },
        audit,
        sources,
        plan: typed.plan().map(|value| disk.resolve(value.text)),
        undo,
    })
}

/// The settings of an audit, and of what begins with one.
fn audit(
    reading: &Gathering<'_>,
    command: CommandName,
    warnings: &mut Vec<String>,
) -> Result<AuditSettings, Error> {
    let Gathering {
        typed, facts, disk, ..
    } = reading;
    let (network, output) = shared(reading)?;
    let broken_list = typed.broken_list().map(|value| value.path());
    if let (Some(value), true) = (
        typed.broken_list(),
        broken_list.is_some() && [&output.report, &output.junit].contains(&&broken_list),
    ) {
        return Err(value.error("it cannot be the same file as a report"));
    }
    let metrics = metrics::metrics(typed, &network.insecure)?;
    if let (Some(value), true) = (
        typed.metrics_file(),
        [&output.report, &output.junit, &broken_list].contains(&&metrics.file),
    ) {
        return Err(value.error("it cannot be the same file as a report"));
    }
    let extent = extent::extent(typed, command)?;
    let registry = typed.registry();
    let registry = match (registry.if_given(), &*extent.targets) {
        (None, [target, ..]) => target.registry.clone(),
        _ => registry.text.to_owned(),
    };
    let mut state = typed.state().map(|value| value.path());
    if extent.is_disk && state.take().is_some() {
        warnings.push("state is ignored: a directory is looked at anew each time".to_owned());
    }
    Ok(AuditSettings {
        in_use: in_use::in_use(typed, facts, disk, &extent)?,
        extent,
        rules: rules::rules(typed, CommandName::Audit)?,
        network,
        login: logins::logins(typed, &registry, facts, disk, warnings)?,
        patience: network::patience(typed, CommandName::Audit)?,
        output,
        broken_list,
        state,
        tiers: Tiers {
            manifests: typed.recheck_manifests().interval()?,
            blobs: typed.recheck_blobs().interval()?,
            tail: typed.recheck_tail().interval()?,
            full: typed.recheck_full().interval()?,
        },
        metrics,
    })
}

fn prune(reading: &Gathering<'_>, warnings: &mut Vec<String>) -> Result<PruneSettings, Error> {
    let Gathering { typed, disk, .. } = reading;
    let applies = typed.apply().boolean()?;
    let sweeps = typed.delete_broken().boolean()?;
    let mut audit = audit(reading, CommandName::Prune, warnings)?;
    // What stays has to be whole, so blobs are looked at.
    rules::depth(&typed.depth(), CommandName::Prune)?;
    audit.extent.has_all_tags = true;
    let gc_stopped = typed.gc_stopped().boolean()?.then(GcStopped::of_setting);
    if audit.extent.is_disk && applies {
        repair::require_gc_stopped(gc_stopped)?;
    }
    // What refers to a manifest goes and stays with it.
    audit.rules.referrers = Concern::Warn;
    Ok(PruneSettings {
        policy: prune::policy(typed, disk, sweeps)?,
        sweeps,
        untagged: typed
            .delete_untagged()
            .map(|value| value.duration())
            .transpose()?,
        packages_api: prune::packages_api(typed, &audit)?,
        brakes: prune::brakes(typed)?,
        plan: typed.plan().map(|value| disk.resolve(value.text)),
        backup: prune::backup(typed, disk, applies)?,
        apply: applies.then(|| (Deletion::of_apply(), Permission::of_apply())),
        gc_stopped,
        audit,
    })
}

fn rebuild(reading: &Gathering<'_>) -> Result<RebuildSettings, Error> {
    let Gathering { typed, facts, .. } = reading;
    let (network, output) = shared(reading)?;
    let patience = network::patience(typed, CommandName::Rebuild)?;
    let plan = rebuild::rebuild(typed, facts, &network.insecure, true)?;
    Ok(RebuildSettings {
        plan: plan.expect("it is there, because it is needed"),
        network,
        patience,
        output,
    })
}

/// What every command needs.
fn shared(reading: &Gathering<'_>) -> Result<(Network, Output), Error> {
    let Gathering {
        typed,
        facts,
        disk,
        terminals,
    } = reading;
    let output = output::output(typed, facts, *terminals)?;
    Ok((network::network(typed, facts, disk)?, output))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::kind::ValueKind;
    use super::super::support::{Surroundings, given, scrambled_texts, typed};
    use super::super::table::{DefaultValue, Setting, TABLE};
    use super::*;
    use crate::http::patience::Patience;

    #[test]
    fn without_arguments_a_person_gets_help_and_a_pipeline_runs() {
        assert!(matches!(
            typed(&[]).at_a_terminal().command(),
            Ok(Command::Help(_))
        ));
        for pair in [
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("PLUGIN_IMAGES", "app"),
        ] {
            assert!(
                matches!(
                    given(&[pair]).at_a_terminal().command(),
                    Ok(Command::Verify(_))
                ),
                "{pair:?}"
            );
        }
        assert!(matches!(
            given(&[("PLUGIN_NONSENSE", "app")])
                .at_a_terminal()
                .command(),
            Ok(Command::Help(_))
        ));
        assert!(matches!(typed(&[]).command(), Ok(Command::Verify(_))));
    }

    #[test]
    fn the_command_is_an_argument_or_a_setting() {
        let rebuild = [
            ("PLUGIN_MODE", "Rebuild"),
            ("PLUGIN_SERVER", "https://ci.example.org"),
            ("PLUGIN_TOKEN", "t"),
            ("PLUGIN_WOODPECKER_REPO", "team/app"),
        ];
        let is_rebuild = |surroundings: Surroundings| match surroundings.command().unwrap() {
            Command::Rebuild(_) => true,
            Command::Verify(_) => false,
            other => panic!("{other:?}"),
        };
        assert!(is_rebuild(given(&rebuild)));
        assert!(!is_rebuild(given(&rebuild).and_arguments(&["verify"])));
        assert!(is_rebuild(given(&rebuild[1..]).and_arguments(&["rebuild"])));
        assert!(!is_rebuild(given(&rebuild[1..])));
        assert_eq!(
            given(&[("PLUGIN_MODE", "x")]).error(),
            r#"PLUGIN_MODE: "x" is not one of verify, audit, repair, prune, rebuild"#
        );
    }

    /// Surroundings in which every setting matters but the one that says whether to rebuild.
    fn complete(setting: &Setting) -> Surroundings {
        let rebuilds = ("PLUGIN_ON_BROKEN", "rebuild");
        let rebuilds = (setting.name != "on_broken").then_some(rebuilds);
        given(
            &REBUILD[1..]
                .iter()
                .copied()
                .chain(rebuilds)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let mut compared = 0;
        for setting in TABLE {
            let DefaultValue::Value(default) = setting.default else {
                continue;
            };
            let settings = |flags: &[&str]| {
                if setting.commands == [CommandName::Prune] {
                    let arguments = [&["prune", "r.example", "--keep=a"], flags].concat();
                    return format!("{:?}", typed(&arguments).prune());
                }
                if matches!(setting.commands, [CommandName::Repair, ..]) {
                    let arguments = [&["repair", "app:1"], flags].concat();
                    return format!("{:?}", typed(&arguments).repair());
                }
                if !setting.is_for(CommandName::Verify) {
                    let arguments = [&["audit", "r.example/app"], flags].concat();
                    return format!("{:?}", typed(&arguments).audit());
                }
                let arguments = [&["verify", "app"], flags].concat();
                let mut settings = complete(setting).and_arguments(&arguments).settings();
                settings.wanted.registry = None;
                format!("{settings:?}")
            };
            let flag = format!("--{}={default}", setting.kebab());
            assert_eq!(settings(&[&flag]), settings(&[]), "{flag}");
            compared += 1;
        }
        assert!(compared > 30, "only {compared} defaults were compared");
    }

    #[test]
    fn an_audit_and_a_prune_have_the_defaults_of_the_table() {
        for setting in TABLE {
            let Some(DefaultValue::Value(default)) = setting.audit_default else {
                continue;
            };
            let flag = format!("--{}={default}", setting.kebab());
            let audit = |flags: &[&str]| {
                let arguments = [&["audit", "r.example/app"], flags].concat();
                format!("{:?}", typed(&arguments).audit())
            };
            assert_eq!(audit(&[&flag]), audit(&[]), "{flag}");
            if setting.is_for(CommandName::Prune) {
                let prune = |flags: &[&str]| {
                    let arguments = [&["prune", "r.example/app", "--keep=a"], flags].concat();
                    format!("{:?}", typed(&arguments).prune())
                };
                assert_eq!(prune(&[&flag]), prune(&[]), "{flag}");
            }
        }
        let prune = typed(&["prune", "r.example/app", "--keep=a"]).prune();
        assert_eq!(prune.audit.patience.timeout, Patience::NO_TIMEOUT);
    }

    #[test]
    fn every_word_of_the_table_is_taken_and_others_are_not() {
        for setting in TABLE {
            let ValueKind::Words(words) = setting.kind else {
                continue;
            };
            let flag = format!("--{}", setting.kebab());
            for word in words
                .iter()
                .filter(|word| !["rebuild", "in_use"].contains(word))
            {
                let upper = word.to_ascii_uppercase();
                let pipeline = (*word == "restart").then_some("--pipeline=latest");
                let audited = match *word {
                    "audit" => &["--registry=r.example"][..],
                    "repair" => &["--images=r.example"],
                    "prune" => &["--images=r.example", "--keep=v*"],
                    "manifests" => &["--mode=audit", "--registry=r.example"],
                    _ => &[],
                };
                let arguments: Vec<_> = [flag.as_str(), &upper]
                    .into_iter()
                    .chain(pipeline)
                    .chain(audited.iter().copied())
                    .collect();
                assert!(typed(&arguments).command().is_ok(), "{arguments:?}");
            }
            let error = typed(&[&flag, "nonsense"]).error();
            assert!(
                error.starts_with(&format!("{flag}: \"nonsense\" is not one of ")),
                "{error}"
            );
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }

    #[test]
    fn warnings_about_unknown_settings_reach_the_user() {
        let warnings = given(&[
            ("CI", "woodpecker"),
            ("PLUGIN_IMAGES", "app"),
            ("PLUGIN_TIME_OUT", "5m"),
        ])
        .warnings();
        assert_eq!(
            warnings,
            ["unknown setting time_out is ignored; did you mean timeout?"]
        );
    }

    #[test]
    fn an_error_comes_with_the_warnings_that_explain_it() {
        let woodpecker = ("CI", "woodpecker");
        let error = given(&[
            woodpecker,
            ("PLUGIN_USERNAME", "ci"),
            ("PLUGIN_PASSWRD", "hunter2"),
        ])
        .command()
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "username: there is no password for this user, or it is empty"
        );
        assert_eq!(
            error.warnings(),
            ["unknown setting passwrd is ignored; did you mean password?"]
        );
        let logins = (
            "PLUGIN_LOGINS",
            r#"[{"registry":"r","usrname":"ci","password":"hunter2","email":"x"}]"#,
        );
        let error = given(&[woodpecker, logins]).command().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"logins: entry 1, for "r", has no username, or it is empty"#
        );
        assert_eq!(
            error.warnings(),
            [r#"logins: "usrname" of entry 1 is ignored; did you mean username?"#]
        );
        let error = given(&[("PLUGIN_TAGZ", "x")])
            .and_arguments(&["verify", "--bogus"])
            .command()
            .unwrap_err();
        assert_eq!(
            error.warnings(),
            ["unknown setting PLUGIN_TAGZ is ignored; did you mean tags?"]
        );
    }

    #[test]
    fn a_build_steps_settings_work_as_they_are() {
        let (settings, warnings) = given(&[
            ("CI", "woodpecker"),
            (
                "PLUGIN_REPO",
                "registry.example.org/team/app,other.example.org/app",
            ),
            ("PLUGIN_TAGS", "1,latest"),
            ("PLUGIN_PLATFORMS", "linux/amd64,linux/arm64/v8"),
            (
                "PLUGIN_LOGINS",
                r#"[{"password":"p","registry":"https://registry.example.org","username":6543}]"#,
            ),
            ("PLUGIN_CACHE_FROM", r"type=registry\,ref=x"),
            ("PLUGIN_BUILD_ARGS", r#"{"A":"1"}"#),
            ("PLUGIN_OUTPUT", "type=registry"),
            ("PLUGIN_CONTAINERFILE", "Containerfile"),
            ("PLUGIN_PROVENANCE", "false"),
            ("PLUGIN_BUILDKIT_CONFIG", "debug = true"),
            ("PLUGIN_LOG_LEVEL", "fatal"),
            ("PLUGIN_DRY_RUN", "false"),
            ("PLUGIN_CONFIG", "{}"),
        ])
        .run();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(settings.wanted.repositories.len(), 2);
        assert_eq!(settings.wanted.tags, ["1", "latest"]);
        assert_eq!(settings.login.given[0].username, "6543");
        assert_eq!(settings.output.report, None);
        assert_eq!(settings.wanted.nothing_pushed, None);
    }

    #[test]
    fn no_setting_panics_whatever_its_text() {
        for setting in TABLE {
            for text in scrambled_texts(40) {
                let flag = format!("--{}={text}", setting.name);
                let _ = given(&[("CI", "woodpecker"), ("PLUGIN_REPO", "app")])
                    .and_arguments(&["verify", &flag])
                    .command();
            }
        }
    }

    #[test]
    fn no_secret_shows_in_the_debug_form_of_settings() {
        let settings = given(&[
            ("PLUGIN_USERNAME", "me"),
            ("PLUGIN_PASSWORD", "hunter2"),
            (
                "PLUGIN_LOGINS",
                r#"[{"username":"a","password":"hunter2"}]"#,
            ),
            ("PLUGIN_GITHUB_TOKEN", "hunter2"),
            ("PLUGIN_TOKEN", "hunter2"),
            ("PLUGIN_VARIABLES", "A=hunter2"),
            (
                "PLUGIN_DOCKER_CONFIG",
                r#"{"auths":{"r":{"auth":"hunter2"}}}"#,
            ),
        ])
        .settings();
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    const REBUILD: [(&str, &str); 4] = [
        ("PLUGIN_MODE", "rebuild"),
        ("PLUGIN_SERVER", "https://ci.example.org"),
        ("PLUGIN_TOKEN", "t"),
        ("PLUGIN_WOODPECKER_REPO", "team/app"),
    ];

    #[test]
    fn a_flag_of_another_command_is_an_error_that_names_it() {
        for (arguments, message) in [
            (
                &["rebuild", "--depth", "full"][..],
                "--depth is a setting of verify, audit, repair and prune; rebuild does not take it",
            ),
            (
                &["rebuild", "--image=app"],
                "--image is a setting of verify, audit, repair and prune; rebuild does not take it",
            ),
            (
                &["--mode=rebuild", "--skip-push"],
                "--skip-push is a setting of verify; rebuild does not take it",
            ),
        ] {
            let error = given(&REBUILD[1..])
                .and_arguments(arguments)
                .command()
                .unwrap_err();
            assert_eq!(error.to_string(), message);
            assert_eq!(
                error.hint(),
                Some("pullproof help rebuild lists its settings")
            );
        }
        let verify = typed(&["verify", "app", "--wait=false", "--logs=all"]);
        assert!(verify.command().is_ok());
    }

    #[test]
    fn settings_of_another_command_are_ignored_with_one_warning() {
        let anchor = [
            ("CI", "woodpecker"),
            ("PLUGIN_REPO", "team/app"),
            ("PLUGIN_TAG", "1"),
            ("PLUGIN_TAGS_FILE", "missing"),
            ("PLUGIN_DEPTH", "bottom"),
            ("PLUGIN_USERNAME", "ci"),
            ("PLUGIN_DOCKERFILE", "Dockerfile"),
            ("PLUGIN_BUILD_ARGS", "A=1"),
        ];
        assert_eq!(
            given(&[&REBUILD[..], &anchor].concat()).warnings(),
            ["repo, tag, tags_file, depth and username are ignored: rebuild does not take them"]
        );
        assert_eq!(
            given(&[&REBUILD[..], &[("PLUGIN_SETTLE", "1s")]].concat()).warnings(),
            ["PLUGIN_SETTLE is ignored: rebuild does not take it"]
        );
        let verify = given(&[&REBUILD[1..], &[("PLUGIN_IMAGES", "app")]].concat());
        assert!(verify.warnings().is_empty());
    }

    #[test]
    fn the_actions_default_token_gives_no_warning() {
        let inputs = [
            ("GITHUB_ACTIONS", "true"),
            ("INPUT_GITHUB-TOKEN", "t"),
            ("INPUT_MODE", "rebuild"),
            ("INPUT_WOODPECKER-URL", "https://ci.example.org"),
            ("INPUT_WOODPECKER-TOKEN", "t"),
            ("INPUT_WOODPECKER-REPO", "team/app"),
        ];
        assert!(given(&inputs).warnings().is_empty());
    }

    #[test]
    fn every_word_of_the_table_means_something_of_its_own() {
        for setting in TABLE {
            let ValueKind::Words(words) = setting.kind else {
                continue;
            };
            // `auto` means what another word says.
            let own = words.iter().filter(|word| **word != "auto");
            let meanings: BTreeSet<_> = own
                .clone()
                .map(|word| {
                    let flag = format!("--{}={word}", setting.kebab());
                    let settings = complete(setting).and_arguments(&[&flag]).command();
                    format!("{settings:?}")
                })
                .collect();
            assert_eq!(meanings.len(), own.count(), "{}", setting.name);
        }
    }
}
