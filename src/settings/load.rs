//! From the process's surroundings to settings: gather, merge, give meaning, check one against the other.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::arguments::{self, Asked};
use super::ci::Facts;
use super::files::{Disk, Files};
use super::raw::{Gathered, Typed, Value};
use super::{
    Error, Mode, Settings, Wanted, environment, help, logins, network, output, parse, rebuild,
    wanted, words,
};
use crate::oci::platform::Platform;
use crate::terminal::output::Output;
use crate::walk::rules::{Concern, Depth, Rules};

/// What the process finds around itself.
#[derive(Clone, Default)]
pub struct Environment {
    /// The environment's variables; those that are not valid UTF-8 are left out.
    pub variables: BTreeMap<String, String>,
    /// The arguments after the program's name.
    pub arguments: Vec<OsString>,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// The working directory.
    pub directory: PathBuf,
}

impl std::fmt::Debug for Environment {
    /// Names alone: variables and arguments may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("arguments", &self.arguments.len())
            .field("stdout_is_terminal", &self.stdout_is_terminal)
            .field("stderr_is_terminal", &self.stderr_is_terminal)
            .field("directory", &self.directory)
            .finish()
    }
}

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Print this text and end well.
    Help(String),
    /// Print this line and end well.
    Version(String),
    /// Run.
    Run {
        /// What the user wants.
        settings: Box<Settings>,
        /// What looks odd but does not hinder, as fragments.
        warnings: Vec<String>,
    },
}

/// Reads what the user wants from arguments and variables, and from the files they name.
///
/// # Errors
///
/// When something cannot be understood or does not fit together; the run ends with exit code 2.
pub fn read(environment: &Environment, files: &Files<'_>) -> Result<Command, Error> {
    let mut warnings = Vec::new();
    match read_warning(environment, files, &mut warnings) {
        Ok(Read::Text(command)) => Ok(command),
        Ok(Read::Settings(settings)) => Ok(Command::Run { settings, warnings }),
        Err(error) => Err(error.after(warnings)),
    }
}

/// What is asked for.
enum Read {
    /// A text.
    Text(Command),
    /// A run.
    Settings(Box<Settings>),
}

/// Reads, with a warning for each odd thing, even when an error follows that it explains.
fn read_warning(
    environment: &Environment,
    files: &Files<'_>,
    warnings: &mut Vec<String>,
) -> Result<Read, Error> {
    let facts = Facts::new(&environment.variables);
    let (command, flags) = match arguments::read(&environment.arguments) {
        Ok(Asked::Help) => return Ok(Read::Text(Command::Help(help::help()))),
        Ok(Asked::Version) => {
            return Ok(Read::Text(Command::Version(format!(
                "pullproof {}",
                env!("CARGO_PKG_VERSION")
            ))));
        }
        Ok(Asked::Run { command, flags }) => (command, flags),
        Err(error) => {
            environment::gather(&facts, warnings);
            return Err(error);
        }
    };
    let is_idle =
        environment.arguments.is_empty() && !facts.is_ci() && !environment::has_settings(&facts);
    if is_idle && environment.stdout_is_terminal {
        return Ok(Read::Text(Command::Help(help::help())));
    }
    let (variables, contradiction) = environment::gather(&facts, warnings);
    if let Some(contradiction) = contradiction {
        return Err(contradiction);
    }
    let named_mode = flags.text("mode").is_some();
    let typed = Typed::merge([flags, variables]);
    let disk = Disk {
        directory: &environment.directory,
        home: facts.get("HOME"),
        files,
    };
    let mode = mode(&typed, command, named_mode)?;
    let terminals = (
        environment.stdout_is_terminal,
        environment.stderr_is_terminal,
    );
    let output = output::output(&typed, &facts, terminals.0, terminals.1)?;
    let network = network::network(&typed, &facts, &disk)?;
    let needs_rebuild = mode == Mode::Rebuild || output.rebuild_when_broken;
    let settings = Settings {
        mode,
        // A rebuild names no images; what a shared anchor says of them must not hinder it.
        wanted: match mode {
            Mode::Verify => wanted::wanted(&typed, &facts, &disk, warnings)?,
            Mode::Rebuild => Wanted::default(),
        },
        rules: rules(&typed, mode)?,
        login: logins::logins(&typed, &facts, &disk, warnings)?,
        patience: network::patience(&typed)?,
        rebuild: rebuild::rebuild(&typed, &facts, &network.insecure, needs_rebuild)?,
        network,
        output,
    };
    Ok(Read::Settings(Box::new(settings)))
}

/// Where the result of a run goes whose settings cannot be used: where those of them say that can be understood.
#[must_use]
pub fn read_output(environment: &Environment) -> Output {
    let facts = Facts::new(&environment.variables);
    let (stdout, stderr) = (
        environment.stdout_is_terminal,
        environment.stderr_is_terminal,
    );
    let output =
        |sources: [Gathered; 2]| output::output(&Typed::merge(sources), &facts, stdout, stderr);
    let understood = |gathered: Gathered| {
        gathered.keeping(|one| output([one.clone(), Gathered::default()]).is_ok())
    };
    let flags = arguments::understood_flags(&environment.arguments);
    let (variables, _) = environment::gather(&facts, &mut Vec::new());
    output([understood(flags), understood(variables)])
        .unwrap_or_else(|_| output::unset(&facts, stdout, stderr))
}

/// The command wins over the environment, but not over a flag that says the opposite.
fn mode(typed: &Typed, command: Option<Mode>, named_by_flag: bool) -> Result<Mode, Error> {
    let setting = words(typed.mode(), &["verify", "rebuild"])?.map(|word| {
        if word == "rebuild" {
            Mode::Rebuild
        } else {
            Mode::Verify
        }
    });
    match (command, setting) {
        (Some(command), Some(mode)) if named_by_flag && command != mode => {
            Err(Error::new("--mode contradicts the command").with_hint("leave out --mode"))
        }
        (Some(command), _) => Ok(command),
        (None, setting) => Ok(setting.unwrap_or(Mode::Verify)),
    }
}

fn rules(typed: &Typed, mode: Mode) -> Result<Rules, Error> {
    let default = Rules::default();
    let concern = |value: Option<Value<'_>>, default: Concern| {
        Ok(match words(value, &["check", "warn", "ignore"])? {
            Some("check") => Concern::Check,
            Some("warn") => Concern::Warn,
            Some(_) => Concern::Ignore,
            None => default,
        })
    };
    let (wanted, allowed) = (
        platforms(typed.platforms())?,
        platforms(typed.allow_missing())?,
    );
    // A rebuild looks at no images.
    if let (Some(wish), Some(allowance), Mode::Verify) =
        (typed.platforms(), typed.allow_missing(), mode)
    {
        contradiction(&wish, &wanted, &allowance, &allowed)?;
    }
    Ok(Rules {
        platforms: wanted,
        attestations: concern(typed.attestations(), default.attestations)?,
        allow_missing: allowed,
        referrers: concern(typed.referrers(), default.referrers)?,
        depth: match words(typed.depth(), &["head", "tail", "full"])? {
            Some("head") => Depth::Head,
            Some("full") => Depth::Full,
            _ => Depth::Tail,
        },
    })
}

/// A platform cannot be both demanded and allowed to be absent; an allowance for some of its variants is none for it.
fn contradiction(
    wish: &Value<'_>,
    wanted: &[Platform],
    allowance: &Value<'_>,
    allowed: &[Platform],
) -> Result<(), Error> {
    let covered = wanted
        .iter()
        .find_map(|platform| Some((platform, allowed.iter().find(|it| platform.satisfies(it))?)));
    let Some((platform, allowed)) = covered else {
        return Ok(());
    };
    Err(allowance
        .error(format!(
            "{allowed} may be absent, but {} says that {platform} must be there",
            wish.spelled
        ))
        .with_hint("take it out of one of them"))
}

fn platforms(value: Option<Value<'_>>) -> Result<Vec<Platform>, Error> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let mut platforms = Vec::new();
    for item in value.read("a list of platforms", parse::list)? {
        let platform: Platform = item.parse().map_err(|error| {
            value
                .error(format!("{} is {error}", crate::text::quote::quoted(&item)))
                .with_hint("a platform looks like linux/amd64 or linux/arm/v7")
        })?;
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok(platforms)
}

#[cfg(test)]
mod tests {
    use super::super::support::{given, scrambled_texts, typed};
    use super::super::table::{Kind, TABLE};
    use super::*;

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
                    Ok(Command::Run { .. })
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
        assert!(matches!(typed(&[]).command(), Ok(Command::Run { .. })));
    }

    #[test]
    fn the_mode_comes_from_the_command_or_the_settings() {
        let rebuild = [
            ("PLUGIN_MODE", "Rebuild"),
            ("PLUGIN_SERVER", "https://ci.example.org"),
            ("PLUGIN_TOKEN", "t"),
            ("PLUGIN_WOODPECKER_REPO", "team/app"),
        ];
        assert_eq!(given(&rebuild).settings().mode, Mode::Rebuild);
        assert_eq!(
            given(&rebuild).and_arguments(&["verify"]).settings().mode,
            Mode::Verify
        );
        assert_eq!(
            given(&rebuild[1..])
                .and_arguments(&["rebuild"])
                .settings()
                .mode,
            Mode::Rebuild
        );
        assert_eq!(given(&rebuild[1..]).settings().mode, Mode::Verify);
        assert_eq!(
            given(&[("PLUGIN_MODE", "x")]).error(),
            r#"PLUGIN_MODE: "x" is not one of verify, rebuild"#
        );
    }

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let unset = format!("{:?}", typed(&["verify", "app"]).settings());
        let mut compared = 0;
        for setting in TABLE {
            let is_plain = !setting.default.is_empty() && !setting.default.contains(' ');
            if is_plain
                && matches!(
                    setting.kind,
                    Kind::Boolean
                        | Kind::Hosts
                        | Kind::Words(_)
                        | Kind::Number
                        | Kind::Duration
                        | Kind::List
                )
            {
                let flag = format!("--{}={}", setting.name.replace('_', "-"), setting.default);
                assert_eq!(
                    format!("{:?}", typed(&["verify", "app", &flag]).settings()),
                    unset,
                    "{flag}"
                );
                compared += 1;
            }
        }
        assert!(compared > 25, "only {compared} defaults were compared");
    }

    #[test]
    fn every_word_of_the_table_is_taken_and_others_are_not() {
        for setting in TABLE {
            let Kind::Words(words) = setting.kind else {
                continue;
            };
            let flag = format!("--{}", setting.name.replace('_', "-"));
            for word in words.iter().filter(|word| **word != "rebuild") {
                let upper = word.to_ascii_uppercase();
                let pipeline = (*word == "restart").then_some("--pipeline=latest");
                let arguments: Vec<_> = [flag.as_str(), &upper]
                    .into_iter()
                    .chain(pipeline)
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
    fn the_rules_say_what_matters() {
        let rules = typed(&[
            "--platforms",
            "linux/amd64,linux/ARM64,linux/amd64",
            "--allow-missing=linux/arm/v7",
            "--attestations=warn",
            "--referrers=check",
            "--depth=full",
        ])
        .settings()
        .rules;
        assert_eq!(
            rules.platforms,
            [
                "linux/amd64".parse().unwrap(),
                "linux/arm64".parse().unwrap()
            ]
        );
        assert_eq!(rules.allow_missing, ["linux/arm/v7".parse().unwrap()]);
        assert_eq!(
            (rules.attestations, rules.referrers, rules.depth),
            (Concern::Warn, Concern::Check, Depth::Full)
        );
        assert_eq!(
            typed(&["--platform", "linux"]).error(),
            r#"--platform: "linux" is not os/arch or os/arch/variant"#
        );
        assert_eq!(
            typed(&["--platform", "[linux"]).error(),
            r#"--platform: "[linux" is not a list of platforms"#
        );
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
    fn a_platform_is_not_demanded_and_allowed_to_be_absent() {
        let settings = |wish: &str, allowance: &str| {
            typed(&[
                "verify",
                "app",
                "--platforms",
                wish,
                "--allow-missing",
                allowance,
            ])
        };
        assert_eq!(
            settings("linux/amd64,linux/arm64", "linux/arm64").error(),
            "--allow-missing: linux/arm64 may be absent, but --platforms says that linux/arm64 must be there"
        );
        for (wish, allowance) in [
            ("linux/arm/v6", "linux/arm"),
            ("linux/arm64", "linux/aarch64/v8"),
            ("linux/armhf", "linux/arm/7"),
        ] {
            assert!(
                settings(wish, allowance).error().contains("may be absent"),
                "{wish} {allowance}"
            );
        }
        for (wish, allowance) in [
            ("linux/arm", "linux/arm/v6"),
            ("linux/amd64", "linux/arm64"),
            ("linux/arm/v7", "linux/arm/v6"),
        ] {
            assert!(
                settings(wish, allowance).command().is_ok(),
                "{wish} {allowance}"
            );
        }
        let rebuild = typed(&[
            "rebuild",
            "--server=https://ci",
            "--token=t",
            "--woodpecker-repo=a/b",
            "--platforms=linux/arm64",
            "--allow-missing=linux/arm64",
        ]);
        assert!(rebuild.command().is_ok());
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
    fn no_text_makes_a_setting_panic() {
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
}
