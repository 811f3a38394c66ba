//! Woodpecker's API: find a repository, start a pipeline, look at it, read its logs.
//!
//! The client asks once and returns the answer; asking again is left to [`crate::rebuild`]. The
//! token goes into a header of requests to the server itself: never into an address, never along a
//! redirect.

mod answer;
mod error;
mod hint;
pub(crate) mod log;
mod model;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;
use url::Url;

use self::answer::Answer;
pub use self::error::{Aftermath, ApiError, ServerName, Task};
pub(crate) use self::hint::VARIABLES_UNSEEN;
pub use self::log::tail;
pub(crate) use self::model::List;
pub use self::model::{About, Objection, Pipeline, Queue, QueueTask, Repository, Step, Workflow};
pub use self::status::Status;
use crate::http::{Lanes, Problem, Reply};
use crate::rebuild::plan::RepositoryName;
use crate::text::secret::Secret;

/// The longest answer about pipelines, in bytes: a list has 50 of them, each with every changed
/// file.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// The longest error text that is looked at, in bytes.
const ERROR_LIMIT: usize = 64 * 1024;

/// How much of a log is read on the way to its end, in bytes.
const LOG_LIMIT: usize = 256 * 1024 * 1024;

/// A personal access token that can be sent in a header.
#[derive(Clone, Debug)]
pub struct Token {
    secret: Secret,
    bearer: HeaderValue,
}

impl Token {
    /// The token without the space around it; `None` when it has characters that no header can
    /// hold.
    #[must_use]
    pub fn new(text: &Secret) -> Option<Self> {
        let secret = Secret::new(text.expose().trim());
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", secret.expose())).ok()?;
        bearer.set_sensitive(true);
        Some(Self { secret, bearer })
    }

    /// The token itself.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// A Woodpecker server, and the token for it.
pub struct Client {
    lanes: Arc<Lanes>,
    server: Url,
    bearer: HeaderValue,
    patience: Duration,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.server.as_str())
            .field("bearer", &self.bearer)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client for the server whose start page is `server`, over lanes to its origin.
    ///
    /// `patience` is how long to wait for headers, and between two pieces of a body. Requests that
    /// start a pipeline may take four times as long: the server reads the configuration from the
    /// forge meanwhile.
    #[must_use]
    pub fn new(lanes: Arc<Lanes>, mut server: Url, token: &Token, patience: Duration) -> Self {
        server.set_query(None);
        server.set_fragment(None);
        Self {
            lanes,
            server,
            bearer: token.bearer.clone(),
            patience,
        }
    }

    /// How long to wait for an answer to a question.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// The page of a pipeline, for a person.
    #[must_use]
    pub fn page(&self, repository: u64, number: u64) -> String {
        self.address(&[
            "repos",
            &repository.to_string(),
            "pipeline",
            &number.to_string(),
        ])
        .into()
    }

    /// The page with a repository's pipelines, for a person.
    #[must_use]
    pub fn repository_page(&self, repository: u64) -> String {
        self.address(&["repos", &repository.to_string()]).into()
    }

    /// Finds a repository.
    ///
    /// # Errors
    /// When the server does not know it, or the token may not see it.
    pub async fn repository(&self, name: &RepositoryName) -> Result<Repository, ApiError> {
        let (task, address) = match name {
            RepositoryName::Number(id) => (
                Task::Repository(format!("number {id}")),
                self.api(&["repos", &id.to_string()]),
            ),
            RepositoryName::Path(path) => {
                let parts: Vec<&str> = ["repos", "lookup"]
                    .into_iter()
                    .chain(path.split('/'))
                    .collect();
                (Task::Repository(path.clone()), self.api(&parts))
            }
        };
        let answer = self.ask(&task, address).await?;
        let mut repository: Repository = self.read(task.clone(), &answer)?;
        repository.server_version = answer.version().map(str::to_owned);
        if repository.id == 0 {
            return Err(ApiError::Unreadable {
                task,
                detail: "it holds no repository".into(),
            });
        }
        if repository.active == Some(false) {
            return Err(ApiError::Inactive {
                name: repository.full_name,
            });
        }
        Ok(repository)
    }

    /// Reads a pipeline with its workflows and steps.
    ///
    /// # Errors
    /// When the server does not know it, or does not answer with one.
    pub async fn pipeline(&self, repository: u64, number: u64) -> Result<Pipeline, ApiError> {
        let address = self.pipelines_address(repository, Some(&number.to_string()));
        let task = Task::Pipeline(number);
        let pipeline: Pipeline = self.get(task.clone(), address).await?;
        if pipeline.number == number {
            Ok(pipeline)
        } else {
            Err(ApiError::Unreadable {
                task,
                detail: format!("it is not about pipeline #{number}"),
            })
        }
    }

    /// Finds the newest pipeline of `branch` that a push started.
    ///
    /// # Errors
    /// When there is none, or the server does not answer with one.
    pub async fn latest(&self, repository: u64, branch: &str) -> Result<Pipeline, ApiError> {
        let mut address = self.pipelines_address(repository, Some("latest"));
        address.query_pairs_mut().append_pair("branch", branch);
        let task = Task::Latest(branch.to_owned());
        let pipeline: Pipeline = self.get(task.clone(), address).await?;
        if pipeline.number == 0 {
            return Err(ApiError::Unreadable {
                task,
                detail: "it holds no pipeline".into(),
            });
        }
        Ok(pipeline)
    }

    /// The newest pipelines, newest first, at most 50, without workflows; `only` narrows them by
    /// `event` and `branch`.
    ///
    /// Servers before 3.0 ignore that, so the caller looks itself.
    ///
    /// # Errors
    /// When the server does not answer with a list.
    pub async fn pipelines(
        &self,
        repository: u64,
        only: &[(&str, &str)],
    ) -> Result<Vec<Pipeline>, ApiError> {
        let mut address = self.pipelines_address(repository, None);
        if !only.is_empty() {
            address.query_pairs_mut().extend_pairs(only);
        }
        self.get(Task::Pipelines, address)
            .await
            .map(|List(pipelines)| pipelines)
    }

    /// Asks for a new manual pipeline.
    ///
    /// # Errors
    /// Every answer but a pipeline; [`ApiError::aftermath`] says whether there may be one all the
    /// same.
    pub async fn create(
        &self,
        repository: u64,
        branch: &str,
        variables: &BTreeMap<String, String>,
    ) -> Result<Pipeline, ApiError> {
        let body = json!({"branch": branch, "variables": variables}).to_string();
        let mut request = self.request(Method::POST, self.pipelines_address(repository, None));
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        *request.body_mut() = Some(body.into());
        self.start(Task::Create(branch.to_owned()), request).await
    }

    /// Asks for a pipeline to be run again, with its event, its commit and thereby its secrets.
    ///
    /// # Errors
    /// As for [`Client::create`].
    pub async fn restart(
        &self,
        repository: u64,
        number: u64,
        variables: &BTreeMap<String, String>,
    ) -> Result<Pipeline, ApiError> {
        let mut address = self.pipelines_address(repository, Some(&number.to_string()));
        if !variables.is_empty() {
            address.query_pairs_mut().extend_pairs(variables);
        }
        self.start(Task::Restart(number), self.request(Method::POST, address))
            .await
    }

    /// Ends a pipeline.
    ///
    /// # Errors
    /// When the server refuses, which it does for one that is over or was never put together.
    pub async fn cancel(&self, repository: u64, number: u64) -> Result<(), ApiError> {
        let number_in_path = number.to_string();
        let mut address = self.pipelines_address(repository, Some(&number_in_path));
        if let Ok(mut path) = address.path_segments_mut() {
            path.push("cancel");
        }
        let task = Task::Cancel(number);
        let request = self.request(Method::POST, address);
        let answer = self.exchange(&task, request, self.patience).await?;
        match answer.status() {
            204 => Ok(()),
            200 if !answer.is_html() => Ok(()),
            _ => Err(ApiError::from_answer(task, &answer, &self.server)),
        }
    }

    /// Asks whether the server accepts the token: only then does it say whose it is.
    ///
    /// # Errors
    /// When it does not, or does not answer as Woodpecker does.
    pub async fn try_token(&self) -> Result<(), ApiError> {
        let address = self.api(&["user"]);
        let _: IgnoredAny = self.get(Task::Token, address).await?;
        Ok(())
    }

    /// What the agents do and what waits for them; only administrators of the server see it.
    ///
    /// # Errors
    /// When the server does not show it.
    pub async fn queue(&self) -> Result<Queue, ApiError> {
        let address = self.api(&["queue", "info"]);
        self.get(Task::Queue, address).await
    }

    /// The last lines of a step's log, at most `max`, as they came: untrusted text.
    ///
    /// # Errors
    /// When the server does not answer with a log.
    pub async fn log(
        &self,
        repository: u64,
        number: u64,
        step: &Step,
        max: usize,
    ) -> Result<Vec<String>, ApiError> {
        let parts = [
            "repos",
            &repository.to_string(),
            "logs",
            &number.to_string(),
            &step.id.to_string(),
        ];
        let task = Task::Log(step.name.clone());
        let request = self.request(Method::GET, self.api(&parts));
        let mut reply = self.send(&task, request, self.patience).await?;
        let mut tail = log::Tail::new(max);
        let mut read = 0;
        while reply.status() == 200 && read < LOG_LIMIT {
            let piece = reply.piece().await;
            let Some(piece) = piece.map_err(|problem| self.failed(&task, problem))? else {
                break;
            };
            read += piece.as_ref().len();
            tail.push(piece.as_ref());
        }
        if tail.is_array() {
            return Ok(tail.into_lines());
        }
        let text = String::new();
        match reply.status() {
            // A step that wrote nothing.
            200 if read <= "null\n".len() => Ok(Vec::new()),
            200 => Err(ApiError::Unreadable {
                task,
                detail: "it is not a log".into(),
            }),
            404 => Err(ApiError::NotFound { task, text }),
            status => Err(ApiError::Refused { task, status, text }),
        }
    }

    /// Sends a request that starts a pipeline, and distinguishes its five answers.
    async fn start(&self, task: Task, request: Request) -> Result<Pipeline, ApiError> {
        let answer = self.exchange(&task, request, self.patience * 4).await?;
        match answer.status() {
            204 if answer.is_filtered() => {
                let branch = if let Task::Create(branch) = task {
                    branch
                } else {
                    "of that pipeline".into()
                };
                Err(ApiError::Filtered {
                    branch,
                    variables_unseen: false,
                })
            }
            204 => Err(ApiError::NotLoaded),
            // Before 3.14.
            200 if answer.body.trim_ascii() == b"null" => Err(ApiError::NotLoaded),
            200 => {
                let pipeline: Pipeline = self.read(task.clone(), &answer)?;
                if pipeline.number == 0 {
                    return Err(ApiError::Unreadable {
                        task,
                        detail: "it holds no pipeline".into(),
                    });
                }
                Ok(pipeline)
            }
            _ => Err(ApiError::from_answer(task, &answer, &self.server)),
        }
    }

    async fn get<T: DeserializeOwned>(&self, task: Task, address: Url) -> Result<T, ApiError> {
        let answer = self.ask(&task, address).await?;
        self.read(task, &answer)
    }

    async fn ask(&self, task: &Task, address: Url) -> Result<Answer, ApiError> {
        let request = self.request(Method::GET, address);
        self.exchange(task, request, self.patience).await
    }

    /// Sends a request and reads its answer; of an error, only the beginning.
    async fn exchange(
        &self,
        task: &Task,
        request: Request,
        patience: Duration,
    ) -> Result<Answer, ApiError> {
        let mut reply = self.send(task, request, patience).await?;
        let is_success = (200..300).contains(&reply.status());
        let limit = if is_success {
            ANSWER_LIMIT
        } else {
            ERROR_LIMIT
        };
        match reply.body(limit).await {
            Ok((_, true)) if is_success => Err(ApiError::Unreadable {
                task: task.clone(),
                detail: format!("it is longer than {limit} bytes"),
            }),
            Ok((body, _)) => Ok(Answer { reply, body }),
            Err(problem) => Err(self.failed(task, problem)),
        }
    }

    async fn send(
        &self,
        task: &Task,
        request: Request,
        patience: Duration,
    ) -> Result<Reply, ApiError> {
        let sent = self.lanes.send(0, request, patience).await;
        sent.map_err(|problem| self.failed(task, problem))
    }

    /// The error of a request that nothing came back for in time.
    pub(crate) fn silent(&self, task: Task, limit: Duration) -> ApiError {
        ApiError::Lost {
            task,
            server: (&self.server).into(),
            detail: format!("no answer within {:.1} s", limit.as_secs_f64()),
        }
    }

    fn failed(&self, task: &Task, problem: Problem) -> ApiError {
        ApiError::from_problem(task.clone(), problem, &self.server)
    }

    fn read<T: DeserializeOwned>(&self, task: Task, answer: &Answer) -> Result<T, ApiError> {
        if answer.status() == 200
            && let Ok(value) = serde_json::from_slice(&answer.body)
        {
            return Ok(value);
        }
        Err(ApiError::from_answer(task, answer, &self.server))
    }

    fn request(&self, method: Method, address: Url) -> Request {
        let mut request = Request::new(method, address);
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.bearer.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        request
    }

    fn pipelines_address(&self, repository: u64, last: Option<&str>) -> Url {
        let repository = repository.to_string();
        let parts: Vec<&str> = ["repos", &repository, "pipelines"]
            .into_iter()
            .chain(last)
            .collect();
        self.api(&parts)
    }

    fn api(&self, parts: &[&str]) -> Url {
        let parts: Vec<&str> = ["api"].into_iter().chain(parts.iter().copied()).collect();
        self.address(&parts)
    }

    fn address(&self, parts: &[&str]) -> Url {
        let mut address = self.server.clone();
        address
            .path_segments_mut()
            .expect("an address with a host has a path; the settings were checked")
            .pop_if_empty()
            .extend(parts);
        address
    }
}
