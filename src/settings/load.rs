//! From the process's surroundings to settings: gather, merge, give meaning, check one against the other.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::arguments::{self, Asked};
use super::ci::Facts;
use super::files::{Disk, Files};
use super::raw::{Typed, Value};
use super::{
    Concern, Depth, Error, Mode, Rules, Settings, environment, help, logins, network, output, parse, rebuild, wanted,
    words,
};
use crate::platform::Platform;

/// What the process finds around itself.
#[derive(Clone, Debug, Default)]
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
    let facts = Facts::new(&environment.variables);
    let (command, flags) = match arguments::read(&environment.arguments)? {
        Asked::Help => return Ok(Command::Help(help::help())),
        Asked::Version => return Ok(Command::Version(format!("pullproof {}", env!("CARGO_PKG_VERSION")))),
        Asked::Run { command, flags } => (command, flags),
    };
    let is_idle = environment.arguments.is_empty() && !facts.is_ci() && !environment::has_settings(&facts);
    if is_idle && environment.stdout_is_terminal {
        return Ok(Command::Help(help::help()));
    }
    let (variables, mut warnings) = environment::gather(&facts)?;
    let named_mode = flags.text("mode").is_some();
    let typed = Typed::merge([flags, variables]);
    let disk = Disk { directory: &environment.directory, home: facts.get("HOME"), files };
    let mode = mode(&typed, command, named_mode)?;
    let terminals = (environment.stdout_is_terminal, environment.stderr_is_terminal);
    let output = output::output(&typed, &facts, terminals.0, terminals.1)?;
    let network = network::network(&typed, &facts, &disk)?;
    let needs_rebuild = mode == Mode::Rebuild || output.rebuild_when_broken;
    let settings = Settings {
        mode,
        wanted: wanted::wanted(&typed, &facts, &disk, &mut warnings)?,
        rules: rules(&typed)?,
        login: logins::logins(&typed, &facts, &disk, &mut warnings)?,
        patience: network::patience(&typed)?,
        rebuild: rebuild::rebuild(&typed, &facts, &network.insecure, needs_rebuild)?,
        network,
        output,
    };
    Ok(Command::Run { settings: Box::new(settings), warnings })
}

/// The command wins over the environment, but not over a flag that says the opposite.
fn mode(typed: &Typed, command: Option<Mode>, named_by_flag: bool) -> Result<Mode, Error> {
    let setting = words(typed.mode(), &["verify", "rebuild"])?
        .map(|word| if word == "rebuild" { Mode::Rebuild } else { Mode::Verify });
    match (command, setting) {
        (Some(command), Some(mode)) if named_by_flag && command != mode => {
            Err(Error::new("--mode contradicts the command").with_hint("leave out --mode"))
        }
        (Some(command), _) => Ok(command),
        (None, setting) => Ok(setting.unwrap_or(Mode::Verify)),
    }
}

fn rules(typed: &Typed) -> Result<Rules, Error> {
    let default = Rules::default();
    let concern = |value: Option<Value<'_>>, default: Concern| {
        Ok(match words(value, &["check", "warn", "ignore"])? {
            Some("check") => Concern::Check,
            Some("warn") => Concern::Warn,
            Some(_) => Concern::Ignore,
            None => default,
        })
    };
    Ok(Rules {
        platforms: platforms(typed.platforms())?,
        attestations: concern(typed.attestations(), default.attestations)?,
        allow_missing: platforms(typed.allow_missing())?,
        referrers: concern(typed.referrers(), default.referrers)?,
        depth: match words(typed.depth(), &["head", "tail", "full"])? {
            Some("head") => Depth::Head,
            Some("full") => Depth::Full,
            _ => Depth::Tail,
        },
    })
}

fn platforms(value: Option<Value<'_>>) -> Result<Vec<Platform>, Error> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let mut platforms = Vec::new();
    for item in value.read("a list of platforms", parse::list)? {
        let platform: Platform = item.parse().map_err(|error| {
            value
                .error(format!("{} is {error}", super::quoted(&item)))
                .with_hint("a platform looks like linux/amd64 or linux/arm/v7")
        })?;
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok(platforms)
}
