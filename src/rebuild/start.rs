//! Starting a pipeline, at most one: the request is not safe to repeat, so after a lost answer the
//! list is searched first.

use tokio::time::Instant;

use super::{NotStarted, Notice, Run};
use crate::rebuild::guard::{Loop, Past, Start, guard, is_suspicious};
use crate::rebuild::plan::{COUNT_VARIABLE, Method, RUN_VARIABLE, Restart};
use crate::rebuild::woodpecker::{Aftermath, ApiError, Pipeline, Repository, Status};

/// How our pipeline is requested, and recognised in a list.
enum Launch {
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
    /// Starts the pipeline; gives the repository's number and the pipeline as the server first
    /// described it.
    pub(super) async fn start(&mut self) -> Result<(u64, Pipeline), NotStarted> {
        let (plan, client) = (self.plan, self.client);
        let repository = self.persist(|| client.repository(&plan.repository)).await?;
        let launch = self.launch(&repository).await?;
        let count = guard(
            plan.max_rebuilds,
            self.past().await?,
            self.what(&repository, &launch),
        )?;
        if let Some(event) = self.ends_ours(&repository, &launch) {
            (self.notify)(Notice::EndsOurs {
                event: event.to_owned(),
            });
        }
        let pipeline = self
            .once(repository.id, &launch, count)
            .await
            .map_err(|refused| match (refused, &launch) {
                (
                    NotStarted::Server(ApiError::Filtered { branch, .. }),
                    Launch::Create {
                        variables_unseen, ..
                    },
                ) => NotStarted::Server(ApiError::Filtered {
                    branch,
                    variables_unseen: *variables_unseen,
                }),
                (refused, _) => refused,
            })?;
        Ok((repository.id, pipeline))
    }

    async fn launch(&mut self, repository: &Repository) -> Result<Launch, NotStarted> {
        let (plan, client, id) = (self.plan, self.client, repository.id);
        let branch = plan
            .branch
            .clone()
            .unwrap_or_else(|| repository.default_branch.clone());
        if branch.is_empty() && !matches!(plan.method, Method::Restart(Restart::Number(_))) {
            return Err(NotStarted::NoBranch(repository.full_name.clone()));
        }
        let old = match plan.method {
            Method::Create => {
                // The one server version that hides the user's variables.
                let variables_unseen = !plan.variables.is_empty()
                    && repository.server_version.as_deref() == Some("3.18.0");
                if variables_unseen {
                    (self.notify)(Notice::VariablesUnseen);
                }
                return Ok(Launch::Create {
                    branch,
                    variables_unseen,
                });
            }
            Method::Restart(Restart::Number(number)) => {
                let old = self.persist(|| client.pipeline(id, number)).await?;
                self.approved(id, old)?
            }
            Method::Restart(Restart::Latest) => self.newest(id, &branch).await?,
        };
        let differs =
            |name: &String, value: &String| old.variables.get(name).is_some_and(|old| old != value);
        let kept: Vec<String> = plan
            .variables
            .iter()
            .filter(|(name, value)| differs(name, value))
            .map(|(name, _)| name.clone())
            .collect();
        if !kept.is_empty() {
            (self.notify)(Notice::VariablesKept {
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
        Ok(Launch::Restart {
            old: Box::new(old),
            newest,
        })
    }

    /// A pipeline that nobody has to approve any more and nobody has declined: a restart would run
    /// it all the same.
    fn approved(&self, repository: u64, old: Pipeline) -> Result<Pipeline, NotStarted> {
        if !old.is_unapproved() {
            return Ok(old);
        }
        Err(NotStarted::Unapproved(self.reported(
            repository,
            old.number,
            &old.status,
        )))
    }

    /// The newest pipeline of a branch that a push started; where none did, the newest of any other
    /// event but a pull request's, whose branch is that of its target. The one that we run in is
    /// not meant, nor is one that nobody has approved.
    async fn newest(&mut self, repository: u64, branch: &str) -> Result<Pipeline, NotStarted> {
        let client = self.client;
        let newest = self.persist(|| client.latest(repository, branch)).await;
        let none = match newest {
            Ok(pipeline) => match self.approved(repository, pipeline) {
                Ok(pipeline) => return Ok(pipeline),
                Err(unapproved) => unapproved,
            },
            Err(none @ ApiError::NotFound { .. }) => none.into(),
            Err(error) => return Err(error.into()),
        };
        let own = self.plan.own();
        let of_branch = [("branch", branch)];
        let mut list = self
            .persist(|| client.pipelines(repository, &of_branch))
            .await?;
        list.retain(|pipeline| {
            pipeline.branch == branch
                && !pipeline.event.starts_with("pull_request")
                && own != Some((repository, pipeline.number))
        });
        // Pushes first, in the order of the list.
        list.sort_by_key(|pipeline| pipeline.event != "push");
        let (passed_over, fit): (Vec<_>, Vec<_>) =
            list.into_iter().partition(Pipeline::is_unapproved);
        let Some(meant) = fit.into_iter().next() else {
            let newest = passed_over.into_iter().next();
            return Err(
                match newest.map(|newest| self.approved(repository, newest)) {
                    Some(Err(unapproved)) => unapproved,
                    _ => none,
                },
            );
        };
        if let Some(newest) = passed_over.iter().find(|one| one.number > meant.number) {
            (self.notify)(Notice::PassedOver {
                number: newest.number,
                status: newest.status.clone(),
                instead: meant.number,
            });
        }
        Ok(meant)
    }

    fn what(&self, repository: &Repository, launch: &Launch) -> Start {
        match launch {
            Launch::Create { .. } => Start::New,
            Launch::Restart { old, .. } if self.plan.own() == Some((repository.id, old.number)) => {
                Start::Itself
            }
            Launch::Restart { .. } => Start::Other,
        }
    }

    /// The event, if the new pipeline makes the server end the one that we run in: pushes to the
    /// same branch do, and all of another event.
    fn ends_ours<'a>(&self, repository: &Repository, launch: &'a Launch) -> Option<&'a str> {
        let own = &self.plan.own;
        let (event, same_branch) = match launch {
            Launch::Create { .. } => ("manual", true),
            Launch::Restart { old, .. } => (
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
        let plan = self.plan;
        if !is_suspicious(&plan.own, plan.method) {
            return Ok(Past::default());
        }
        let Some((repository, number)) = self.plan.own() else {
            return Err(self.plan.elsewhere());
        };
        let client = self.client;
        let unknown = |error: ApiError| Loop::Unknown(error.to_string());
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
        if plan.method == Method::Create {
            return Ok(past);
        }
        let (mut child, mut parent) = (own, plan.own.parent.unwrap_or_default());
        if parent == 0 {
            parent = child.parent;
        }
        while parent != 0 {
            past.restarts += 1;
            if past.restarts >= plan.max_rebuilds {
                break;
            }
            let older = self
                .persist(|| client.pipeline(repository, parent))
                .await
                .map_err(unknown)?;
            // A restart has its parent's commit. Servers before 2.5 name the parent by another
            // number.
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

    /// Requests the pipeline until an answer is conclusive.
    async fn once(
        &mut self,
        repository: u64,
        launch: &Launch,
        count: u32,
    ) -> Result<Pipeline, NotStarted> {
        let mut attempt = 1;
        loop {
            let sent = Instant::now();
            let error = match self.ask(repository, launch, count).await {
                Ok(pipeline) => return self.accept(repository, pipeline),
                Err(error) => error,
            };
            if let Some(pipeline) = self.all_the_same(repository, launch, &error, sent).await? {
                return self.accept(repository, pipeline);
            }
            if !error.is_transient() || attempt >= self.patience.attempts {
                return Err(error.into());
            }
            let wait = self.wait(attempt, &error);
            (self.notify)(Notice::Again { error, wait });
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Our pipeline, if the server has one although the request to start it failed.
    async fn all_the_same(
        &mut self,
        repository: u64,
        launch: &Launch,
        error: &ApiError,
        sent: Instant,
    ) -> Result<Option<Pipeline>, NotStarted> {
        let found = match (error.aftermath(), error) {
            (Aftermath::Nothing, _) => return Ok(None),
            // Nothing is going to be repeated, so a list that cannot be read does no harm.
            (_, ApiError::NotLoaded) => {
                let found = self.look(repository, launch).await.unwrap_or(None);
                return Ok(found.filter(|pipeline| pipeline.status != Status::Created));
            }
            (Aftermath::Settled, _) => self.look(repository, launch).await,
            (Aftermath::Open, _) => {
                (self.notify)(Notice::Searching {
                    error: error.clone(),
                });
                self.search(repository, launch, sent).await
            }
        };
        found.map_err(|_| self.unknown(repository, launch, error))
    }

    async fn ask(
        &self,
        repository: u64,
        launch: &Launch,
        count: u32,
    ) -> Result<Pipeline, ApiError> {
        let variables = self.plan.variables(self.mark, count);
        match launch {
            Launch::Create { branch, .. } => {
                self.client.create(repository, branch, &variables).await
            }
            Launch::Restart { old, .. } => {
                self.client
                    .restart(repository, old.number, &variables)
                    .await
            }
        }
    }

    /// Refuses a pipeline that failed at once.
    fn accept(&self, repository: u64, pipeline: Pipeline) -> Result<Pipeline, NotStarted> {
        if !pipeline.failed_to_start() {
            return Ok(pipeline);
        }
        Err(NotStarted::Rejected {
            pipeline: self.reported(repository, pipeline.number, &pipeline.status),
            objections: pipeline.objections().into_iter().cloned().collect(),
        })
    }

    /// Looks for our pipeline until the server can no longer be about to start it.
    ///
    /// It notes a pipeline as soon as it has asked the forge for the branch, which takes it a few
    /// seconds at worst; one answer's patience is longer.
    async fn search(
        &mut self,
        repository: u64,
        launch: &Launch,
        sent: Instant,
    ) -> Result<Option<Pipeline>, ApiError> {
        loop {
            let late = sent.elapsed() >= self.client.patience();
            let found = self.look(repository, launch).await?;
            if found.is_some() || late {
                return Ok(found);
            }
            tokio::time::sleep(self.plan.poll_interval).await;
        }
    }

    async fn look(
        &mut self,
        repository: u64,
        launch: &Launch,
    ) -> Result<Option<Pipeline>, ApiError> {
        let client = self.client;
        let manual = match launch {
            Launch::Create { branch, .. } => vec![("event", "manual"), ("branch", branch.as_str())],
            Launch::Restart { .. } => Vec::new(),
        };
        let list = self
            .persist(|| client.pipelines(repository, &manual))
            .await?;
        let mark = self.mark;
        Ok(list.into_iter().find(|pipeline| match launch {
            Launch::Create { .. } => pipeline
                .variables
                .get(RUN_VARIABLE)
                .is_some_and(|run| run == mark),
            // A restart keeps the old variables, so ours is the new one with the right parent: by
            // its number, or by its `id` before 2.5.
            Launch::Restart { old, newest } => {
                pipeline.number > *newest
                    && (pipeline.parent == old.number || pipeline.parent == old.id)
                    && pipeline.commit == old.commit
            }
        }))
    }

    fn unknown(&self, repository: u64, launch: &Launch, error: &ApiError) -> NotStarted {
        let mark = matches!(launch, Launch::Create { .. })
            .then(|| format!("{RUN_VARIABLE}={}", self.mark));
        NotStarted::Unknown {
            error: Box::new(error.clone()),
            mark,
            page: self.client.repository_page(repository),
        }
    }
}
