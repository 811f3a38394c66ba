//! The command line: a command, references, and a flag for every setting.

use std::ffi::OsString;

use lexopt::prelude::*;

use super::command::CommandName;
use super::completions::Shell;
use super::help::{OTHER_COMMANDS, Topic};
use super::kind::ValueKind;
use super::list_source::STANDARD_INPUT;
use super::raw::Gathered;
use super::suggest::{nearest, nearest_of};
use super::table::{self, Setting};
use super::{Error, parse};
use crate::oci::platform::Platform;
use crate::text::human;
use crate::text::quote::quoted;

/// What the command line asks for.
#[derive(Debug)]
pub(super) enum CommandLine {
    /// A help text.
    Help(Topic),
    /// The version.
    Version,
    /// The completions for a shell.
    Completions(Shell),
    /// The manual page.
    Manual,
    /// A run; where no command is named, the setting `mode` says which.
    Run {
        /// The command, if it is named.
        command: Option<CommandName>,
        /// The settings that were given as flags; references are `images`.
        flags: Gathered,
    },
}

/// Reads the arguments after the program's name.
///
/// # Errors
///
/// For an unknown flag or command, a flag without its value, and flags that contradict each other.
pub(super) fn read(arguments: &[OsString]) -> Result<CommandLine, Error> {
    let mut reading = Reading::of(arguments);
    while reading.asked.is_none() {
        if !reading.step()? {
            break;
        }
    }
    reading.finish()
}

/// The flags of arguments of which some are wrong; those are left out.
pub(super) fn understood_flags(arguments: &[OsString]) -> Gathered {
    let mut reading = Reading::of(arguments);
    while reading.step().unwrap_or(true) {}
    reading.flags
}

/// The arguments so far.
struct Reading {
    parser: lexopt::Parser,
    command: Option<CommandName>,
    references: Vec<String>,
    flags: Gathered,
    asked: Option<CommandLine>,
    /// The name of the flag with a list of platforms that was read last, if nothing came after it.
    platforms: Option<String>,
}

impl Reading {
    fn of(arguments: &[OsString]) -> Self {
        Self {
            parser: lexopt::Parser::from_args(arguments),
            command: None,
            references: Vec::new(),
            flags: Gathered::default(),
            asked: None,
            platforms: None,
        }
    }

    /// Reads the next argument; whether there was one.
    fn step(&mut self) -> Result<bool, Error> {
        let after_platforms = self.platforms.take();
        let Some(argument) = self.parser.next().map_err(|error| unreadable(&error))? else {
            return Ok(false);
        };
        match argument {
            Short('h') => {
                let topic = self.command.map_or(Topic::Overview, Topic::Command);
                self.asked = Some(CommandLine::Help(topic));
            }
            Long("help") => self.asked = Some(CommandLine::Help(Topic::Everything)),
            Short('V') | Long("version") => self.asked = Some(CommandLine::Version),
            Short(letter) => {
                return Err(
                    Error::new(format!("unknown flag -{}", letter.escape_debug()))
                        .with_hint(SEE_HELP),
                );
            }
            Long(name) => {
                let name = name.to_owned();
                let setting = flag(&name)?;
                let text = value(&mut self.parser, setting, &name, self.command.is_none())?;
                let spelled = format!("--{}", name.replace('_', "-"));
                add(&mut self.flags, setting, &spelled, &text)?;
                let takes_platforms = matches!(
                    setting.kind,
                    ValueKind::Platforms | ValueKind::PlatformsOrAll
                );
                self.platforms = takes_platforms.then_some(spelled);
            }
            Value(text) => {
                let text = text.into_string().map_err(|text| not_text(&text))?;
                self.word(text, after_platforms)?;
            }
        }
        Ok(true)
    }

    /// Reads a word that is not a flag: a command, or what follows it.
    fn word(&mut self, text: String, after_platforms: Option<String>) -> Result<(), Error> {
        match self.command {
            None => self.command_word(&text),
            Some(CommandName::Verify | CommandName::Repair) if text == STANDARD_INPUT => {
                add(&mut self.flags, flag("images_file")?, &text, &text)
            }
            Some(CommandName::Audit) if text == STANDARD_INPUT => Err(Error::new(
                "audit takes no references from standard input",
            )
            .with_hint(
                "to check such a list, use pullproof verify -; to give what is deployed, use \
                     --in-use -",
            )),
            Some(CommandName::Prune) if text == STANDARD_INPUT => {
                Err(Error::new("prune takes no references from standard input")
                    .with_hint("to give what is deployed, use --in-use -"))
            }
            Some(
                CommandName::Verify | CommandName::Audit | CommandName::Repair | CommandName::Prune,
            ) => {
                if let Some(name) = after_platforms.filter(|_| is_platform(&text)) {
                    return Err(Error::new(format!(
                        "{} follows the list of {name}",
                        quoted(&text)
                    ))
                    .with_hint(format!(
                        "platforms are separated by commas: {name} linux/amd64,linux/arm64"
                    )));
                }
                self.references.push(text);
                Ok(())
            }
            Some(CommandName::Rebuild) => Err(Error::new(format!(
                "rebuild takes no references, got {}",
                quoted(&text)
            ))
            .with_hint("to verify first, use pullproof verify --on-broken rebuild REF")),
        }
    }

    /// Reads the first word that is not a flag.
    fn command_word(&mut self, text: &str) -> Result<(), Error> {
        match text {
            "help" => self.asked = Some(CommandLine::Help(self.topic()?)),
            "version" => self.asked = Some(CommandLine::Version),
            "completions" => self.asked = Some(CommandLine::Completions(self.shell()?)),
            "man" => self.asked = Some(CommandLine::Manual),
            _ => self.command = Some(CommandName::of(text).ok_or_else(|| not_a_command(text))?),
        }
        Ok(())
    }

    /// What follows `help`: the command that it is about, if one is named.
    fn topic(&mut self) -> Result<Topic, Error> {
        let Some(Value(text)) = self.parser.next().ok().flatten() else {
            return Ok(Topic::Overview);
        };
        let text = text.to_string_lossy();
        match CommandName::of(&text) {
            Some(command) => Ok(Topic::Command(command)),
            None if is_command(&text) => Ok(Topic::Overview),
            None => Err(not_a_command(&text)),
        }
    }

    /// The shell after `completions`.
    fn shell(&mut self) -> Result<Shell, Error> {
        let shells = human::list(&Shell::WORDS);
        let advice = "for bash: pullproof completions bash";
        let Some(Value(text)) = self.parser.next().ok().flatten() else {
            let error = "completions needs the name of a shell: bash, zsh or fish";
            return Err(Error::new(error).with_hint(advice));
        };
        let text = text.to_string_lossy();
        Shell::of(&text).ok_or_else(|| {
            let error = format!(
                "there are no completions for {}, only for {shells}",
                quoted(&text)
            );
            Error::new(error).with_hint(advice)
        })
    }

    fn finish(mut self) -> Result<CommandLine, Error> {
        if let Some(asked) = self.asked {
            return Ok(asked);
        }
        for reference in self.references {
            add(
                &mut self.flags,
                flag("images")?,
                "the command line",
                &as_item(&reference),
            )?;
        }
        Ok(CommandLine::Run {
            command: self.command,
            flags: self.flags,
        })
    }
}

fn is_command(word: &str) -> bool {
    CommandName::of(word).is_some() || OTHER_COMMANDS.iter().any(|(other, _)| *other == word)
}

fn not_a_command(text: &str) -> Error {
    let error = Error::new(format!("{} is not a command", quoted(text)));
    let others = OTHER_COMMANDS.map(|(other, _)| other);
    let commands = [CommandName::WORDS, &others].concat();
    match nearest_of(&commands, text) {
        Some(near) => error.with_hint(format!("did you mean {near}?")),
        None => error.with_hint(format!(
            "the commands are {}: pullproof verify REF",
            human::list(CommandName::WORDS)
        )),
    }
}

/// Whether this is a platform rather than an image: after a list of platforms, a word such as
/// `linux/arm64` is one.
fn is_platform(text: &str) -> bool {
    const SYSTEMS: [&str; 4] = ["linux", "windows", "darwin", "freebsd"];
    text.parse::<Platform>()
        .is_ok_and(|platform| SYSTEMS.contains(&&*platform.os))
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

/// A flag's value; a flag that may stand alone takes the next argument only if that is clearly a
/// value.
fn value(
    parser: &mut lexopt::Parser,
    setting: &Setting,
    name: &str,
    before_command: bool,
) -> Result<String, Error> {
    let text = if matches!(setting.kind, ValueKind::Boolean | ValueKind::Hosts) {
        match parser.optional_value() {
            Some(text) => text,
            None => match following(parser, setting.kind, name, before_command)? {
                Some(text) => text,
                None => "true".into(),
            },
        }
    } else {
        parser
            .value()
            .map_err(|_| Error::new(format!("the flag --{name} needs a value")))?
    };
    text.into_string().map_err(|text| {
        if setting.kind.is_secret() {
            Error::new(format!("--{name}: the value is not valid UTF-8"))
        } else {
            not_text(&text)
        }
    })
}

/// The next argument, if it belongs to a flag that may stand alone: a boolean, or hosts where the
/// flag takes them.
///
/// # Errors
///
/// When the argument is neither that nor clearly an image.
fn following(
    parser: &mut lexopt::Parser,
    kind: ValueKind,
    name: &str,
    before_command: bool,
) -> Result<Option<OsString>, Error> {
    let Some(mut rest) = parser.try_raw_args() else {
        return Ok(None);
    };
    let Some(word) = rest.peek().and_then(|next| next.to_str()) else {
        return Ok(None);
    };
    let is_flag = word.starts_with('-');
    if is_flag || (before_command && is_command(word)) {
        return Ok(None);
    }
    let is_hosts = kind == ValueKind::Hosts && !word.contains('/') && parse::hosts(word).is_some();
    if parse::boolean(word).is_some() || is_hosts {
        return Ok(rest.next());
    }
    if kind == ValueKind::Boolean && !word.contains(['/', ':', '@']) {
        return Err(Error::new(format!(
            "{} follows --{name}, which takes true or false",
            quoted(word)
        ))
        .with_hint(format!(
            "an image goes before the flag, or after a true: --{name} true {}",
            word.escape_debug()
        )));
    }
    Ok(None)
}

/// Adds a flag's value; those of flags that hold several things are joined.
fn add(
    flags: &mut Gathered,
    setting: &'static Setting,
    spelled: &str,
    text: &str,
) -> Result<(), Error> {
    let before = flags.text(setting.name).map(str::to_owned);
    let joined = before.and_then(|before| match setting.kind {
        ValueKind::Map => {
            let mut entries = parse::map(&before)?;
            entries.extend(parse::map(text.trim())?);
            serde_json::to_string(&entries).ok()
        }
        kind if kind.holds_several() => {
            let mut items = parse::list(&before)?;
            items.extend(parse::list(text.trim())?);
            serde_json::to_string(&items).ok()
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

/// One reference as a list with one item, with its separators escaped.
fn as_item(text: &str) -> String {
    serde_json::Value::from(vec![text]).to_string()
}

fn not_text(text: &OsString) -> Error {
    Error::new(format!(
        "the argument {} is not valid UTF-8",
        quoted(&text.to_string_lossy())
    ))
}

fn unreadable(error: &lexopt::Error) -> Error {
    Error::new(match error {
        // The value is not shown: it may be a secret.
        lexopt::Error::UnexpectedValue { option, .. } => {
            format!("the flag {option} takes no value")
        }
        error => error.to_string(),
    })
    .with_hint(SEE_HELP)
}

#[cfg(test)]
mod tests {
    use super::super::command::Command;
    use super::super::list_source::ListSource;
    use super::super::support::{given, typed};
    use crate::http::network::Hosts;

    #[test]
    fn help_and_version_work_at_any_position() {
        for arguments in [
            &["--help"][..],
            &["-h"],
            &["help"],
            &["verify", "app", "--help"],
            &["--timeout", "5s", "-h"],
        ] {
            assert!(
                matches!(typed(arguments).command(), Ok(Command::Help(_))),
                "{arguments:?}"
            );
        }
        for arguments in [&["--version"][..], &["-V"], &["version"]] {
            let Ok(Command::Version(text)) = typed(arguments).command() else {
                panic!("{arguments:?}")
            };
            assert_eq!(text, format!("pullproof {}", env!("CARGO_PKG_VERSION")));
        }
    }

    #[test]
    fn references_are_taken_as_they_are() {
        let settings = typed(&[
            "verify",
            "app:1",
            "[::1]:5000/app",
            "--images",
            "a,b",
            "x,y",
        ])
        .settings();
        assert_eq!(
            settings.wanted.images,
            ["a", "b", "app:1", "[::1]:5000/app", "x,y"]
        );
    }

    #[test]
    fn a_hyphen_alone_is_a_list_on_standard_input() {
        for arguments in [
            &["verify", "-", "app"][..],
            &["verify", "app", "-"],
            &["verify", "--anonymous", "-", "app", "-"],
            &["verify", "app", "--images-file", "-"],
            &["--images-file=-", "verify", "app"],
        ] {
            let wanted = typed(arguments).settings().wanted;
            assert_eq!(
                wanted.list,
                Some(ListSource::StandardInput),
                "{arguments:?}"
            );
            assert_eq!(wanted.images, ["app"]);
        }
        assert_eq!(
            typed(&["verify", "--images-file", "a", "-"]).error(),
            "--images-file and - are the same setting, and were given different values"
        );
        assert_eq!(
            typed(&["verify", "--", "-"]).settings().wanted.images,
            [""; 0]
        );
    }

    #[test]
    fn a_boolean_flag_takes_only_a_boolean_for_its_value() {
        for (arguments, same_digest, images) in [
            (
                &["verify", "--same-digest", "app:1"][..],
                true,
                &["app:1"][..],
            ),
            (
                &["verify", "--same-digest", "team/app"],
                true,
                &["team/app"],
            ),
            (&["--same-digest", "verify", "app"], true, &["app"]),
            (
                &["verify", "--same-digest", "false", "app"],
                false,
                &["app"],
            ),
            (&["verify", "--same-digest=no", "app"], false, &["app"]),
            (&["verify", "app", "--same-digest"], true, &["app"]),
            (&["verify", "--same-digest", "--", "app"], true, &["app"]),
            (&["verify", "--same_digest", "1"], true, &[]),
        ] {
            let wanted = typed(arguments).settings().wanted;
            assert_eq!(
                (wanted.same_digest, wanted.images.as_slice()),
                (
                    Some(same_digest),
                    &images
                        .iter()
                        .map(|&text| text.to_owned())
                        .collect::<Vec<_>>()[..]
                ),
                "{arguments:?}"
            );
        }
        assert_eq!(
            typed(&["verify", "--same-digest=maybe"]).error(),
            r#"--same-digest: "maybe" is not true or false"#
        );
    }

    #[test]
    fn a_flag_for_hosts_does_not_take_an_image_for_its_value() {
        let only =
            |hosts: &[&str]| Hosts::Only(hosts.iter().map(|&host| host.to_owned()).collect());
        for (arguments, insecure, images) in [
            (
                &["verify", "--insecure", "registry:5000/app"][..],
                Hosts::All,
                &["registry:5000/app"][..],
            ),
            (
                &["verify", "--insecure", "registry.example", "app"],
                only(&["registry.example"]),
                &["app"],
            ),
            (
                &["verify", "--insecure", "a:1,b", "app"],
                only(&["a:1", "b"]),
                &["app"],
            ),
            (
                &["verify", "--insecure", "[::1]:5000", "app"],
                only(&["[::1]:5000"]),
                &["app"],
            ),
            (
                &["verify", "--insecure", "app:latest"],
                Hosts::All,
                &["app:latest"],
            ),
            (
                &["verify", "--insecure", "no", "app"],
                Hosts::None,
                &["app"],
            ),
            (&["verify", "app", "--insecure"], Hosts::All, &["app"]),
            (&["--insecure", "verify", "app"], Hosts::All, &["app"]),
            (
                &["verify", "--insecure=a:1", "--insecure", "b"],
                only(&["a:1", "b"]),
                &[],
            ),
        ] {
            let settings = typed(arguments).settings();
            assert_eq!(settings.network.insecure, insecure, "{arguments:?}");
            assert_eq!(settings.wanted.images, images, "{arguments:?}");
        }
    }

    #[test]
    fn a_stray_word_is_not_taken_for_an_image() {
        for (arguments, message) in [
            (
                &["verify", "--anonymous", "maybe"][..],
                r#""maybe" follows --anonymous, which takes true or false"#,
            ),
            (
                &["verify", "--same-digest", "app", "x/y"],
                r#""app" follows --same-digest, which takes true or false"#,
            ),
            (
                &["verify", "--platforms", "linux/amd64", "linux/arm64", "app"],
                r#""linux/arm64" follows the list of --platforms"#,
            ),
            (
                &["verify", "--allow-missing=linux/s390x", "linux/arm/v7"],
                r#""linux/arm/v7" follows the list of --allow-missing"#,
            ),
        ] {
            assert_eq!(typed(arguments).error(), message);
        }
        let images = |arguments: &[&str]| typed(arguments).settings().wanted.images;
        assert_eq!(
            images(&["verify", "--platforms", "linux/amd64", "team/app"]),
            ["team/app"]
        );
        assert_eq!(
            images(&["verify", "--platforms", "linux/amd64", "linux/app:1"]),
            ["linux/app:1"]
        );
        assert_eq!(
            images(&["verify", "--platforms", "linux/amd64", "app", "linux/app"]),
            ["app", "linux/app"]
        );
    }

    #[test]
    fn help_is_for_commands() {
        for topic in ["verify", "rebuild", "help", "version", "--tags"] {
            assert!(
                matches!(typed(&["help", topic]).command(), Ok(Command::Help(_))),
                "{topic}"
            );
        }
        for (topic, hint) in [
            ("verfy", "did you mean verify?"),
            (
                "nonsense",
                "the commands are verify, audit, repair, prune and rebuild: pullproof verify REF",
            ),
        ] {
            let error = typed(&["help", topic]).command().unwrap_err();
            assert_eq!(
                (error.to_string(), error.hint()),
                (format!("{topic:?} is not a command"), Some(hint))
            );
        }
        assert_eq!(
            typed(&["rebuidl"]).command().unwrap_err().hint(),
            Some("did you mean rebuild?")
        );
    }

    #[test]
    fn completions_are_for_a_shell_by_name() {
        for (arguments, message) in [
            (
                &["completions"][..],
                "completions needs the name of a shell: bash, zsh or fish",
            ),
            (
                &["completions", "--report", "x"],
                "completions needs the name of a shell: bash, zsh or fish",
            ),
            (
                &["completions", "tcsh"],
                "there are no completions for \"tcsh\", only for bash, zsh and fish",
            ),
        ] {
            assert_eq!(typed(arguments).error(), message);
        }
        for arguments in [&["completions", "zsh"][..], &["man"]] {
            let read = typed(arguments).command();
            assert!(matches!(read, Ok(Command::Generated(_))), "{arguments:?}");
        }
    }

    #[test]
    fn a_wrong_argument_does_not_hide_where_the_report_goes() {
        for arguments in [
            &["verify", "--report", "b.json", "--bogus"][..],
            &["verify", "--bogus", "--report", "b.json"],
            &[
                "verify",
                "--bogus=x",
                "-x",
                "nonsense",
                "--report=b.json",
                "--timeout",
            ],
            &["nonsense", "--report=b.json"],
            &["verify", "--report", "b.json", "--format", "jsn"],
            &[
                "verify",
                "--report",
                "b.json",
                "--anonymous",
                "maybe",
                "--log-level=loud",
            ],
        ] {
            assert_eq!(
                typed(arguments).output().report,
                Some("b.json".into()),
                "{arguments:?}"
            );
        }
        let output =
            typed(&["verify", "--format", "jsn", "--junit", "a", "--report", "a"]).output();
        assert_eq!((output.report, output.junit), (None, None));
    }

    #[test]
    fn flags_with_several_things_may_be_repeated() {
        let settings = typed(&[
            "verify",
            "--repo",
            "a,b",
            "--repo=c",
            "--on-broken=rebuild",
            "--server=https://ci.example.org",
            "--token=t",
            "--woodpecker-repo=a/b",
            "--variables",
            "A=1",
            "--params",
            "B=2,C=3",
        ])
        .settings();
        assert_eq!(settings.wanted.repositories, ["a", "b", "c"]);
        assert_eq!(settings.rebuild().unwrap().plan.variables.len(), 3);
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
        let settings = given(&[("PLUGIN_TAG", "a"), ("PLUGIN_REPO", "r")])
            .and_arguments(&["verify", "--tags", "b"])
            .settings();
        assert_eq!(
            (settings.wanted.tags, settings.wanted.repositories),
            (vec!["b".to_owned()], vec!["r".to_owned()])
        );
        let settings = given(&[("PLUGIN_IMAGES", "a")])
            .and_arguments(&["verify", "b"])
            .settings();
        assert_eq!(settings.wanted.images, ["b"]);
    }

    #[test]
    fn an_unknown_argument_is_an_error_with_advice() {
        for (arguments, message, hint) in [
            (
                &["verify", "--tagz", "x"][..],
                "unknown flag --tagz",
                "did you mean --tags?",
            ),
            (
                &["verify", "--tags-fil=x"],
                "unknown flag --tags-fil",
                "did you mean --tags-file?",
            ),
            (
                &["verify", "--quite-another-thing"],
                "unknown flag --quite-another-thing",
                "pullproof --help lists all flags",
            ),
            (
                &["verify", "-x"],
                "unknown flag -x",
                "pullproof --help lists all flags",
            ),
            (
                &["app:1"],
                "\"app:1\" is not a command",
                "the commands are verify, audit, repair, prune and rebuild: pullproof verify REF",
            ),
            (
                &["rebuild", "app"],
                "rebuild takes no references, got \"app\"",
                "to verify first, use pullproof verify --on-broken rebuild REF",
            ),
            (
                &["rebuild", "--mode", "verify"],
                "--mode contradicts the command",
                "leave out --mode",
            ),
        ] {
            let error = typed(arguments).command().unwrap_err();
            assert_eq!(
                (error.to_string().as_str(), error.hint()),
                (message, Some(hint))
            );
        }
        assert_eq!(
            typed(&["verify", "--timeout"]).error(),
            "the flag --timeout needs a value"
        );
        assert_eq!(
            typed(&["verify", "--dockerfile", "x"]).error(),
            "unknown flag --dockerfile"
        );
    }

    #[test]
    fn a_secret_in_a_wrong_place_is_not_shown() {
        for arguments in [
            &["verify", "--logins=hunter2"][..],
            &["verify", "--pasword=hunter2"],
        ] {
            let error = typed(arguments).command().unwrap_err();
            assert!(
                !format!("{error} {:?}", error.hint()).contains("hunter2"),
                "{error}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn arguments_that_are_not_text_are_refused() {
        use std::os::unix::ffi::OsStringExt as _;
        let broken = std::ffi::OsString::from_vec(vec![b'a', 0xff]);
        assert!(
            super::read(&["verify".into(), broken.clone()])
                .unwrap_err()
                .to_string()
                .contains("not valid UTF-8")
        );
        assert!(
            super::read(&["verify".into(), "--tags".into(), broken])
                .unwrap_err()
                .to_string()
                .contains("not valid UTF-8")
        );
    }
}
