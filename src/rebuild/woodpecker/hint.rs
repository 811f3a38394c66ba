//! What a person can do about an error of the Woodpecker server.

use super::{ApiError, Task};

/// The fault of server 3.18.0.
pub(crate) const VARIABLES_UNSEEN: &str = "server version 3.18.0 hides `variables` from \
     `when: evaluate` and from ${…} (woodpecker#7073, fixed by #7077): update the server, or use \
     `method: restart`";

impl ApiError {
    /// What a person can do about it: an id that stays the same, and the advice.
    #[must_use]
    pub fn hint(&self) -> Option<(&'static str, String)> {
        let (id, text) = match self {
            Self::Unauthorized { .. } => (
                "woodpecker-token",
                "woodpecker_token must be a personal access token of this server (user settings, \
                 tab CLI & API), complete and not revoked",
            ),
            Self::Forbidden { .. } => (
                "woodpecker-proxy",
                "Woodpecker itself answers 404 when a right is missing, so check the proxy in \
                 front of it",
            ),
            Self::NotFound { task, .. } => not_found(task),
            Self::Inactive { .. } => (
                "woodpecker-repo-inactive",
                "activate it: Woodpecker, Repositories, Add repository",
            ),
            Self::NotLoaded => (
                "workflow-not-loaded",
                "look for a workflow file with a syntax error, and check whether the server may \
                 still read the repository: the access of the user who activated it may have \
                 expired (repository settings, Repair)",
            ),
            Self::Redirected { server: None, .. } => (
                "woodpecker-url",
                "set woodpecker_url to the address that a browser ends up at; often it only lacks \
                 https",
            ),
            Self::Server {
                task: Task::Restart(_),
                status: 500,
                ..
            } => (
                "restart-not-compiled",
                "Woodpecker answers 500 when the stored configuration can no longer be compiled: \
                 look at the newest pipeline's errors on its page, or start a new pipeline with \
                 `method: create`",
            ),
            Self::Unreachable { .. } => (
                "woodpecker-unreachable",
                "check woodpecker_url, and `resolve`, `ca` and the proxy settings",
            ),
            _ => return self.composed_hint(),
        };
        Some((id, text.to_owned()))
    }

    /// The hints that name something of the error.
    fn composed_hint(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Filtered {
                branch,
                variables_unseen,
            } => Some((
                "workflow-not-manual",
                filtered_hint(branch, *variables_unseen),
            )),
            Self::WebPage { server, .. } => Some((
                "woodpecker-url",
                format!(
                    "woodpecker_url is {server}: it must be the address of the server's start \
                     page, with the path if it has one (https://ci.example/woodpecker), and \
                     without /api, /repos or a repository's name"
                ),
            )),
            Self::Redirected {
                server: Some(server),
                ..
            } => Some(("woodpecker-url", format!("set woodpecker_url to {server}"))),
            Self::Server {
                task: Task::Create(branch),
                status: 500,
                ..
            } => Some((
                "woodpecker-forge",
                format!(
                    "Woodpecker answers 500 when it cannot read the branch from the forge. Is the \
                     forge down or slow? If it is not, check that the branch {branch} exists, and \
                     that the forge still accepts the token's owner and the user who activated the \
                     repository (both log in to Woodpecker again)"
                ),
            )),
            _ => None,
        }
    }
}

fn not_found(task: &Task) -> (&'static str, &'static str) {
    match task {
        Task::Latest(_) => (
            "no-pipeline-to-restart",
            "`pipeline: latest` is the newest that a push started, and where there is none, the \
             newest of any other event but a pull request's; name one by its number instead",
        ),
        Task::Pipeline(_) | Task::Pipelines | Task::Log(_) | Task::Cancel(_) => (
            "pipeline-not-found",
            "check the number; Woodpecker also answers 404 when the token's owner may not read \
             the repository",
        ),
        Task::Token | Task::Queue => (
            "woodpecker-url",
            "woodpecker_url must be the address of the server's start page, with the path if it \
             has one",
        ),
        Task::Repository(_) | Task::Create(_) | Task::Restart(_) => (
            "woodpecker-repo",
            "check the name or number (Woodpecker's, not the forge's), that the repository is \
             activated in Woodpecker, and that the token's owner may push to it: the server \
             answers 404 in all three cases",
        ),
    }
}

fn filtered_hint(branch: &str, variables_unseen: bool) -> String {
    let mut hint = format!(
        "add to a workflow on {branch}: `when: [{{event: manual}}]`; if it has `evaluate`, \
         `branch` or `path`, check that they match this pipeline and are in the same list item. \
         The server answers the same when there is no workflow file on that branch at all"
    );
    if variables_unseen {
        hint.push_str("; ");
        hint.push_str(VARIABLES_UNSEEN);
    }
    hint
}
