//! Woodpecker's API: find a repository, start a pipeline, look at it, read its logs.
//!
//! The client asks once and tells what came; asking again is [`crate::rebuild`]'s business. The token goes into a header of
//! requests to the server itself: never into an address, never along a redirect.

mod error;
mod exchange;
pub(crate) mod log;
mod model;
mod status;

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;

pub(crate) use self::error::VARIABLES_UNSEEN;
pub use self::error::{Asked, Error};
use self::exchange::{Answer, exchange, next_piece, open};
pub use self::log::tail;
pub(crate) use self::model::List;
pub use self::model::{Pipeline, Problem, Repository, Step, Workflow};
pub use self::status::Status;
use crate::rebuild::settings::RepositoryName;
use crate::report;
use crate::text::secret::Secret;

/// The longest answer about pipelines, in bytes: a list has 50 of them, each with every changed file.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// How much of a log is read on the way to its end, in bytes.
const LOG_LIMIT: usize = 256 * 1024 * 1024;

/// A text that cannot be an HTTP header, so it is no token.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it holds characters that no token has: a line break perhaps")]
pub struct InvalidToken;

/// What says who we are.
///
/// # Errors
/// When the token cannot be sent in a header.
pub(crate) fn bearer(token: &Secret) -> Result<HeaderValue, InvalidToken> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose().trim()))
        .map_err(|_| InvalidToken)?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

/// A Woodpecker server, and who we are to it.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    server: Url,
    bearer: HeaderValue,
    patience: Duration,
}

impl Client {
    /// A client for the server whose start page is `server`; `http` must not follow redirects.
    ///
    /// `patience` is how long to wait for headers, and between two pieces of a body. Requests that start a pipeline may take
    /// four times as long: the server reads the configuration from the forge meanwhile.
    ///
    /// # Errors
    /// When the token cannot be sent in a header.
    pub fn new(
        http: reqwest::Client,
        mut server: Url,
        token: &Secret,
        patience: Duration,
    ) -> Result<Self, InvalidToken> {
        let bearer = bearer(token)?;
        server.set_query(None);
        server.set_fragment(None);
        Ok(Self {
            http,
            server,
            bearer,
            patience,
        })
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

    /// The pipeline as a report tells of it.
    #[must_use]
    pub fn summary(&self, repository: u64, pipeline: &Pipeline) -> report::Pipeline {
        report::Pipeline {
            number: pipeline.number,
            url: self.page(repository, pipeline.number),
            status: pipeline.status.to_string(),
        }
    }

    /// Finds a repository.
    ///
    /// # Errors
    /// When the server does not know it, or keeps it from us.
    pub async fn repository(&self, name: &RepositoryName) -> Result<Repository, Error> {
        let (asked, address) = match name {
            RepositoryName::Number(id) => (
                Asked::Repository(format!("number {id}")),
                self.api(&["repos", &id.to_string()]),
            ),
            RepositoryName::Path(path) => {
                let parts: Vec<&str> = ["repos", "lookup"]
                    .into_iter()
                    .chain(path.split('/'))
                    .collect();
                (Asked::Repository(path.clone()), self.api(&parts))
            }
        };
        let answer = self.ask(&asked, address).await?;
        let mut repository: Repository = self.read(asked.clone(), &answer)?;
        repository.server_version = answer.version().map(str::to_owned);
        if repository.id == 0 {
            return Err(Error::Unreadable {
                asked,
                detail: "it holds no repository".into(),
            });
        }
        if repository.active == Some(false) {
            return Err(Error::Inactive {
                name: repository.full_name,
            });
        }
        Ok(repository)
    }

    /// Reads a pipeline with its workflows and steps.
    ///
    /// # Errors
    /// When the server does not know it, or does not answer with one.
    pub async fn pipeline(&self, repository: u64, number: u64) -> Result<Pipeline, Error> {
        let address = self.pipelines_address(repository, Some(&number.to_string()));
        let asked = Asked::Pipeline(number);
        let pipeline: Pipeline = self.get(asked.clone(), address).await?;
        if pipeline.number == number {
            Ok(pipeline)
        } else {
            Err(Error::Unreadable {
                asked,
                detail: format!("it is not about pipeline #{number}"),
            })
        }
    }

    /// Finds the newest pipeline of `branch` that a push started.
    ///
    /// # Errors
    /// When there is none, or the server does not answer with one.
    pub async fn latest(&self, repository: u64, branch: &str) -> Result<Pipeline, Error> {
        let mut address = self.pipelines_address(repository, Some("latest"));
        address.query_pairs_mut().append_pair("branch", branch);
        let asked = Asked::Latest(branch.to_owned());
        let pipeline: Pipeline = self.get(asked.clone(), address).await?;
        if pipeline.number == 0 {
            return Err(Error::Unreadable {
                asked,
                detail: "it holds no pipeline".into(),
            });
        }
        Ok(pipeline)
    }

    /// The newest pipelines, newest first, at most 50, without workflows; `only` narrows them by `event` and `branch`.
    ///
    /// Servers before 3.0 ignore that, so the caller looks itself.
    ///
    /// # Errors
    /// When the server does not answer with a list.
    pub async fn pipelines(
        &self,
        repository: u64,
        only: &[(&str, &str)],
    ) -> Result<Vec<Pipeline>, Error> {
        let mut address = self.pipelines_address(repository, None);
        if !only.is_empty() {
            address.query_pairs_mut().extend_pairs(only);
        }
        self.get(Asked::Pipelines, address)
            .await
            .map(|List(pipelines)| pipelines)
    }

    /// Asks for a new manual pipeline.
    ///
    /// # Errors
    /// Every answer but a pipeline; [`Error::leaves_open`] tells whether there may be one all the same.
    pub async fn create(
        &self,
        repository: u64,
        branch: &str,
        variables: &BTreeMap<String, String>,
    ) -> Result<Pipeline, Error> {
        let body = json!({"branch": branch, "variables": variables}).to_string();
        let request = self
            .request(Method::POST, self.pipelines_address(repository, None))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        self.start(Asked::Create(branch.to_owned()), request).await
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
    ) -> Result<Pipeline, Error> {
        let mut address = self.pipelines_address(repository, Some(&number.to_string()));
        if !variables.is_empty() {
            address.query_pairs_mut().extend_pairs(variables);
        }
        self.start(Asked::Restart(number), self.request(Method::POST, address))
            .await
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
    ) -> Result<Vec<String>, Error> {
        let parts = [
            "repos",
            &repository.to_string(),
            "logs",
            &number.to_string(),
            &step.id.to_string(),
        ];
        let asked = Asked::Log(step.name.clone());
        let request = self.request(Method::GET, self.api(&parts));
        let fault = |fault| Error::from_fault(asked.clone(), fault);
        let mut response = open(request, self.patience).await.map_err(fault)?;
        let status = response.status();
        let mut tail = log::Tail::new(max);
        let mut read = 0;
        while status == StatusCode::OK && read < LOG_LIMIT {
            let Some(piece) = next_piece(&mut response, self.patience)
                .await
                .map_err(fault)?
            else {
                break;
            };
            read += piece.as_ref().len();
            tail.push(piece.as_ref());
        }
        if tail.is_array() {
            return Ok(tail.into_lines());
        }
        match status {
            // A step that wrote nothing.
            StatusCode::OK if read <= "null\n".len() => Ok(Vec::new()),
            StatusCode::OK => Err(Error::Unreadable {
                asked,
                detail: "it is no log".into(),
            }),
            StatusCode::NOT_FOUND => Err(Error::NotFound {
                asked,
                text: String::new(),
            }),
            status => Err(Error::Refused {
                asked,
                status: status.as_u16(),
                text: String::new(),
            }),
        }
    }

    /// Sends a request that starts a pipeline, and tells its five answers apart.
    async fn start(&self, asked: Asked, request: RequestBuilder) -> Result<Pipeline, Error> {
        let answer = match exchange(request, ANSWER_LIMIT, self.patience * 4).await {
            Ok(answer) => answer,
            Err(fault) => return Err(Error::from_fault(asked, fault)),
        };
        match answer.status {
            StatusCode::NO_CONTENT if answer.is_filtered() => {
                let branch = if let Asked::Create(branch) = asked {
                    branch
                } else {
                    "of that pipeline".into()
                };
                Err(Error::Filtered {
                    branch,
                    variables_unseen: false,
                })
            }
            StatusCode::NO_CONTENT => Err(Error::NotLoaded),
            // Before 3.14.
            StatusCode::OK if answer.body.trim_ascii() == b"null" => Err(Error::NotLoaded),
            StatusCode::OK => {
                let pipeline: Pipeline = self.read(asked.clone(), &answer)?;
                if pipeline.number == 0 {
                    return Err(Error::Unreadable {
                        asked,
                        detail: "it holds no pipeline".into(),
                    });
                }
                Ok(pipeline)
            }
            _ => Err(Error::from_answer(asked, &answer, &self.server)),
        }
    }

    async fn get<T: DeserializeOwned>(&self, asked: Asked, address: Url) -> Result<T, Error> {
        let answer = self.ask(&asked, address).await?;
        self.read(asked, &answer)
    }

    async fn ask(&self, asked: &Asked, address: Url) -> Result<Answer, Error> {
        let answer = exchange(
            self.request(Method::GET, address),
            ANSWER_LIMIT,
            self.patience,
        )
        .await;
        answer.map_err(|fault| Error::from_fault(asked.clone(), fault))
    }

    fn read<T: DeserializeOwned>(&self, asked: Asked, answer: &Answer) -> Result<T, Error> {
        if answer.status == StatusCode::OK
            && let Ok(value) = serde_json::from_slice(&answer.body)
        {
            return Ok(value);
        }
        Err(Error::from_answer(asked, answer, &self.server))
    }

    fn request(&self, method: Method, address: Url) -> RequestBuilder {
        self.http
            .request(method, address)
            .header(AUTHORIZATION, self.bearer.clone())
            .header(ACCEPT, "application/json")
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
