//! What is deployed: references and image IDs as Kubernetes writes them, by repository.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::listed::Word;
use super::reference::{DOCKER_HUB, Reference, Repository, is_docker_hub, presentable};
use crate::text::quote::quoted;

/// Who uses something: `deployment shop/app`. Nobody, where a list does not say who.
pub(crate) type Users = BTreeSet<Arc<str>>;

/// How many other hosts are remembered, to be named.
const MOST_HOSTS: usize = 5;

/// What is deployed from some registries, and what the rest of the list is.
#[derive(Debug, Default)]
pub(crate) struct InUse {
    /// By which names the registries are called: the name, and the registry.
    names: Vec<(String, String)>,
    repositories: BTreeMap<Repository, Uses>,
    /// How many references there are, on any registry.
    pub(crate) references: usize,
    /// Some of the other hosts that they name.
    pub(crate) other_hosts: BTreeSet<String>,
    /// Image IDs: they name no repository.
    pub(crate) image_ids: usize,
    /// Words that are nothing of the kind.
    pub(crate) unreadable: usize,
    /// The first of them, presentable.
    pub(crate) first_unreadable: Option<String>,
    /// Whether it may lack something.
    pub(crate) is_partial: bool,
}

/// What is deployed from one repository.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// By tag.
    pub(crate) tags: BTreeMap<String, Users>,
    /// By digest.
    pub(crate) digests: BTreeMap<String, Users>,
}

impl InUse {
    /// An empty list for these registries; `hosts` are other names of each.
    pub(crate) fn new(registries: &[String], hosts: &[String]) -> Self {
        let own = registries.iter().map(|host| (canonical(host), host));
        let others = registries
            .iter()
            .flat_map(|registry| hosts.iter().map(move |host| (canonical(host), registry)));
        Self {
            names: own
                .chain(others)
                .map(|(name, registry)| (name, registry.clone()))
                .collect(),
            ..Self::default()
        }
    }

    /// Adds the words of a text.
    pub(crate) fn add_text(&mut self, text: &str) {
        for word in text.split_whitespace() {
            self.add(word, None);
        }
    }

    /// Adds one word, and who uses it.
    pub(crate) fn add(&mut self, word: &str, user: Option<&Arc<str>>) {
        match Word::read(word) {
            Word::Reference(reference) => self.add_reference(&reference, user),
            Word::ImageId => self.image_ids += 1,
            Word::Unreadable => {
                self.unreadable += 1;
                self.first_unreadable.get_or_insert_with(|| shown(word));
            }
        }
    }

    fn add_reference(&mut self, reference: &Reference, user: Option<&Arc<str>>) {
        self.references += 1;
        let host = canonical(&reference.repository.registry);
        let mut is_elsewhere = true;
        for (_, registry) in self.names.iter().filter(|(name, _)| *name == host) {
            is_elsewhere = false;
            let repository = Repository {
                registry: registry.clone(),
                name: reference.repository.name.clone(),
            };
            let here = self.repositories.entry(repository).or_default();
            // With both, the digest is what is pulled.
            let users = match (&reference.digest, &reference.tag) {
                (Some(digest), _) => here.digests.entry(digest.to_string()).or_default(),
                (None, Some(tag)) => here.tags.entry(tag.clone()).or_default(),
                (None, None) => continue,
            };
            users.extend(user.cloned());
        }
        if is_elsewhere && self.other_hosts.len() < MOST_HOSTS {
            self.other_hosts.insert(host);
        }
    }

    /// What is deployed from a repository.
    pub(crate) fn of(&self, repository: &Repository) -> Option<&Uses> {
        self.repositories.get(repository)
    }

    /// The repositories that something is deployed from.
    pub(crate) fn repositories(&self) -> impl Iterator<Item = &Repository> {
        self.repositories.keys()
    }

    /// Whether something is deployed from this registry.
    pub(crate) fn names(&self, registry: &str) -> bool {
        self.repositories()
            .any(|repository| repository.registry == registry)
    }
}

/// A word that is no reference. One that begins as a query or a fragment is shown as well, unless
/// it may hold a secret.
fn shown(word: &str) -> String {
    if !word.starts_with(['#', '?']) {
        return presentable(word);
    }
    if word.contains(['?', '@', '=']) {
        return quoted(&format!("{}…", &word[..1]));
    }
    quoted(word)
}

/// A host as it is compared: in lower case, without the port that https has anyway.
pub(crate) fn canonical(host: &str) -> String {
    if is_docker_hub(host) {
        return DOCKER_HUB.to_owned();
    }
    let host = host.to_ascii_lowercase();
    host.strip_suffix(":443").map(str::to_owned).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

    fn list(registry: &str, hosts: &[&str], text: &str) -> InUse {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let mut list = InUse::new(&[registry.to_owned()], &hosts);
        list.add_text(text);
        list
    }

    /// `name:tag` and `name@digest` of everything that is in use.
    fn named(list: &InUse) -> Vec<String> {
        let mut named = Vec::new();
        for (repository, uses) in &list.repositories {
            let tags = uses.tags.keys().map(|tag| format!(":{tag}"));
            let digests = uses.digests.keys().map(|digest| format!("@{digest}"));
            named.extend(
                tags.chain(digests)
                    .map(|end| format!("{}{end}", repository.name)),
            );
        }
        named
    }

    #[test]
    fn a_list_is_read_in_every_form_that_kubernetes_writes() {
        let text = format!(
            "r.example/a:1 r.example/a:1\tr.example/b\n\
             docker-pullable://r.example/c@{DIGEST} containerd://r.example/d:1\r\n\
             r.example/e:1@{DIGEST} other.example/a:2 a:3"
        );
        let list = list("r.example", &[], &text);
        assert_eq!(
            named(&list),
            [
                "a:1".to_owned(),
                "b:latest".to_owned(),
                format!("c@{DIGEST}"),
                "d:1".to_owned(),
                format!("e@{DIGEST}"),
            ]
        );
        assert_eq!(
            (list.references, list.unreadable, list.image_ids),
            (8, 0, 0)
        );
        assert_eq!(
            list.other_hosts,
            BTreeSet::from(["docker.io".to_owned(), "other.example".to_owned()])
        );
    }

    #[test]
    fn image_ids_and_other_words_are_counted_and_left_out() {
        let hash = DIGEST.trim_start_matches("sha256:");
        let text = format!(
            "{DIGEST} docker://{DIGEST} {hash} containerd://{hash} r.example/App:1 <none> \
             https://me:hunter2@r.example/a {{\"items\": r.example/a:"
        );
        let list = list("r.example", &[], &text);
        assert_eq!(named(&list), [""; 0]);
        assert_eq!(
            (list.references, list.unreadable, list.image_ids),
            (0, 5, 4)
        );
        assert_eq!(
            list.first_unreadable.as_deref(),
            Some("\"r.example/App:1\"")
        );
    }

    #[test]
    fn the_first_word_that_is_no_reference_is_shown() {
        for (word, shown) in [
            ("###bad!!", "\"###bad!!\""),
            ("foo!!bar", "\"foo!!bar\""),
            ("#", "\"#\""),
            ("#token=hunter2", "\"#…\""),
            ("?token=hunter2", "\"?…\""),
            ("#me:hunter2@r.example/a", "\"#…\""),
        ] {
            let list = list("r.example", &[], word);
            assert_eq!(list.first_unreadable.as_deref(), Some(shown));
        }
    }

    #[test]
    fn a_registry_has_the_names_that_it_is_given() {
        let text = "registry.kube-system.svc:5000/a:1 MIRROR.example/b:1 r.example:443/c:1 d:1";
        let hosts = ["registry.kube-system.svc:5000", "mirror.example"];
        let list = list("R.example", &hosts, text);
        assert_eq!(named(&list), ["a:1", "b:1", "c:1"]);
        assert!(list.names("R.example") && !list.names("other.example"));
        // A reference without a host is on Docker Hub, by whatever name that is audited.
        let hub = self::list(
            "docker.io",
            &[],
            "d:1 team/e:1 index.docker.io/f:1 r.example/g:1",
        );
        assert_eq!(named(&hub), ["library/d:1", "library/f:1", "team/e:1"]);
        let mirror = self::list("m.example", &["docker.io"], "d:1");
        assert_eq!(named(&mirror), ["library/d:1"]);
    }

    #[test]
    fn who_uses_it_is_kept_once() {
        let mut list = InUse::new(&["r.example".to_owned()], &[]);
        let (app, job): (Arc<str>, Arc<str>) = ("deployment a/b".into(), "cronjob a/c".into());
        for user in [Some(&app), Some(&job), Some(&app), None] {
            list.add("r.example/a:1", user);
        }
        let repository = list.repositories().next().unwrap().clone();
        let uses = list.of(&repository).unwrap();
        assert_eq!(uses.tags["1"], BTreeSet::from([job, app]));
    }

    #[test]
    fn a_hostile_list_takes_no_more_room_than_it_has() {
        let long = "x".repeat(10 * 1024 * 1024);
        let others: Vec<String> = (0..10_000)
            .map(|number| format!("h{number}.example/a:1 \u{1b}[31m\u{202e}"))
            .collect();
        let others = others.join(" ");
        let list = list("r.example", &[], &format!("{long} {others}"));
        assert_eq!(named(&list), [""; 0]);
        assert_eq!(list.other_hosts.len(), MOST_HOSTS);
        assert_eq!(list.unreadable, 10_001);
        assert!(list.first_unreadable.unwrap().len() < 500);
    }
}
