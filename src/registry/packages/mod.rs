//! The APIs that stand beside some registries: they say when a version was pushed. Packages APIs say
//! which have no tag, too, and delete one version and nothing with it.

mod gitea;
mod github;
mod harbor;
mod zot;

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use oci_spec::image::Digest;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;

use super::auth::{Pass, Refused};
use super::failed::{Failed, failure};
use super::payload::Payload;
use super::redirect::is_redirect;
use super::scope::Scope;
use super::transport::{Aim, Question, Transport};
use crate::http::{ChosenBy, Problem, ProblemKind, Version as Http};
use crate::oci::reference::Repository;
use crate::prune::remover::{Remover, Taken};
use crate::prune::versions::Version;
use crate::settings::Deletion;
use crate::walk::cause::{Cause, Place};
use crate::walk::product::Product;
use crate::walk::source::{Asked, Fault, FaultKind};

/// The largest page that is read, in bytes.
const LARGEST_PAGE: usize = 16 * 1024 * 1024;

/// How many pages of one list are read.
const MOST_PAGES: usize = 10_000;

/// Where GitHub's is.
const GITHUB: &str = "https://api.github.com";

/// Where they are on a registry's own host.
const GITEA: &str = "/api/v1";
const HARBOR: &str = "/api/v2.0";
const ZOT: &str = "/v2/_zot/ext/search";

/// Which API it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gitea,
    GitHub,
    Harbor,
    Zot,
}

impl Kind {
    /// Which API is there.
    fn at(url: &Url) -> Self {
        let path = url.path().trim_end_matches('/');
        let own = [
            (GITEA, Self::Gitea),
            (HARBOR, Self::Harbor),
            (ZOT, Self::Zot),
        ];
        let found = own.into_iter().find(|(end, _)| path.ends_with(end));
        found.map_or(Self::GitHub, |(_, kind)| kind)
    }

    /// Whether versions are deleted through it, and those without a tag are listed.
    fn has_versions(self) -> bool {
        matches!(self, Self::Gitea | Self::GitHub)
    }
}

/// A packages API.
pub(crate) struct Packages<'a> {
    transport: &'a Transport,
    base: Url,
    kind: Kind,
}

/// A repository as its packages API knows it.
#[derive(Debug)]
pub(crate) struct Package {
    kind: Kind,
    /// The list of its versions, or of its owner's.
    list: Url,
    pub(crate) versions: Vec<Version>,
}

/// A page of a list.
struct Page {
    versions: Vec<Version>,
    /// All that it has, by number: those of other packages, too.
    numbers: Vec<u64>,
}

/// Owner and name of a repository.
fn split(repository: &Repository) -> (&str, &str) {
    let name = &*repository.name;
    name.split_once('/').unwrap_or((name, name))
}

/// An address below another one.
fn below(url: &Url, parts: &[&str]) -> Url {
    let mut url = url.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}

impl<'a> Packages<'a> {
    /// The API that `given` names, else the one that belongs to a registry; none where there is none.
    pub(crate) fn of(
        transport: &'a Transport,
        registry: &str,
        given: Option<&Url>,
    ) -> Option<Self> {
        let own = |path| transport.scheme_of(registry).base().ok()?.join(path).ok();
        let base = match (given, transport.product_of(registry)) {
            (Some(url), _) => url.clone(),
            (None, Product::Gitea) => own(GITEA)?,
            (None, Product::Harbor) => own(HARBOR)?,
            (None, Product::Zot) => own(ZOT)?,
            (None, Product::Ghcr) => GITHUB.parse().ok()?,
            (None, _) => return None,
        };
        Some(Self {
            transport,
            kind: Kind::at(&base),
            base,
        })
    }

    /// Whether a registry can be without it: zot without its search. Then other dates count.
    pub(crate) fn is_optional(&self) -> bool {
        !self.kind.has_versions()
    }

    /// Reads which versions a repository has.
    ///
    /// # Errors
    /// When the API does not list them, or has none.
    pub(crate) async fn package(&self, repository: &Repository) -> Result<Package, Fault> {
        let (owner, name) = split(repository);
        let lists = match self.kind {
            Kind::Gitea => vec![gitea::list(&self.base, owner)],
            Kind::GitHub => github::lists(&self.base, owner, name).to_vec(),
            Kind::Harbor => vec![harbor::list(&self.base, owner, name)],
            Kind::Zot => vec![self.base.clone()],
        };
        let mut fault = Fault {
            kind: FaultKind::NotFound,
            cause: Cause::default(),
        };
        for list in lists {
            match self.versions(repository, &list).await {
                Ok(versions) if versions.is_empty() => {}
                Ok(versions) => {
                    return Ok(Package {
                        kind: self.kind,
                        list,
                        versions,
                    });
                }
                Err(refused) if refused.kind == FaultKind::NotFound => fault = refused,
                Err(refused) => return Err(refused),
            }
        }
        Err(fault)
    }

    /// Reads a list to its end: a page that brings nothing new. It changes while it is read.
    async fn versions(&self, repository: &Repository, list: &Url) -> Result<Vec<Version>, Fault> {
        let (_, name) = split(repository);
        let asking = Asking {
            transport: self.transport,
            repository,
            kind: self.kind,
        };
        let (mut seen, mut versions) = (HashSet::new(), Vec::new());
        for number in 1..=MOST_PAGES {
            let url = match self.kind {
                Kind::Gitea => gitea::page(list, name, number),
                Kind::GitHub => github::page(list, number),
                Kind::Harbor => harbor::page(list, number),
                Kind::Zot => zot::page(list, &repository.name),
            };
            let body = asking.list(&url).await.answer?;
            let page = match self.kind {
                Kind::Gitea => gitea::read(&body, name),
                Kind::GitHub => github::read(&body),
                Kind::Harbor => harbor::read(&body),
                Kind::Zot => zot::read(&body),
            };
            let page =
                page.map_err(|error| garbled(format!("its list is not readable: {error}")))?;
            let before = seen.len();
            seen.extend(page.numbers);
            if seen.len() == before {
                return Ok(versions);
            }
            for version in page.versions {
                if !versions.contains(&version) {
                    versions.push(version);
                }
            }
        }
        Err(garbled("its list has no end".to_owned()))
    }
}

fn garbled(why: String) -> Fault {
    Failed::from(Problem::new(ProblemKind::NotHttp, why)).fault
}

/// Asks a packages API about a repository, with the registry's login.
struct Asking<'a> {
    transport: &'a Transport,
    repository: &'a Repository,
    kind: Kind,
}

impl Asking<'_> {
    async fn list(&self, url: &Url) -> Asked<Vec<u8>> {
        let (method, delivers) = (Method::GET, AtomicBool::new(false));
        let (question, what) = self.question(&method, url, &delivers);
        let attempt = async |lane| {
            let (status, body) = self.try_once(&method, url, lane).await?;
            Ok((status, Ok(body)))
        };
        self.transport.repeat(&question, &what, attempt).await
    }

    /// Deletes a version.
    async fn delete(&self, url: &Url, tried: u32) -> Asked<Taken> {
        let (method, delivers) = (Method::DELETE, AtomicBool::new(false));
        let (question, what) = self.question(&method, url, &delivers);
        let attempt = async |lane| {
            let (status, _) = self.try_once(&method, url, lane).await?;
            Ok(status)
        };
        let asked = self.transport.delete_once(&question, &what, tried, attempt);
        asked.await
    }

    /// A question, and what log lines call it.
    fn question<'q>(
        &'q self,
        method: &Method,
        url: &Url,
        delivers: &'q AtomicBool,
    ) -> (Question<'q>, String) {
        let question = Question {
            repository: self.repository,
            scope: Scope::delete(self.repository),
            method: method.clone(),
            path: Some(url.path().to_owned()),
            payload: Payload::Nothing,
            with_login: true,
            may_be_absent: true,
            fresh: false,
            once: false,
            delivers,
        };
        (question, format!("packages API, {method} {}", url.path()))
    }

    async fn try_once(
        &self,
        method: &Method,
        url: &Url,
        lane: usize,
    ) -> Result<(u16, Vec<u8>), Failed> {
        let refused = |why| Failed::from(Problem::new(ProblemKind::Refused, why));
        let headers = self.headers().await?;
        let aim = Aim {
            method: method.clone(),
            url,
            chosen_by: ChosenBy::User,
            version: Http::Best,
            lane,
            fresh: false,
        };
        let mut answer = self.transport.send(aim, headers, Payload::Nothing).await?;
        let status = answer.status();
        if is_redirect(status) {
            return Err(refused(
                "it redirects, and a login never follows a redirect",
            ));
        }
        if !(200..300).contains(&status) {
            let wait = answer
                .retry_after()
                .or_else(|| until_reset(answer.headers()));
            let (body, _) = answer.error_body().await;
            // So it answers a question that an older version does not know.
            let is_unknown = self.kind == Kind::Zot && matches!(status, 400 | 422);
            return Err(self.failure(if is_unknown { 404 } else { status }, wait, &body));
        }
        match answer.body(LARGEST_PAGE).await {
            Ok((_, true)) => Err(refused("its list is longer than 16 MiB")),
            Ok((body, false)) => Ok((status, body)),
            Err((problem, _)) => Err(problem.into()),
        }
    }

    async fn headers(&self) -> Result<HeaderMap, Failed> {
        let mut headers = HeaderMap::new();
        let is_bearer = self.kind == Kind::GitHub;
        let json = if is_bearer {
            let version = HeaderName::from_static("x-github-api-version");
            headers.insert(version, HeaderValue::from_static("2022-11-28"));
            "application/vnd.github+json"
        } else {
            "application/json"
        };
        headers.insert(ACCEPT, HeaderValue::from_static(json));
        let login = self.transport.auth().login(self.repository, is_bearer);
        match login.await {
            Ok(pass) => {
                let pass = pass.as_ref().map(Pass::header);
                headers.extend(pass.map(|value| (AUTHORIZATION, value)));
                Ok(headers)
            }
            Err(Refused::Denied(denial, words)) => Err(Failed::denied(denial, 401, words)),
            Err(Refused::Failed(failed)) => Err(failed),
        }
    }

    /// A refusal, in the API's own words. GitHub's 403 with a wait is its 429.
    fn failure(&self, status: u16, wait: Option<Duration>, body: &[u8]) -> Failed {
        #[derive(Deserialize)]
        struct Said {
            message: String,
        }
        let is_limit = status == 403 && wait.is_some();
        let status = if is_limit { 429 } else { status };
        let mut failed = failure(status, wait, body, Place::Registry);
        if let (Ok(Said { message }), Cause::Status { words, .. }) = (
            serde_json::from_slice::<Said>(body),
            &mut failed.fault.cause,
        ) && !message.is_empty()
        {
            *words = Some(self.transport.redacted(&message).into());
        }
        failed
    }
}

/// How long GitHub's limit lasts, where nothing is left of it.
fn until_reset(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let reset =
        number("x-ratelimit-reset").filter(|_| number("x-ratelimit-remaining") == Some(0))?;
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Duration::from_secs(reset).saturating_sub(now))
}

impl Package {
    /// Whether it is deleted from by this API.
    pub(crate) fn is_deleted_from(&self) -> bool {
        self.kind.has_versions()
    }
}

/// One repository of a registry, to be deleted from by its packages API.
pub(crate) struct PackageRemover<'a> {
    asking: Asking<'a>,
    package: &'a Package,
    name: &'a str,
}

impl<'a> PackageRemover<'a> {
    /// Somebody who may delete from `repository`.
    pub(crate) fn new(
        transport: &'a Transport,
        repository: &'a Repository,
        package: &'a Package,
        _permission: Deletion,
    ) -> Self {
        Self {
            asking: Asking {
                transport,
                repository,
                kind: package.kind,
            },
            package,
            name: split(repository).1,
        }
    }
}

impl Remover for PackageRemover<'_> {
    async fn delete_tag(&self, tag: &str, tried: u32) -> Asked<Taken> {
        match self.package.kind {
            Kind::Gitea => {
                let url = gitea::version(&self.package.list, self.name, tag);
                let asked = self.asking.delete(&url, tried).await;
                // It can delete a tag alone, so no status says that it cannot.
                Asked {
                    status: None,
                    ..asked
                }
            }
            _ => unasked(FaultKind::Unavailable, 405),
        }
    }

    async fn delete_manifest(&self, digest: &Digest, tried: u32) -> Asked<Taken> {
        let mut versions = self.package.versions.iter();
        let own = versions.find(|version| version.digest.as_ref() == Some(digest));
        let url = match (self.package.kind, own) {
            (Kind::Gitea, _) => gitea::version(&self.package.list, self.name, digest.as_ref()),
            (_, Some(version)) => github::version(&self.package.list, &version.key),
            (_, None) => return unasked(FaultKind::NotFound, 404),
        };
        self.asking.delete(&url, tried).await
    }
}

/// What the API would answer, if it could be asked.
fn unasked(kind: FaultKind, status: u16) -> Asked<Taken> {
    Asked {
        status: Some(status),
        ..Asked::unasked(Err(Fault {
            kind,
            cause: Cause::default(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::loopback::Loopback;
    use super::*;

    #[test]
    fn github_has_the_packages_of_ghcr_and_an_address_says_which_api_it_is() {
        let server = Loopback::start(|_| (None, None));
        let transport = server.transport(Duration::ZERO);
        let url = |text: &str| text.parse::<Url>().unwrap();
        for (registry, given, expected) in [
            ("ghcr.io", None, Some((GITHUB, Kind::GitHub))),
            ("registry.example", None, None),
            (
                "registry.example",
                Some("https://registry.example/v2/_zot/ext/search"),
                Some(("https://registry.example/v2/_zot/ext/search", Kind::Zot)),
            ),
            (
                "registry.example",
                Some("https://registry.example/api/v2.0"),
                Some(("https://registry.example/api/v2.0", Kind::Harbor)),
            ),
            (
                "git.example",
                Some("https://git.example/sub/api/v1/"),
                Some(("https://git.example/sub/api/v1/", Kind::Gitea)),
            ),
            (
                "ghcr.io",
                Some("https://github.example/api/v3"),
                Some(("https://github.example/api/v3", Kind::GitHub)),
            ),
        ] {
            let given = given.map(url);
            let api = Packages::of(&transport, registry, given.as_ref());
            let expected = expected.map(|(base, kind)| (url(base), kind));
            assert_eq!(api.map(|api| (api.base, api.kind)), expected, "{registry}");
        }
    }
}
