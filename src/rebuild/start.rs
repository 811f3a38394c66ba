//! Starting a pipeline, at most one: the request is not safe to repeat, so a lost answer is looked for in the list first.

use tokio::time::Instant;

use super::{NotStarted, Notice, Run};
use crate::rebuild::guard::{Loop, Past, Target, guard, is_suspicious};
use crate::rebuild::plan::{COUNT_VARIABLE, RUN_VARIABLE};
use crate::rebuild::settings::{Method, Restart};
use crate::rebuild::woodpecker::{Error, Pipeline, Repository, Status};

/// How our pipeline is asked for, and known again in a list.
enum Wish {
    Create {
        branch: String,
        variables_unseen: bool,
    },
    Restart {
        old: Box<Pipeline>,
        newest: u64,
    },
}

impl Run<'_> {
    /// Starts the pipeline; gives the repository's number and the pipeline as the server first told of it.
    pub(super) async fn start(&mut self) -> Result<(u64, Pipeline), NotStarted> {
        let (plan, client) = (self.plan, self.client);
        let repository = self.persist(|| client.repository(&plan.repository)).await?;
        let wish = self.wish(&repository).await?;
        let count = guard(
            plan.settings.max_rebuilds,
            self.past().await?,
            self.target(&repository, &wish),
        )?;
        if let Some(event) = self.ends_ours(&repository, &wish) {
            (self.tell)(Notice::EndsOurs {
                event: event.to_owned(),
            });
        }
        let pipeline = self
            .once(repository.id, &wish, count)
            .await
            .map_err(|refused| match (refused, &wish) {
                (
                    NotStarted::Server(Error::Filtered { branch, .. }),
                    Wish::Create {
                        variables_unseen, ..
                    },
                ) => NotStarted::Server(Error::Filtered {
                    branch,
                    variables_unseen: *variables_unseen,
                }),
                (refused, _) => refused,
            })?;
        Ok((repository.id, pipeline))
    }

    async fn wish(&mut self, repository: &Repository) -> Result<Wish, NotStarted> {
        let (settings, client, id) = (self.plan.settings, self.client, repository.id);
        let branch = settings
            .branch
            .clone()
            .unwrap_or_else(|| repository.default_branch.clone());
        if branch.is_empty() && !matches!(settings.method, Method::Restart(Restart::Number(_))) {
            return Err(NotStarted::NoBranch(repository.full_name.clone()));
        }
        let old = match settings.method {
            Method::Create => {
                // The one server version that hides the user's variables.
                let variables_unseen = !settings.variables.is_empty()
                    && repository.server_version.as_deref() == Some("3.18.0");
                if variables_unseen {
                    (self.tell)(Notice::VariablesUnseen);
                }
                return Ok(Wish::Create {
                    branch,
                    variables_unseen,
                });
            }
            Method::Restart(Restart::Number(number)) => {
                self.persist(|| client.pipeline(id, number)).await?
            }
            Method::Restart(Restart::Latest) => self.newest(id, &branch).await?,
        };
        let differs =
            |name: &String, value: &String| old.variables.get(name).is_some_and(|old| old != value);
        let kept: Vec<String> = settings
            .variables
            .iter()
            .filter(|(name, value)| differs(name, value))
            .map(|(name, _)| name.clone())
            .collect();
        if !kept.is_empty() {
            (self.tell)(Notice::VariablesKept {
                number: old.number,
                names: kept,
            });
        }
        let list = self.persist(|| client.pipelines(id, &[])).await?;
        let newest = list
            .iter()
            .map(|pipeline| pipeline.number)
            .max()
            .unwrap_or(old.number);
        Ok(Wish::Restart {
            old: Box::new(old),
            newest,
        })
    }

    /// The newest pipeline of a branch that a push started; where none did, the newest of any other event but a pull
    /// request's, whose branch is that of its target. The one that we run in is not meant.
    async fn newest(&mut self, repository: u64, branch: &str) -> Result<Pipeline, Error> {
        let client = self.client;
        let none = match self.persist(|| client.latest(repository, branch)).await {
            Err(none @ Error::NotFound { .. }) => none,
            answer => return answer,
        };
        let own = self.plan.own();
        let is_meant = |pipeline: &Pipeline| {
            pipeline.branch == branch
                && !pipeline.event.starts_with("pull_request")
                && own != Some((repository, pipeline.number))
        };
        let of_branch = [("branch", branch)];
        let list = self
            .persist(|| client.pipelines(repository, &of_branch))
            .await?;
        list.into_iter().find(is_meant).ok_or(none)
    }

    fn target(&self, repository: &Repository, wish: &Wish) -> Target {
        match wish {
            Wish::Create { .. } => Target::New,
            Wish::Restart { old, .. } if self.plan.own() == Some((repository.id, old.number)) => {
                Target::Itself
            }
            Wish::Restart { .. } => Target::Other,
        }
    }

    /// The event, if the new pipeline makes the server end the one that we run in: pushes to the same branch do, and
    /// all of another event.
    fn ends_ours<'a>(&self, repository: &Repository, wish: &'a Wish) -> Option<&'a str> {
        let own = &self.plan.settings.own;
        let (event, same_branch) = match wish {
            Wish::Create { .. } => ("manual", true),
            Wish::Restart { old, .. } => (
                old.event.as_str(),
                own.branch.as_ref().is_none_or(|own| *own == old.branch),
            ),
        };
        let (ours, _) = self.plan.own()?;
        let ends = ours == repository.id
            && own.event.as_deref() == Some(event)
            && repository
                .cancel_previous_pipeline_events
                .iter()
                .any(|cancels| cancels == event)
            && (event != "push" || same_branch);
        ends.then_some(event)
    }

    /// What led to the pipeline that we run in.
    async fn past(&mut self) -> Result<Past, Loop> {
        let settings = self.plan.settings;
        if !is_suspicious(&settings.own, settings.method) {
            return Ok(Past::default());
        }
        let Some((repository, number)) = self.plan.own() else {
            return Err(self.plan.elsewhere());
        };
        let client = self.client;
        let unknown = |error: Error| Loop::Unknown(error.to_string());
        let own = self
            .persist(|| client.pipeline(repository, number))
            .await
            .map_err(unknown)?;
        let rebuilds = match own.variables.get(COUNT_VARIABLE) {
            None => 0,
            Some(count) => count.parse().map_err(|_| {
                Loop::Unknown(format!(
                    "its variable {COUNT_VARIABLE} is {count:?}, not a number"
                ))
            })?,
        };
        let mut past = Past {
            rebuilds,
            restarts: 0,
        };
        if settings.method == Method::Create {
            return Ok(past);
        }
        let (mut child, mut parent) = (own, settings.own.parent.unwrap_or_default());
        if parent == 0 {
            parent = child.parent;
        }
        while parent != 0 {
            past.restarts += 1;
            if past.restarts >= settings.max_rebuilds {
                break;
            }
            let older = self
                .persist(|| client.pipeline(repository, parent))
                .await
                .map_err(unknown)?;
            // A restart has its parent's commit. Servers before 2.5 name the parent by another number.
            if older.number >= child.number || older.commit != child.commit {
                return Err(Loop::Unknown(format!(
                    "#{parent} is not the pipeline that #{} restarts",
                    child.number
                )));
            }
            (parent, child) = (older.parent, older);
        }
        Ok(past)
    }

    /// Asks for the pipeline until there is an answer that leaves nothing open.
    async fn once(
        &mut self,
        repository: u64,
        wish: &Wish,
        count: u32,
    ) -> Result<Pipeline, NotStarted> {
        let mut attempt = 1;
        loop {
            let sent = Instant::now();
            let error = match self.ask(repository, wish, count).await {
                Ok(pipeline) => return self.accept(repository, pipeline),
                Err(error) => error,
            };
            let found = match &error {
                Error::Unreachable { .. } => None,
                error if error.leaves_open() => {
                    (self.tell)(Notice::Searching {
                        error: error.clone(),
                    });
                    self.search(repository, wish, sent)
                        .await
                        .map_err(|_| self.unknown(repository, wish, error))?
                }
                // The server may keep a pipeline that could not be loaded or compiled, with its objections.
                Error::NotLoaded | Error::Server { .. } => {
                    self.look(repository, wish).await.ok().flatten()
                }
                _ => None,
            };
            match found {
                Some(pipeline) if error.leaves_open() || pipeline.status != Status::Created => {
                    return self.accept(repository, pipeline);
                }
                _ if error.leaves_open() && attempt < self.patience.attempts => {
                    let wait = self.wait(attempt, &error);
                    (self.tell)(Notice::Again { error, wait });
                    tokio::time::sleep(wait).await;
                    attempt += 1;
                }
                _ => return Err(error.into()),
            }
        }
    }

    async fn ask(&self, repository: u64, wish: &Wish, count: u32) -> Result<Pipeline, Error> {
        let variables = self.plan.variables(self.mark, count);
        match wish {
            Wish::Create { branch, .. } => self.client.create(repository, branch, &variables).await,
            Wish::Restart { old, .. } => {
                self.client
                    .restart(repository, old.number, &variables)
                    .await
            }
        }
    }

    /// Tells a pipeline from one that was dead from the start.
    fn accept(&self, repository: u64, pipeline: Pipeline) -> Result<Pipeline, NotStarted> {
        if !pipeline.failed_to_start() {
            return Ok(pipeline);
        }
        let problems = pipeline
            .objections()
            .into_iter()
            .map(str::to_owned)
            .collect();
        Err(Error::Rejected {
            pipeline: self.summary(repository, &pipeline),
            problems,
        }
        .into())
    }

    /// Looks for our pipeline until the server can no longer be about to start it.
    ///
    /// It notes a pipeline as soon as it has asked the forge for the branch, which takes it a few seconds at worst; one
    /// answer's patience is longer.
    async fn search(
        &mut self,
        repository: u64,
        wish: &Wish,
        sent: Instant,
    ) -> Result<Option<Pipeline>, Error> {
        loop {
            let late = sent.elapsed() >= self.client.patience();
            let found = self.look(repository, wish).await?;
            if found.is_some() || late {
                return Ok(found);
            }
            tokio::time::sleep(self.plan.settings.poll_interval).await;
        }
    }

    async fn look(&mut self, repository: u64, wish: &Wish) -> Result<Option<Pipeline>, Error> {
        let client = self.client;
        let manual = match wish {
            Wish::Create { branch, .. } => vec![("event", "manual"), ("branch", branch.as_str())],
            Wish::Restart { .. } => Vec::new(),
        };
        let list = self
            .persist(|| client.pipelines(repository, &manual))
            .await?;
        let mark = self.mark;
        Ok(list.into_iter().find(|pipeline| match wish {
            Wish::Create { .. } => pipeline
                .variables
                .get(RUN_VARIABLE)
                .is_some_and(|run| run == mark),
            // A restart keeps the old variables, so ours is the new one with the right parent: by its number, or by its
            // `id` before 2.5.
            Wish::Restart { old, newest } => {
                pipeline.number > *newest
                    && (pipeline.parent == old.number || pipeline.parent == old.id)
                    && pipeline.commit == old.commit
            }
        }))
    }

    fn unknown(&self, repository: u64, wish: &Wish, error: &Error) -> NotStarted {
        let mark =
            matches!(wish, Wish::Create { .. }).then(|| format!("{RUN_VARIABLE}={}", self.mark));
        NotStarted::Unknown {
            error: Box::new(error.clone()),
            mark,
            page: self.client.repository_page(repository),
        }
    }
}
