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

#[cfg(test)]
mod tests {
    use super::super::support::{given, typed};
    use super::super::{Command, Hosts, Mode};

    #[test]
    fn help_and_version_are_answered_wherever_they_stand() {
        for arguments in [&["--help"][..], &["-h"], &["help"], &["verify", "app", "--help"], &["--timeout", "5s", "-h"]]
        {
            assert!(matches!(typed(arguments).command(), Ok(Command::Help(_))), "{arguments:?}");
        }
        for arguments in [&["--version"][..], &["-V"], &["version"]] {
            let Ok(Command::Version(text)) = typed(arguments).command() else { panic!("{arguments:?}") };
            assert_eq!(text, format!("pullproof {}", env!("CARGO_PKG_VERSION")));
        }
    }

    #[test]
    fn references_are_taken_as_they_are() {
        let settings = typed(&["verify", "app:1", "[::1]:5000/app", "--images", "a,b", "x,y"]).settings();
        assert_eq!(settings.wanted.images, ["a", "b", "app:1", "[::1]:5000/app", "x,y"]);
        assert_eq!(settings.mode, Mode::Verify);
    }

    #[test]
    fn a_boolean_flag_takes_the_next_argument_only_if_it_is_a_boolean() {
        for (arguments, same_digest, images) in [
            (&["verify", "--same-digest", "app"][..], true, &["app"][..]),
            (&["verify", "--same-digest", "false", "app"], false, &["app"]),
            (&["verify", "--same-digest=no", "app"], false, &["app"]),
            (&["verify", "app", "--same-digest"], true, &["app"]),
            (&["verify", "--same-digest", "--", "app"], true, &["app"]),
            (&["verify", "--same_digest", "1"], true, &[]),
        ] {
            let wanted = typed(arguments).settings().wanted;
            assert_eq!(
                (wanted.same_digest, wanted.images.as_slice()),
                (Some(same_digest), &images.iter().map(|&text| text.to_owned()).collect::<Vec<_>>()[..]),
                "{arguments:?}"
            );
        }
        assert_eq!(typed(&["verify", "--same-digest=maybe"]).error(), r#"--same-digest: "maybe" is not true or false"#);
    }

    #[test]
    fn hosts_need_an_equals_sign() {
        let settings = typed(&["verify", "--insecure", "registry:5000/app"]).settings();
        assert_eq!(settings.network.insecure, Hosts::All);
        assert_eq!(settings.wanted.images, ["registry:5000/app"]);
        let settings = typed(&["verify", "--insecure=a:1", "--insecure=b"]).settings();
        assert_eq!(settings.network.insecure, Hosts::Only(vec!["a:1".into(), "b".into()]));
    }

    #[test]
    fn flags_with_several_things_may_be_repeated() {
        let settings =
            typed(&["verify", "--repo", "a,b", "--repo=c", "--variables", "A=1", "--params", "B=2,C=3"]).settings();
        assert_eq!(settings.wanted.repositories, ["a", "b", "c"]);
        assert_eq!(settings.rebuild.variables.len(), 3);
        assert_eq!(
            typed(&["verify", "--timeout", "1s", "--timeout", "2s"]).error(),
            "--timeout is given twice, with different values"
        );
        assert_eq!(
            typed(&["verify", "--attempts", "1", "--retries", "2"]).error(),
            "--attempts and --retries are the same setting, and were given different values"
        );
    }

    #[test]
    fn flags_win_over_the_environment() {
        let settings =
            given(&[("PLUGIN_TAG", "a"), ("PLUGIN_REPO", "r")]).and_arguments(&["verify", "--tags", "b"]).settings();
        assert_eq!((settings.wanted.tags, settings.wanted.repositories), (vec!["b".to_owned()], vec!["r".to_owned()]));
        let settings = given(&[("PLUGIN_IMAGES", "a")]).and_arguments(&["verify", "b"]).settings();
        assert_eq!(settings.wanted.images, ["b"]);
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_advice() {
        for (arguments, message, hint) in [
            (&["verify", "--tagz", "x"][..], "unknown flag --tagz", "did you mean --tags?"),
            (&["verify", "--tags-fil=x"], "unknown flag --tags-fil", "did you mean --tags-file?"),
            (
                &["verify", "--quite-another-thing"],
                "unknown flag --quite-another-thing",
                "pullproof --help lists all flags",
            ),
            (&["verify", "-x"], "unknown flag -x", "pullproof --help lists all flags"),
            (&["app:1"], "\"app:1\" is not a command", "the commands are verify and rebuild: pullproof verify REF"),
            (
                &["rebuild", "app"],
                "rebuild takes no references, got \"app\"",
                "to verify first, use pullproof verify --on-broken rebuild REF",
            ),
            (&["rebuild", "--mode", "verify"], "--mode contradicts the command", "leave out --mode"),
        ] {
            let error = typed(arguments).command().unwrap_err();
            assert_eq!((error.to_string().as_str(), error.hint()), (message, Some(hint)));
        }
        assert_eq!(typed(&["verify", "--timeout"]).error(), "the flag --timeout needs a value");
        assert_eq!(typed(&["verify", "--dockerfile", "x"]).error(), "unknown flag --dockerfile");
    }

    #[test]
    fn a_secret_in_a_wrong_place_is_not_shown() {
        for arguments in [&["verify", "--logins=hunter2"][..], &["verify", "--pasword=hunter2"]] {
            let error = typed(arguments).command().unwrap_err();
            assert!(!format!("{error} {:?}", error.hint()).contains("hunter2"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn arguments_that_are_no_text_are_refused() {
        use std::os::unix::ffi::OsStringExt as _;
        let broken = std::ffi::OsString::from_vec(vec![b'a', 0xff]);
        assert!(super::read(&["verify".into(), broken.clone()]).unwrap_err().to_string().contains("not valid UTF-8"));
        assert!(
            super::read(&["verify".into(), "--tags".into(), broken])
                .unwrap_err()
                .to_string()
                .contains("not valid UTF-8")
        );
    }
}
