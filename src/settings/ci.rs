//! Which CI system runs the program, and what its variables say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use url::Url;

use crate::rebuild::plan::OwnPipeline;

/// The CI system, as far as it changes how settings are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    /// Woodpecker: `PLUGIN_`.
    Woodpecker,
    /// Drone and its forks: `PLUGIN_`.
    Drone,
    /// GitHub Actions, and what behaves like it: `INPUT_`.
    GithubActions,
    /// Anything else, or none: `PLUGIN_`.
    Other,
}

/// The process's variables, read as facts about the system that set them.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    variables: &'a BTreeMap<String, String>,
    system: System,
}

impl<'a> Facts<'a> {
    /// Recognises the system.
    pub(super) fn new(variables: &'a BTreeMap<String, String>) -> Self {
        let is = |name: &str, text: &str| {
            variables
                .get(name)
                .is_some_and(|value| value.trim() == text)
        };
        let system = if is("CI", "woodpecker") || is("CI_SYSTEM_NAME", "woodpecker") {
            System::Woodpecker
        } else if is("CI", "drone") {
            System::Drone
        } else if is("GITHUB_ACTIONS", "true") {
            System::GithubActions
        } else {
            System::Other
        };
        Self { variables, system }
    }

    /// Which system it is.
    pub(super) fn system(&self) -> System {
        self.system
    }

    /// All variables.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.variables
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// One variable, trimmed; an empty one counts as not set.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.variables
            .get(name)
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
    }

    /// The first of these variables that is set.
    pub(super) fn first(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// A variable that holds a path.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// Whether a CI system runs the program.
    pub(super) fn is_ci(&self) -> bool {
        self.system != System::Other
            || self
                .get("CI")
                .is_some_and(|text| !matches!(text, "false" | "0"))
    }

    /// The git reference that was built: `refs/tags/…`, `refs/heads/…`, or the system's own word.
    pub(super) fn git_reference(&self) -> Option<String> {
        if self.system == System::GithubActions {
            return self.get("GITHUB_REF").map(str::to_owned);
        }
        let tag = || {
            self.first(&["CI_COMMIT_TAG", "DRONE_TAG"])
                .map(|tag| format!("refs/tags/{tag}"))
        };
        let branch = || {
            self.first(&["CI_COMMIT_BRANCH", "DRONE_BRANCH"])
                .map(|branch| format!("refs/heads/{branch}"))
        };
        let reference = || {
            self.first(&["CI_COMMIT_REF", "DRONE_COMMIT_REF"])
                .map(str::to_owned)
        };
        reference().or_else(tag).or_else(branch)
    }

    /// The repository's default branch, if a variable names it; in GitHub Actions none does.
    pub(super) fn default_branch(&self) -> Option<&'a str> {
        // The last is GitLab's.
        self.first(&[
            "CI_REPO_DEFAULT_BRANCH",
            "DRONE_REPO_BRANCH",
            "CI_DEFAULT_BRANCH",
        ])
    }

    /// What the variables say about the Woodpecker pipeline that runs the program; empty elsewhere.
    pub(super) fn own_pipeline(&self) -> OwnPipeline {
        if self.system != System::Woodpecker {
            return OwnPipeline::default();
        }
        let number = |name| self.get(name).and_then(|text| text.parse::<u64>().ok());
        OwnPipeline {
            event: self.get("CI_PIPELINE_EVENT").map(str::to_owned),
            number: number("CI_PIPELINE_NUMBER"),
            parent: number("CI_PIPELINE_PARENT").filter(|parent| *parent != 0),
            repository: self
                .first(&["CI_PIPELINE_URL", "CI_STEP_URL"])
                .and_then(repository_number),
            repository_name: self.get("CI_REPO").map(str::to_owned),
            branch: self.get("CI_COMMIT_BRANCH").map(str::to_owned),
            server: self
                .get("CI_SYSTEM_URL")
                .and_then(|text| text.parse::<Url>().ok()),
        }
    }
}

/// The repository's number on the server, from `{server}/repos/{number}/pipeline/…`: no variable
/// holds it alone.
fn repository_number(pipeline_url: &str) -> Option<u64> {
    let (before, _) = pipeline_url.split_once("/pipeline/")?;
    let (server, number) = before.rsplit_once('/')?;
    server
        .ends_with("/repos")
        .then(|| number.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn a_pipeline_identifies_itself() {
        let variables = variables(&[
            ("CI", "woodpecker"),
            ("CI_COMMIT_BRANCH", "main"),
            ("CI_PIPELINE_EVENT", "push"),
            ("CI_PIPELINE_NUMBER", "12"),
            ("CI_PIPELINE_PARENT", "0"),
            (
                "CI_PIPELINE_URL",
                "https://ci.example.org/woodpecker/repos/34/pipeline/12",
            ),
            ("CI_REPO", "team/app"),
            ("CI_SYSTEM_URL", "https://ci.example.org/woodpecker"),
        ]);
        assert_eq!(
            Facts::new(&variables).own_pipeline(),
            OwnPipeline {
                event: Some("push".into()),
                number: Some(12),
                parent: None,
                repository: Some(34),
                repository_name: Some("team/app".into()),
                branch: Some("main".into()),
                server: Some("https://ci.example.org/woodpecker".parse().unwrap()),
            }
        );
    }

    #[test]
    fn woodpeckers_variables_mean_nothing_elsewhere() {
        let variables = variables(&[
            ("CI", "true"),
            ("CI_SYSTEM_URL", "https://evil.example.org"),
            ("CI_REPO", "a/b"),
        ]);
        assert_eq!(
            Facts::new(&variables).own_pipeline(),
            OwnPipeline::default()
        );
    }

    #[test]
    fn the_repositorys_number_comes_from_the_pipelines_url() {
        for (link, number) in [
            ("https://ci/repos/7/pipeline/1", Some(7)),
            ("https://ci/a/repos/7/pipeline/1/2", Some(7)),
            ("https://ci/repos/x/pipeline/1", None),
            ("https://ci/other/7/pipeline/1", None),
            ("https://ci/repos/7", None),
            ("", None),
        ] {
            assert_eq!(repository_number(link), number, "{link}");
        }
    }

    #[test]
    fn the_git_reference_comes_from_the_first_variable_that_has_it() {
        for (pairs, expected) in [
            (
                &[("CI_COMMIT_REF", "refs/heads/x"), ("CI_COMMIT_TAG", "v1")][..],
                Some("refs/heads/x"),
            ),
            (
                &[("CI_COMMIT_TAG", "v1"), ("CI_COMMIT_BRANCH", "main")],
                Some("refs/tags/v1"),
            ),
            (&[("CI_COMMIT_BRANCH", "main")], Some("refs/heads/main")),
            (&[("DRONE_TAG", "v1")], Some("refs/tags/v1")),
            (
                &[("DRONE_COMMIT_REF", "refs/tags/v2")],
                Some("refs/tags/v2"),
            ),
            (
                &[
                    ("GITHUB_ACTIONS", "true"),
                    ("GITHUB_REF", "refs/tags/v3"),
                    ("CI_COMMIT_REF", "x"),
                ],
                Some("refs/tags/v3"),
            ),
            (&[("GITHUB_REF", "refs/tags/v3")], None),
            (&[], None),
        ] {
            assert_eq!(
                Facts::new(&variables(pairs)).git_reference().as_deref(),
                expected,
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn a_ci_system_is_recognised() {
        for (pair, is_ci) in [
            (("CI", "true"), true),
            (("CI", "drone"), true),
            (("CI", "false"), false),
            (("GITHUB_ACTIONS", "true"), true),
            (("X", "1"), false),
        ] {
            assert_eq!(Facts::new(&variables(&[pair])).is_ci(), is_ci, "{pair:?}");
        }
    }
}
