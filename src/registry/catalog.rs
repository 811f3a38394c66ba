//! Lists repositories and tags, page by page, whatever the size of a page and however the next one
//! is named; see
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags> and
//! <https://distribution.github.io/distribution/spec/api/#listing-repositories>.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, LINK};
use serde_json::Value;
use url::form_urlencoded;

use super::answer::Answer;
use super::failed::Unread;
use super::form::{looks_like_page, page};
use super::link::next_page;
use super::payload::Payload;
use super::scope::Scope;
use super::transport::{Question, Transport};
use crate::http::{Problem, ProblemKind};
use crate::oci::reference::{Repository, is_name, is_tag};
use crate::walk::source::{Asked, Catalog, List};

/// How many names a page is asked for: distribution refuses more.
const PAGE: usize = 1000;

/// The largest page that is read, in bytes: some registries send all tags in one.
const LARGEST_PAGE: usize = 32 * 1024 * 1024;

/// How many names of one list are read.
const MOST_NAMES: usize = 1_000_000;

/// What a registry lists.
pub(crate) struct RegistryCatalog<'a> {
    transport: &'a Transport,
    /// The registry itself: a repository without a name.
    itself: Repository,
    delivers: AtomicBool,
}

/// A page, and the query of the next one, if it names one.
struct Page {
    names: Vec<Value>,
    next: Option<String>,
}

/// Which list is read.
struct Reading<'a> {
    repository: &'a Repository,
    scope: Scope,
    path: &'static str,
    /// The key of the list in a page.
    key: &'static str,
    is_usable: fn(&str) -> bool,
    /// Whether a page is asked for once.
    once: bool,
}

impl<'a> Reading<'a> {
    fn tags(repository: &'a Repository) -> Self {
        Self {
            repository,
            scope: Scope::pull(repository),
            path: "tags/list",
            key: "tags",
            is_usable: is_tag,
            once: false,
        }
    }
}

impl<'a> RegistryCatalog<'a> {
    /// The lists of the registry `host[:port]`.
    pub(crate) fn new(transport: &'a Transport, registry: &str) -> Self {
        Self {
            transport,
            itself: Repository {
                registry: registry.to_owned(),
                name: String::new(),
            },
            delivers: AtomicBool::new(false),
        }
    }

    /// The tags on the first page of a repository's list, asked for once; empty without a list.
    pub(crate) async fn first_tags(&self, repository: &Repository) -> Asked<Vec<String>> {
        let reading = Reading {
            once: true,
            ..Reading::tags(repository)
        };
        let asked = self.page(&reading, &format!("n={PAGE}")).await;
        let answer = asked.answer.map(|page| {
            let mut gathered = Gathered::new(is_tag);
            gathered.add(&page.names);
            self.without_secrets(gathered.list).names
        });
        Asked {
            answer,
            status: asked.status,
            attempts: asked.attempts,
            duration: asked.duration,
            appeared_after: None,
        }
    }

    async fn page(&self, reading: &Reading<'_>, query: &str) -> Asked<Page> {
        let mark = if query.is_empty() { "" } else { "?" };
        let question = Question {
            repository: reading.repository,
            scope: reading.scope.clone(),
            method: Method::GET,
            path: Some(format!("{}{mark}{query}", reading.path)),
            payload: Payload::Nothing,
            with_login: true,
            may_be_absent: true,
            fresh: false,
            once: reading.once,
            delivers: &self.delivers,
        };
        let accept = |status| status == 200;
        self.transport
            .ask(&question, HeaderMap::new, accept, async |answer| {
                read(answer, reading.key).await
            })
            .await
    }

    /// A name that repeats a login would show it wherever the name is shown.
    fn without_secrets(&self, mut list: List) -> List {
        let secrets = self.transport.secrets();
        let all = list.names.len();
        list.names.retain(|name| secrets.redacted(name) == *name);
        list.secret = all - list.names.len();
        list
    }

    /// Reads a list to its end. A list changes while it is read, so names that come twice count
    /// once, and a page that is gone is not the end.
    async fn list(&self, reading: &Reading<'_>) -> Asked<List> {
        let mut gathered = Gathered::new(reading.is_usable);
        let mut query = format!("n={PAGE}");
        let (mut attempts, mut duration) = (0, Duration::ZERO);
        loop {
            let asked = self.page(reading, &query).await;
            attempts += asked.attempts;
            duration += asked.duration;
            let next = match &asked.answer {
                Ok(page) => gathered.after(page),
                Err(_) => gathered.after_refusal(asked.status),
            };
            let answer = match (next, asked.answer) {
                (Some(next), _) => {
                    query = next;
                    continue;
                }
                (None, Ok(_)) => Ok(self.without_secrets(gathered.list)),
                (None, Err(fault)) => Err(fault),
            };
            return Asked {
                answer,
                status: asked.status,
                attempts,
                duration,
                appeared_after: None,
            };
        }
    }
}

impl Catalog for RegistryCatalog<'_> {
    async fn repositories(&self) -> Asked<List> {
        self.list(&Reading {
            repository: &self.itself,
            scope: Scope::Catalog,
            path: "_catalog",
            key: "repositories",
            is_usable: is_name,
            once: false,
        })
        .await
    }

    async fn tags(&self, repository: &Repository) -> Asked<List> {
        self.list(&Reading::tags(repository)).await
    }
}

/// The query for what follows a name, where no page says it.
fn after(last: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("n", &PAGE.to_string())
        .append_pair("last", last)
        .finish()
}

async fn read(answer: &mut Answer<'_>, key: &str) -> Result<Page, Unread<Page>> {
    let broken = |why: &str| Unread::from(Problem::new(ProblemKind::NotHttp, why.to_owned()));
    if answer.is_page() {
        return Err(page("list").into());
    }
    let next = answer.header(&LINK).and_then(next_page);
    let (bytes, more) = match answer.body(LARGEST_PAGE).await {
        Ok(body) => body,
        Err((problem, _)) => return Err(problem.into()),
    };
    if more {
        return Err(broken("sends a list of more than 32 MiB in one page"));
    }
    if looks_like_page(&bytes) {
        return Err(page("list").into());
    }
    let list = serde_json::from_slice::<serde_json::Map<_, _>>(&bytes)
        .ok()
        .and_then(|mut page| page.remove(key));
    match list {
        Some(Value::Array(names)) => Ok(Page { names, next }),
        // So a repository without tags is listed.
        Some(Value::Null) => Ok(Page {
            names: Vec::new(),
            next,
        }),
        _ => Err(broken("sends a list that cannot be read")),
    }
}

/// The names so far.
struct Gathered {
    list: List,
    is_usable: fn(&str) -> bool,
    /// What the names so far hash to: a long list takes no more memory twice.
    known: HashSet<[u8; 16]>,
    /// The queries of the pages that were named so far.
    queries: HashSet<String>,
    /// How many more pages without anything new are read.
    patience: usize,
    has_restarted: bool,
}

impl Gathered {
    fn new(is_usable: fn(&str) -> bool) -> Self {
        Self {
            list: List::default(),
            is_usable,
            known: HashSet::new(),
            queries: HashSet::new(),
            patience: 1,
            has_restarted: false,
        }
    }

    /// Adds a page, and says which one follows.
    fn after(&mut self, page: &Page) -> Option<String> {
        let last = page.names.iter().rev().find_map(Value::as_str);
        let has_new = self.add(&page.names);
        let is_patient = has_new || self.patience > 0;
        self.patience = self.patience.saturating_sub(usize::from(!has_new));
        if self.list.is_cut {
            return None;
        }
        match &page.next {
            // Some name a page after the last one, too.
            Some(next) if page.names.is_empty() => {
                let follows = is_patient && self.queries.insert(next.clone());
                follows.then(|| next.clone())
            }
            Some(next) => {
                self.list.is_cut = !is_patient || !self.queries.insert(next.clone());
                (!self.list.is_cut).then(|| next.clone())
            }
            // Without a link, and as long as was asked for: there may be more.
            None if page.names.len() != PAGE => None,
            None if has_new => last.map(after),
            // `last` is ignored, and so may be what is beyond `n`.
            None => self.restart(),
        }
    }

    /// Some take no `n`, or not this one, and some no `last` that is gone meanwhile.
    fn after_refusal(&mut self, status: Option<u16>) -> Option<String> {
        let is_begun = !self.known.is_empty();
        match status {
            Some(400) => self.restart(),
            Some(404) if is_begun => self.restart(),
            _ => None,
        }
    }

    /// From the start, in pages of the registry's own size; once.
    fn restart(&mut self) -> Option<String> {
        self.queries.clear();
        self.patience = self.known.len();
        (!std::mem::replace(&mut self.has_restarted, true)).then(String::new)
    }

    /// Adds names, and says whether there was a new one.
    fn add(&mut self, names: &[Value]) -> bool {
        let mut has_new = false;
        for name in names {
            let name = name.as_str().unwrap_or_default();
            let hash = short_hash(name);
            if self.known.contains(&hash) {
                continue;
            }
            if self.known.len() >= MOST_NAMES {
                self.list.is_cut = true;
                break;
            }
            has_new = true;
            self.known.insert(hash);
            if (self.is_usable)(name) {
                self.list.names.push(name.to_owned());
            } else {
                self.list.unusable += 1;
            }
        }
        has_new
    }
}

/// Half of the SHA-256 of a name, which no other name has.
fn short_hash(name: &str) -> [u8; 16] {
    let hash = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_ref()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A registry with these names: the list that is read of it, and how many pages that took.
    fn read(serve: impl Fn(&str) -> Result<Page, u16>) -> (Result<List, u16>, usize) {
        let mut gathered = Gathered::new(is_name);
        let mut query = format!("n={PAGE}");
        for pages in 1..10_000 {
            let served = serve(&query);
            let next = match &served {
                Ok(page) => gathered.after(page),
                Err(status) => gathered.after_refusal(Some(*status)),
            };
            match (next, served) {
                (Some(next), _) => query = next,
                (None, Ok(_)) => return (Ok(gathered.list), pages),
                (None, Err(status)) => return (Err(status), pages),
            }
        }
        panic!("it does not end");
    }

    fn names(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(|number| format!("app{number:06}")).collect()
    }

    fn page(names: &[String], next: Option<&str>) -> Page {
        Page {
            names: names.iter().map(|name| name.as_str().into()).collect(),
            next: next.map(str::to_owned),
        }
    }

    /// The value of a parameter of a query.
    fn parameter(query: &str, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }

    /// What follows `last`, at most `n` of them.
    fn slice<'n>(all: &'n [String], query: &str, most: usize) -> (&'n [String], bool) {
        let last = parameter(query, "last").unwrap_or_default();
        let n = parameter(query, "n").map_or(most, |n| n.parse().unwrap());
        let rest = &all[all.partition_point(|name| *name <= last)..];
        let size = rest.len().min(n).min(most);
        (&rest[..size], rest.len() > size)
    }

    #[test]
    fn a_page_without_names_is_not_the_last_one() {
        let [begin, end] = [0..2, 2..4].map(names);
        let serve = |query: &str| match query {
            "1" => Ok(page(&[], Some("2"))),
            "2" => Ok(page(&end, None)),
            _ => Ok(page(&begin, Some("1"))),
        };
        let (list, pages) = read(serve);
        assert_eq!((list.unwrap().names, pages), (names(0..4), 3));
        // But not for ever.
        let serve = |query: &str| Ok(page(&[], Some(&format!("{query}1"))));
        let (list, pages) = read(serve);
        assert!(!list.unwrap().is_cut && pages < 5, "{pages}");
    }

    #[test]
    fn links_are_followed_to_the_end() {
        let all = names(0..2500);
        let linked = |always: bool| {
            let all = &all;
            move |query: &str| {
                let (names, more) = slice(all, query, 100);
                let last = names.last().map(|last| format!("n=100&last={last}"));
                Ok(page(names, last.filter(|_| more || always).as_deref()))
            }
        };
        let (list, pages) = read(linked(false));
        assert_eq!((list.unwrap().names, pages), (all.clone(), 25));
        // The link on the last page leads to an empty one.
        let (list, pages) = read(linked(true));
        assert_eq!((list.unwrap().names, pages), (all.clone(), 26));
    }

    #[test]
    fn without_links_the_last_name_leads_on() {
        for (count, expected) in [(0, 1), (999, 1), (1000, 2), (2500, 3)] {
            let all = names(0..count);
            let (list, pages) = read(|query| Ok(page(slice(&all, query, usize::MAX).0, None)));
            assert_eq!((list.unwrap().names, pages), (all, expected));
        }
    }

    #[test]
    fn a_registry_that_ignores_n_or_last_is_read_whole() {
        let all = names(0..2500);
        let (list, pages) = read(|_| Ok(page(&all, None)));
        assert_eq!((list.unwrap().names, pages), (all.clone(), 1));
        // `n` is obeyed and `last` is not: without `n` everything comes.
        let (list, pages) = read(|query| {
            let n = parameter(query, "n").map_or(all.len(), |n| n.parse().unwrap());
            Ok(page(&all[..n], None))
        });
        assert_eq!((list.unwrap().names, pages), (all, 3));
    }

    #[test]
    fn a_registry_that_refuses_n_is_asked_without() {
        let all = names(0..250);
        let (list, _) = read(|query| {
            if parameter(query, "n").is_some_and(|n| n != "100") {
                return Err(400);
            }
            let (names, more) = slice(&all, query, 100);
            let next = names.last().map(|last| format!("last={last}&n=100"));
            Ok(page(names, next.filter(|_| more).as_deref()))
        });
        assert_eq!(list.unwrap().names, all);
        assert_eq!(read(|_| Err(400)), (Err(400), 2));
        assert_eq!(read(|_| Err(404)), (Err(404), 1));
    }

    #[test]
    fn a_name_that_is_deleted_meanwhile_is_not_the_end() {
        let all = names(0..2500);
        for status in [400, 404] {
            let (list, pages) = read(|query| {
                if parameter(query, "last").as_ref() == Some(&all[999]) && query.contains("n=1000")
                {
                    return Err(status);
                }
                let size = parameter(query, "n").unwrap_or("100".to_owned());
                let (names, more) = slice(&all, query, size.parse().unwrap());
                let next = names.last().map(|last| format!("n={size}&last={last}"));
                Ok(page(names, next.filter(|_| more).as_deref()))
            });
            assert_eq!((list.unwrap().names, pages), (all.clone(), 27), "{status}");
        }
    }

    #[test]
    fn a_list_that_repeats_itself_or_never_ends_is_cut() {
        let all = names(0..10);
        let (list, pages) = read(|_| Ok(page(&all, Some("n=10&last=x"))));
        let list = list.unwrap();
        assert_eq!((list.names, list.is_cut, pages), (all.clone(), true, 2));
        let counter = std::cell::Cell::new(0);
        let next = || {
            counter.set(counter.get() + 1);
            counter.get()
        };
        let (list, pages) = read(|_| Ok(page(&all, Some(&format!("last={}", next())))));
        assert!(list.unwrap().is_cut && pages < 5, "{pages}");
        let (list, _) = read(|_| {
            let from = next() * 200_000;
            Ok(page(
                &names(from..from + 200_000),
                Some(&format!("last={from}")),
            ))
        });
        let list = list.unwrap();
        assert_eq!((list.names.len(), list.is_cut), (MOST_NAMES, true));
    }

    #[test]
    fn names_that_no_reference_allows_are_left_out() {
        let odd = |name: &str| Value::from(name);
        let names = vec![
            odd("team/app"),
            odd("Team/App"),
            odd("../../etc"),
            odd(""),
            odd("a b"),
            Value::from(7),
        ];
        let (list, _) = read(|_| {
            Ok(Page {
                names: names.clone(),
                next: None,
            })
        });
        let list = list.unwrap();
        assert_eq!(
            (list.names, list.unusable),
            (vec!["team/app".to_owned()], 4)
        );
    }
}
