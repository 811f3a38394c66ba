//! One verification inside the test's own process: everything of the program but its start, at a
//! hundredth of the cost.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use pullproof::commands::verify::targets::targets;
use pullproof::commands::verify::verify;
use pullproof::http::Clients;
use pullproof::report::judgement::Judgement;
use pullproof::report::text::Style;
use pullproof::report::{json, text};
use pullproof::settings::{Command, Environment, read};
use pullproof::walk::stop::Stop;
use serde_json::Value;

use crate::support::authority::Authority;
use crate::support::command::Report;
use crate::support::fake::Registry;
use crate::support::image::Image;
use crate::support::recipe::single;

/// Every depth.
pub(super) const DEPTHS: [&str; 3] = ["head", "tail", "full"];

/// A verification that was not started yet.
#[derive(Clone)]
pub(super) struct Trial {
    references: Vec<String>,
    flags: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
}

/// Verifies one reference, with waits as short as a test wants them.
pub(super) fn trial(reference: impl Into<String>) -> Trial {
    let trial = Trial {
        references: vec![reference.into()],
        flags: BTreeMap::new(),
        variables: BTreeMap::new(),
    };
    trial
        .flag("settle", "0s")
        .flag("backoff", "1ms")
        .flag("max-backoff", "2ms")
        .flag("request-timeout", "10s")
}

/// A registry with a single manifest, and a trial of it.
pub(super) fn single_image() -> (Registry, Image, Trial) {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    let verify = trial(registry.reference("app:1"));
    (registry, image, verify)
}

impl Trial {
    /// And another reference.
    pub(super) fn and(mut self, reference: impl Into<String>) -> Self {
        self.references.push(reference.into());
        self
    }

    /// With this setting; the last value counts.
    pub(super) fn flag(mut self, name: &str, value: impl Into<String>) -> Self {
        self.flags.insert(name.to_owned(), value.into());
        self
    }

    /// The same at this depth.
    pub(super) fn depth(&self, depth: &str) -> Self {
        self.clone().flag("depth", depth)
    }

    /// With this login for this host.
    pub(super) fn login(self, host: &str, username: &str, password: &str) -> Self {
        self.flag("registry", host)
            .flag("username", username)
            .flag("password", password)
    }

    /// With this variable in the environment.
    pub(super) fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Trusts this authority, and none that the system knows.
    pub(super) fn trusting(self, authority: &Authority) -> Self {
        self.flag("ca", authority.pem())
            .variable("SSL_CERT_FILE", "/nonexistent/roots.pem")
    }

    /// Runs it to its end.
    pub(super) fn run(&self) -> Seen {
        let flags = self
            .flags
            .iter()
            .map(|(name, value)| format!("--{name}={value}"));
        let arguments = ["verify".to_owned()]
            .into_iter()
            .chain(self.references.iter().cloned())
            .chain(flags);
        let environment = Environment {
            variables: self.variables.clone(),
            arguments: arguments.map(OsString::from).collect(),
            ..Environment::default()
        };
        let nothing = |_: &std::path::Path| Err(io::ErrorKind::NotFound.into());
        let Ok((Command::Verify(settings), _)) = read(&environment, &nothing) else {
            panic!("the settings of a trial are right: {:?}", self.flags);
        };
        let wanted =
            targets(&settings.wanted, Vec::new()).expect("the references of a trial are right");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("there are resources");
        let clients = Arc::new(Clients::new(settings.network.clone()));
        let limit = settings.patience.timeout;
        let begun = Instant::now();
        let report = runtime.block_on(async {
            let stopping = async move {
                tokio::time::sleep(limit).await;
                Stop::Timeout
            };
            verify(
                &settings,
                &wanted,
                clients,
                stopping.boxed().shared(),
                |_| {},
            )
            .await
        });
        let took = begun.elapsed();
        runtime.shutdown_background();
        let judgement = Judgement::of(&report);
        let (mut document, mut people) = (Vec::new(), Vec::new());
        json::write(&judgement, &mut document).expect("memory can be written to");
        text::write(&judgement, Style::default(), &mut people).expect("memory can be written to");
        Seen {
            exit: judgement.exit.code(),
            report: Report(serde_json::from_slice(&document).expect("the report is JSON")),
            text: String::from_utf8(people).expect("the report is text"),
            took,
        }
    }
}

/// What a trial showed.
pub(super) struct Seen {
    /// The exit code.
    pub(super) exit: u8,
    /// The JSON report.
    pub(super) report: Report,
    /// The text report.
    pub(super) text: String,
    /// How long it took.
    pub(super) took: Duration,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exit code {} after {:?}\n{}\n{:#}",
            self.exit, self.took, self.text, self.report.0
        )
    }
}

impl Seen {
    /// Fails, and shows everything, unless it passed with exactly these as warnings.
    #[track_caller]
    pub(super) fn passes_with(self, warnings: &[(&str, &str)]) -> Self {
        let seen = self.ends(0, warnings);
        assert_eq!(seen.report.result(), "passed", "{seen}");
        assert!(seen.text.contains("warning"), "{seen}");
        seen
    }

    /// Fails, and shows everything, unless something was checked and all of it is whole.
    #[track_caller]
    pub(super) fn passes(self) -> Self {
        assert!(
            self.report.count("ok") > 0,
            "it passed without a look: {self}"
        );
        let seen = self.ends(0, &[]);
        assert_eq!(seen.report.result(), "passed", "{seen}");
        seen
    }

    /// Fails, and shows everything, unless the image passes although these verdicts on these digests
    /// stop clients that do not count.
    #[track_caller]
    pub(super) fn warns(self, faults: &[(&str, &str)]) -> Self {
        let seen = self.ends(0, faults);
        assert_eq!(seen.report.result(), "passed", "{seen}");
        seen
    }

    /// Fails, and shows everything, unless the image is broken by exactly these verdicts on these
    /// digests.
    #[track_caller]
    pub(super) fn finds(self, faults: &[(&str, &str)]) -> Self {
        let seen = self.ends(1, faults);
        assert_eq!(seen.report.result(), "failed", "{seen}");
        seen
    }

    /// Fails, and shows everything, unless these verdicts, none of them definite, leave it open how
    /// the image is.
    #[track_caller]
    pub(super) fn leaves_open(self, faults: &[(&str, &str)]) -> Self {
        let denied = faults.iter().any(|(_, verdict)| *verdict == "denied");
        let seen = self.ends(if denied { 3 } else { 4 }, faults);
        assert_eq!(seen.report.result(), "error", "{seen}");
        seen
    }

    #[track_caller]
    fn ends(self, exit: u8, faults: &[(&str, &str)]) -> Self {
        assert_eq!(self.exit, exit, "{self}");
        let text = |node: &Value, key: &str| node[key].as_str().unwrap_or_default().to_owned();
        let found = self
            .report
            .nodes()
            .into_iter()
            .map(|node| (text(node, "digest"), text(node, "verdict")));
        // What hangs below something that cannot be read adds nothing.
        let fine = ["ok", "skipped", "not_checked"];
        let found: BTreeSet<_> = found
            .filter(|(_, verdict)| !fine.contains(&verdict.as_str()))
            .collect();
        let expected: BTreeSet<_> = faults
            .iter()
            .map(|(digest, verdict)| ((*digest).to_owned(), (*verdict).to_owned()))
            .collect();
        assert_eq!(found, expected, "{self}");
        self
    }

    /// What is said about one digest; the empty one is that of a tag that led nowhere.
    #[track_caller]
    pub(super) fn detail(&self, digest: &str) -> String {
        let nodes = self.report.nodes();
        let node = nodes
            .iter()
            .find(|node| node["digest"].as_str().unwrap_or_default() == digest);
        let node = node.unwrap_or_else(|| panic!("{digest} is not in the report: {self}"));
        node["detail"].as_str().unwrap_or_default().to_owned()
    }

    /// Fails, and shows everything, unless these words are said about this digest.
    #[track_caller]
    pub(super) fn says(self, digest: &str, words: &str) -> Self {
        let detail = self.detail(digest);
        assert!(
            detail.contains(words),
            "{words:?} is not in {detail:?}: {self}"
        );
        self
    }

    /// Fails, and shows everything, unless the text report has these words.
    #[track_caller]
    pub(super) fn prints(self, words: &str) -> Self {
        assert!(self.text.contains(words), "{words:?} is not said: {self}");
        self
    }
}
