//! Unmistakable secrets, runs with as much output as possible, and the search for the secrets in
//! it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::support::command::{Finished, Pullproof, pullproof};
use crate::support::http::Request;

/// A secret with a core of letters and digits, which no format writes in another way.
#[derive(Clone, Debug)]
pub(crate) struct Planted {
    /// The secret itself.
    pub(crate) value: String,
    core: String,
}

impl Planted {
    /// A password with everything in it that some format or protocol escapes.
    pub(crate) fn password(name: &str) -> Self {
        let core = format!("Zq7{name}Wx9");
        Self {
            value: format!("p%ss w/o:\"<{core}>&+'=|`"),
            core,
        }
    }

    /// A token: what fits a header as it is.
    pub(crate) fn token(name: &str) -> Self {
        let core = format!("Zq7{name}Wx9");
        Self {
            value: format!("tok.{core}_x-y~z"),
            core,
        }
    }

    /// A token that says by its beginning that it is one.
    pub(crate) fn personal_token(name: &str) -> Self {
        let core = format!("Zq7{name}Wx9");
        Self {
            value: format!("ghp_{core}"),
            core,
        }
    }

    /// A secret of hexadecimal digits.
    pub(crate) fn digits() -> Self {
        let core = "5ec7e70123456789abcdefc0ffee".to_owned();
        Self {
            value: core.clone(),
            core,
        }
    }

    /// What shows that the secret, or a good part of it, is in a text: the core as it is, in
    /// hexadecimal, and in base64 at each of the three places where it can begin.
    fn traces(&self) -> Vec<String> {
        let mut traces = vec![self.core.clone()];
        let mut hexadecimal = String::new();
        for byte in self.core.bytes() {
            let _ = write!(hexadecimal, "{byte:02x}");
        }
        traces.push(hexadecimal);
        for shift in 0..3 {
            let shifted = [&b"..."[..shift], self.core.as_bytes()].concat();
            let encoded = STANDARD_NO_PAD.encode(shifted);
            // The first and the last letters hold bits of the neighbours.
            traces.push(encoded[4..encoded.len() - 3].to_owned());
        }
        traces
    }

    /// Whether the text has a trace of it.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.traces()
            .iter()
            .any(|trace| text.contains(&trace.to_ascii_lowercase()))
    }
}

/// Where the output goes, and where the settings come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// `PLUGIN_*`, a text, and both report files.
    Text,
    /// `PLUGIN_*` and JSON.
    Json,
    /// `INPUT_*`, workflow commands and GitHub's files.
    GitHub,
}

pub(crate) const FACES: [Face; 3] = [Face::Text, Face::Json, Face::GitHub];

/// A verification with as much output as there is.
pub(crate) fn verify(face: Face, level: &str) -> Pullproof {
    run("verify", face, level).arguments([
        "--settle",
        "0s",
        "--timeout",
        "20s",
        "--request-timeout",
        "1s",
    ])
}

/// A run with as much output as there is, and waits as short as a test wants them.
pub(crate) fn run(command: &str, face: Face, level: &str) -> Pullproof {
    let run = pullproof()
        .arguments([
            command,
            "--log-level",
            level,
            "--backoff",
            "1ms",
            "--attempts",
            "2",
        ])
        .arguments(["--report", "report.json", "--junit", "junit.xml"]);
    match face {
        Face::Text => run.arguments(["--format", "text"]),
        Face::Json => run.arguments(["--format", "json"]),
        Face::GitHub => {
            let (output, summary) = (run.path("output.txt"), run.path("summary.md"));
            run.variable("GITHUB_ACTIONS", "true")
                .variable("GITHUB_OUTPUT", output.display().to_string())
                .variable("GITHUB_STEP_SUMMARY", summary.display().to_string())
        }
    }
}

/// Sets a setting as the platform of this face does.
pub(crate) fn set(run: Pullproof, face: Face, name: &str, value: impl Into<String>) -> Pullproof {
    let prefix = if face == Face::GitHub {
        "INPUT"
    } else {
        "PLUGIN"
    };
    run.variable(&format!("{prefix}_{}", name.to_ascii_uppercase()), value)
}

/// Everything that a run left for others to see, with the place where it was found.
pub(crate) fn left(finished: &Finished) -> Vec<(&'static str, String)> {
    let files = ["report.json", "junit.xml", "output.txt", "summary.md"];
    let files = files.iter().filter_map(|name| {
        let text = std::fs::read_to_string(finished.path().join(name)).ok()?;
        Some((*name, text))
    });
    [
        ("stdout", unmasked(&finished.stdout)),
        ("stderr", finished.stderr.clone()),
    ]
    .into_iter()
    .chain(files)
    .collect()
}

/// Standard output without the masks at its beginning, which the runner takes out of the log.
fn unmasked(stdout: &str) -> String {
    stdout
        .lines()
        .skip_while(|line| line.starts_with("::add-mask::"))
        .fold(String::new(), |text, line| text + line + "\n")
}

/// Verifies with every face at the most talkative log level; each run must end with this exit code
/// and show nothing of the secrets.
#[track_caller]
pub(crate) fn shows_nothing(
    secrets: &[&Planted],
    exit: i32,
    make: impl Fn(Face, Pullproof) -> Pullproof,
) {
    shows_nothing_in(&["trace"], secrets, exit, |face, level| {
        make(face, verify(face, level))
    });
}

/// As [`shows_nothing`], whatever the run is, and at each of these levels.
#[track_caller]
pub(crate) fn shows_nothing_in(
    levels: &[&str],
    secrets: &[&Planted],
    exit: i32,
    make: impl Fn(Face, &str) -> Pullproof,
) {
    for (face, level) in FACES
        .into_iter()
        .flat_map(|face| levels.iter().map(move |level| (face, *level)))
    {
        let finished = make(face, level).run().exits(exit);
        for (place, text) in left(&finished) {
            for secret in secrets {
                assert!(
                    !secret.is_in(&text),
                    "{} is in {place} ({face:?}, {level}):\n{text}",
                    secret.core
                );
            }
        }
    }
}

/// Everything that came with these requests.
pub(crate) fn received(requests: &[Request]) -> String {
    requests.iter().fold(String::new(), |mut text, request| {
        let body = String::from_utf8_lossy(&request.body);
        let _ = write!(
            text,
            "{} {}?{} {:?} {body}\n\n",
            request.method, request.path, request.query, request.headers
        );
        text
    })
}

#[test]
fn a_secret_is_found_in_whatever_form_it_is_written() {
    let secret = Planted::password("demo");
    let form = url::form_urlencoded::byte_serialize(secret.value.as_bytes()).collect::<String>();
    let mut texts = vec![
        secret.value.clone(),
        form,
        serde_json::json!(secret.value).to_string(),
    ];
    for user in ["", "m:", "me:", "you:"] {
        texts.push(STANDARD_NO_PAD.encode(format!("{user}{}", secret.value)));
    }
    for text in texts {
        assert!(secret.is_in(&format!("before {text} after")), "{text}");
    }
    assert!(!secret.is_in("Zq7 demo Wx9"));
}
