//! The command line: a command, references, and a flag for every setting.

use std::ffi::OsString;

use lexopt::prelude::*;

use super::raw::{Gathered, quoted};
use super::suggest::nearest;
use super::table::{self, Kind, Setting};
use super::{Error, Mode, parse};

/// What the command line asks for.
#[derive(Debug)]
pub(super) enum Asked {
    /// The help text.
    Help,
    /// The version.
    Version,
    /// A run; without a command the mode comes from the settings.
    Run {
        /// The command, if there is one.
        command: Option<Mode>,
        /// The settings that were given as flags; references are `images`.
        flags: Gathered,
    },
}

/// Reads the arguments after the program's name.
///
/// # Errors
///
/// For an unknown flag or command, a flag without its value, and flags that contradict each other.
pub(super) fn read(arguments: &[OsString]) -> Result<Asked, Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut command = None;
    let mut references = Vec::new();
    let mut flags = Gathered::default();
    while let Some(argument) = parser.next().map_err(|error| unreadable(&error))? {
        match argument {
            Short('h') | Long("help") => return Ok(Asked::Help),
            Short('V') | Long("version") => return Ok(Asked::Version),
            Short(letter) => {
                return Err(Error::new(format!("unknown flag -{}", letter.escape_debug())).with_hint(SEE_HELP));
            }
            Long(name) => {
                let name = name.to_owned();
                let setting = flag(&name)?;
                let text = value(&mut parser, setting, &name)?;
                add(&mut flags, setting, &format!("--{}", name.replace('_', "-")), &text)?;
            }
            Value(text) => {
                let text = text.into_string().map_err(|text| not_text(&text))?;
                match (command, text.as_str()) {
                    (None, "help") => return Ok(Asked::Help),
                    (None, "version") => return Ok(Asked::Version),
                    (None, "verify") => command = Some(Mode::Verify),
                    (None, "rebuild") => command = Some(Mode::Rebuild),
                    (None, _) => {
                        return Err(Error::new(format!("{} is not a command", quoted(&text)))
                            .with_hint("the commands are verify and rebuild: pullproof verify REF"));
                    }
                    (Some(Mode::Verify), _) => references.push(text),
                    (Some(Mode::Rebuild), _) => {
                        return Err(Error::new(format!("rebuild takes no references, got {}", quoted(&text)))
                            .with_hint("to verify first, use pullproof verify --on-broken rebuild REF"));
                    }
                }
            }
        }
    }
    for reference in references {
        add(&mut flags, flag("images")?, "the command line", &as_item(&reference))?;
    }
    Ok(Asked::Run { command, flags })
}

const SEE_HELP: &str = "pullproof --help lists all flags";

/// The setting of a flag, in kebab-case or `snake_case`.
fn flag(name: &str) -> Result<&'static Setting, Error> {
    let snake = name.replace('-', "_");
    table::find(&snake).ok_or_else(|| {
        let error = Error::new(format!("unknown flag --{}", name.escape_debug()));
        match nearest(&snake) {
            Some(known) => error.with_hint(format!("did you mean --{}?", known.replace('_', "-"))),
            None => error.with_hint(SEE_HELP),
        }
    })
}

/// A flag's value; one that may stand alone takes the next argument only when that is a boolean.
fn value(parser: &mut lexopt::Parser, setting: &Setting, name: &str) -> Result<String, Error> {
    let text = if matches!(setting.kind, Kind::Boolean | Kind::Hosts) {
        match parser.optional_value() {
            Some(text) => text,
            None => parser
                .try_raw_args()
                .and_then(|mut rest| rest.next_if(|next| next.to_str().and_then(parse::boolean).is_some()))
                .unwrap_or_else(|| "true".into()),
        }
    } else {
        parser.value().map_err(|_| Error::new(format!("the flag --{name} needs a value")))?
    };
    text.into_string().map_err(|text| {
        if setting.is_secret() {
            Error::new(format!("--{name}: the value is not valid UTF-8"))
        } else {
            not_text(&text)
        }
    })
}

/// Adds a flag's value; those of flags that hold several things are joined.
fn add(flags: &mut Gathered, setting: &'static Setting, spelled: &str, text: &str) -> Result<(), Error> {
    let before = flags.text(setting.name).map(str::to_owned);
    let joined = before.and_then(|before| match setting.kind {
        Kind::List | Kind::Platforms | Kind::Hosts => {
            let mut items = parse::list(&before)?;
            items.extend(parse::list(text.trim())?);
            serde_json::to_string(&items).ok()
        }
        Kind::Map => {
            let mut entries = parse::map(&before)?;
            entries.extend(parse::map(text.trim())?);
            serde_json::to_string(&entries).ok()
        }
        _ => None,
    });
    match joined {
        Some(joined) => {
            flags.replace(setting, spelled, joined);
            Ok(())
        }
        None => flags.add(setting, spelled, text),
    }
}

/// One reference as a list of one, whatever is in it.
fn as_item(text: &str) -> String {
    serde_json::Value::from(vec![text]).to_string()
}

fn not_text(text: &OsString) -> Error {
    Error::new(format!("the argument {} is not valid UTF-8", quoted(&text.to_string_lossy())))
}

fn unreadable(error: &lexopt::Error) -> Error {
    Error::new(match error {
        // The value is not shown: it may be a secret.
        lexopt::Error::UnexpectedValue { option, .. } => format!("the flag {option} takes no value"),
        error => error.to_string(),
    })
    .with_hint(SEE_HELP)
}
