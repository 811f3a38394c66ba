//! What helps against lost or damaged content, which depends on how the registry stores it.

use oci_spec::image::Digest;

use super::scene::Scene;
use crate::oci::digest::is_of_nothing;
use crate::walk::product::Product;

/// Why an index loses the manifests that it lists.
const WITHOUT_TAG: &str = "because the manifests of an index have no tag of their own";

/// What helps where a copy of the content is left.
const REPAIR: &str = "`pullproof repair REF --from MIRROR` puts back what a copy still has";

/// Whom a hint about content is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The registry.
    pub product: Product,
    /// The first digest; `None` where it is not known, or the hint is not about one.
    pub content: Option<Content>,
    /// What is known of the first image.
    pub scene: Option<Box<Scene>>,
}

/// A digest that a hint is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The name of its repository.
    pub repository: String,
    /// The first one.
    pub digest: Digest,
    /// How many others there are.
    pub others: usize,
}

impl About {
    /// Adds what another repository of the same product has.
    pub(super) fn add(&mut self, other: Self) {
        match (&mut self.content, other.content) {
            (Some(content), Some(more)) => content.others += more.others + 1,
            (content @ None, more) => *content = more,
            (Some(_), None) => {}
        }
        match (&mut self.scene, other.scene) {
            (Some(scene), Some(more)) => scene.add(*more),
            (scene @ None, more) => *scene = more,
            (Some(_), None) => {}
        }
        self.product = other.product;
    }

    /// `sha256:0123… and 2 more`: the whole digest, unless `rest` has it in a path.
    fn what(&self, rest: &str) -> String {
        const DIGITS: usize = 12;
        let Some(Content { digest, others, .. }) = &self.content else {
            return "content".to_owned();
        };
        let hash = digest.digest();
        let shown = match hash.get(..DIGITS) {
            Some(start) if rest.contains(hash) => format!("{}:{start}", digest.algorithm()),
            _ => digest.to_string(),
        };
        match others {
            0 => shown,
            others => format!("{shown} and {others} more"),
        }
    }

    pub(super) fn every_child_missing(&self) -> String {
        let why = self.children_missing(true);
        let what = self.what(&why);
        format!("the index is there, but every manifest it lists answers 404 ({what}): {why}")
    }

    pub(super) fn some_children_missing(&self) -> String {
        let why = self.children_missing(false);
        let what = self.what(&why);
        format!("some manifests that the index lists answer 404 ({what}): {why}")
    }

    pub(super) fn blobs_missing(&self) -> String {
        let why = self.why_blobs_are_missing();
        let what = self.what(&why);
        format!("a manifest is there, but content it refers to answers 404 ({what}): {why}")
    }

    pub(super) fn stale_cache(&self) -> String {
        let why = self.not_delivered();
        let what = self.what(&why);
        format!("the registry states the right size of {what} but does not deliver it: {why}")
    }

    pub(super) fn damaged_file(&self) -> String {
        let steps = self.replace();
        let what = self.what(&steps);
        format!(
            "the registry itself states a different size of {what} than the image does: the file \
             in its storage is damaged, and a push skips it as already there. {steps}"
        )
    }

    pub(super) fn changed_content(&self) -> String {
        let steps = self.replace();
        let what = self.what(&steps);
        format!(
            "the bytes of {what} do not match the digest, though none is missing: the file in \
             the registry's storage is damaged, or a proxy changes what passes through. A push \
             skips it as already there. {steps}"
        )
    }

    pub(super) fn one_digest_fails(&self) -> String {
        let steps = self.replace();
        let what = self.what(&steps);
        format!(
            "the registry fails on {what} and answers for all others: it has a record of the \
             content, but has lost it or cannot read it. A push skips it as already there. {steps}"
        )
    }

    pub(super) fn incomplete_layout(&self) -> String {
        let what = self.what("");
        format!(
            "{what} is missing or damaged in the directory: the build, or a copy of it, left it \
             incomplete, or its disk is full or faulty. Build and export the image again, before \
             it is pushed"
        )
    }

    pub(super) fn empty_content(&self) -> String {
        const NOTHING: &str =
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let own = self.content.as_ref().map(|content| &content.digest);
        let (nothing, what) = match own {
            Some(digest) if is_of_nothing(digest) => (digest.as_ref(), "the content".to_owned()),
            _ => (NOTHING, self.what("")),
        };
        format!(
            "{nothing} is the digest of no bytes at all: {what} was uploaded or stored empty. \
             Rebuild without cache and push again"
        )
    }

    pub(super) fn unlinked(&self) -> String {
        format!(
            "the bytes of {} are on the disk, and its link is gone: `pullproof repair DIR \
             --gc-stopped` puts the link back, as long as no garbage collection runs before. distribution 3 hides the \
             loss until its next restart",
            self.what("")
        )
    }

    pub(super) fn lost_on_disk(&self) -> String {
        format!(
            "{} is gone from this disk: a clean-up, a garbage collection or the disk itself took \
             it. `pullproof repair DIR --from MIRROR --gc-stopped` fetches it; else build and \
             push the image again, after a restart of the registry",
            self.what("")
        )
    }

    pub(super) fn damaged_on_disk(&self) -> String {
        format!(
            "the link or the file of {} is there and is not what it should be, so a push skips \
             it as already there. `pullproof repair DIR --from MIRROR --gc-stopped` replaces it; else stop the registry, remove \
             the file, start it and push again. If more of them appear, check the disk",
            self.what("")
        )
    }

    fn children_missing(&self, all: bool) -> String {
        const COLLECTED: &str = "or `registry garbage-collect -m` (--delete-untagged) ran on \
                                 distribution 2.8, which treats them as garbage";
        const AGAIN: &str = "else build and push the image again; and make the clean-up keep \
                             what an index lists";
        match self.product {
            Product::Distribution => {
                let gone = self.gone("or the blob that it names", Content::revision);
                if all {
                    format!(
                        "a clean-up job deleted them, {WITHOUT_TAG}, {COLLECTED}{gone}. \
                         {REPAIR}; else restart the registry, then build and push the image \
                         again: until then its cache makes a push skip what is gone. Move to registry 3, and never run -m \
                         with 2.8 on multi-platform or attested images"
                    )
                } else {
                    format!(
                        "a clean-up job deleted them, {WITHOUT_TAG}{gone}. If garbage was \
                         collected since, restart the registry. {REPAIR}; {AGAIN}"
                    )
                }
            }
            Product::Unknown => {
                let collected = if all {
                    format!(", {COLLECTED}")
                } else {
                    String::new()
                };
                format!(
                    "a clean-up job deleted them, {WITHOUT_TAG}{collected}. If garbage was \
                     collected on a registry of your own, restart the registry. {REPAIR}; {AGAIN}"
                )
            }
            Product::Ghcr => format!(
                "a clean-up of untagged versions deleted them (actions/delete-package-versions, \
                 or a rule that counts versions), {WITHOUT_TAG}. {REPAIR}; {AGAIN}"
            ),
            Product::Zot | Product::Olareg => format!(
                "its storage has lost them, or a clean-up deleted them. {REPAIR}; else build and \
                 push the image again"
            ),
            _ => format!(
                "a clean-up that counts versions or days, or takes what is untagged, deleted \
                 them, {WITHOUT_TAG}. {REPAIR}; {AGAIN}"
            ),
        }
    }

    fn why_blobs_are_missing(&self) -> String {
        const WHY: &str = "a garbage collection ran while the image was pushed, a storage rule \
                           deletes old objects, or the push was cut off";
        match self.product {
            Product::Distribution => format!(
                "{WHY}{}. {REPAIR}. Else, if garbage was collected, restart the registry; then \
                 build and push the image again. Collect garbage only while the registry is stopped or \
                 read-only",
                self.gone("or the repository's link to it", Content::in_distribution)
            ),
            Product::Unknown => format!(
                "{WHY}. {REPAIR}. Else, if garbage was collected on a registry of your own, \
                 restart the registry; then build and push the image again. Collect garbage only \
                 while the registry is stopped or read-only"
            ),
            Product::Zot => format!(
                "{WHY}. Push the image again. If that does not help, the file is there but \
                 damaged, which zot answers with 404 as well. {}",
                self.replace()
            ),
            _ => format!("{WHY}. {REPAIR}; else build and push the image again"),
        }
    }

    fn not_delivered(&self) -> String {
        const RESTART: &str = "Restart the registry, then push again, and verify again: a file \
                               that is damaged rather than gone needs more than that";
        match self.product {
            Product::Distribution => format!(
                "its cache still lists what a garbage collection or a damaged disk has removed, \
                 so a push skips it as already there. {RESTART}"
            ),
            Product::Unknown => format!(
                "its cache still lists what a garbage collection or a damaged disk has removed, \
                 so a push skips it as already there. {RESTART}. On a hosted registry, delete \
                 that version of the image, then push"
            ),
            _ => format!(
                "its storage has lost some of it, and a push skips it as already there. {}",
                self.replace()
            ),
        }
    }

    /// How to replace what a push would skip.
    fn replace(&self) -> String {
        match self.product {
            Product::Distribution
            | Product::Disk
            | Product::Zot
            | Product::Gitea
            | Product::Olareg => self.replace_file(),
            Product::Unknown => {
                let hash = (self.content.as_ref()).map_or("", |content| content.digest.digest());
                let space = if hash.is_empty() { "" } else { " " };
                format!(
                    "On a registry of your own, stop it, remove the file{space}{hash} from your \
                     registry's storage, start it and push again; on a hosted one, delete that \
                     version of the image, then push"
                )
            }
            Product::Harbor
            | Product::GitLab
            | Product::Quay
            | Product::Nexus
            | Product::Artifactory => {
                "Delete that version of the image, and push it again when the registry has \
                 collected garbage, because until then the file stays"
                    .to_owned()
            }
            Product::DockerHub | Product::Ghcr | Product::Ecr | Product::Acr | Product::Google => {
                "Delete that version of the image, then push. If it stays broken, build it \
                 without a cache, so that it gets another digest, and report the broken one to \
                 the registry's support"
                    .to_owned()
            }
        }
    }

    /// Where the file has a path that we know.
    fn replace_file(&self) -> String {
        let Some(content) = &self.content else {
            return "Remove the file from its storage while it is stopped, then push again"
                .to_owned();
        };
        let others = match content.others {
            0 => "",
            1 => " (and that of the other one)",
            _ => " (and those of the others)",
        };
        match self.product {
            Product::Zot => format!(
                "Remove it from every repository of zot, where it is one file under several \
                 names: in its root directory, `find . -path '*/{}' -delete`{others}. Then push \
                 again to each repository that had it",
                content.in_layout()
            ),
            Product::Gitea => format!(
                "Deleting the image and pushing it again does not help, because the file stays: \
                 remove `{}` from the data directory of Gitea or Forgejo{others}, then push again",
                content.in_gitea()
            ),
            Product::Olareg => format!(
                "Remove `{}/{}` from the directory of olareg{others}, then push again",
                content.repository,
                content.in_layout()
            ),
            _ => format!(
                "Stop the registry, remove `{}` from its root directory{others}, start it and \
                 push again",
                content.in_distribution()
            ),
        }
    }

    /// What is gone from the storage of distribution.
    fn gone(&self, or: &str, path: fn(&Content) -> String) -> String {
        let path = self.content.as_ref().map(path);
        path.map_or(String::new(), |path| {
            format!("; what is gone from its storage is `{path}`, {or}")
        })
    }
}

impl Content {
    /// Below the root directory of distribution.
    fn in_distribution(&self) -> String {
        let (algorithm, hash) = (self.digest.algorithm(), self.digest.digest());
        let start = hash.get(..2).unwrap_or(hash);
        format!("docker/registry/v2/blobs/{algorithm}/{start}/{hash}/data")
    }

    /// What makes it a manifest of its repository.
    fn revision(&self) -> String {
        let (algorithm, hash) = (self.digest.algorithm(), self.digest.digest());
        let name = &self.repository;
        format!(
            "docker/registry/v2/repositories/{name}/_manifests/revisions/{algorithm}/{hash}/link"
        )
    }

    /// In the directory of a repository that is an OCI image layout.
    fn in_layout(&self) -> String {
        let (algorithm, hash) = (self.digest.algorithm(), self.digest.digest());
        format!("blobs/{algorithm}/{hash}")
    }

    /// Below the data directory of Gitea, which names every file by its SHA-256.
    fn in_gitea(&self) -> String {
        let hash = self.digest.digest();
        let (one, two) = (
            hash.get(..2).unwrap_or(hash),
            hash.get(2..4).unwrap_or(hash),
        );
        format!("packages/{one}/{two}/{hash}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::hint::Hint;

    const PRODUCTS: [Product; 15] = [
        Product::Unknown,
        Product::Distribution,
        Product::Zot,
        Product::Gitea,
        Product::Olareg,
        Product::Harbor,
        Product::GitLab,
        Product::Quay,
        Product::Nexus,
        Product::Artifactory,
        Product::DockerHub,
        Product::Ghcr,
        Product::Ecr,
        Product::Acr,
        Product::Google,
    ];

    const HINTS: [Hint; 8] = [
        Hint::EveryChildMissing,
        Hint::SomeChildrenMissing,
        Hint::BlobsMissing,
        Hint::StaleCache,
        Hint::DamagedFile,
        Hint::ChangedContent,
        Hint::OneDigestFails,
        Hint::EmptyContent,
    ];

    fn about(product: Product, others: usize) -> About {
        let hash = "4006da33ad05576d71486bf7ceacd9a72bdc5e73f9b9ede9c9f1fde32615d85a";
        About {
            product,
            content: Some(Content {
                repository: "team/app".to_owned(),
                digest: format!("sha256:{hash}").parse().unwrap(),
                others,
            }),
            scene: None,
        }
    }

    /// Every text once, below the products that it is for.
    fn all() -> String {
        let mut lines = Vec::new();
        for hint in HINTS {
            assert!(hint.is_about_content());
            let mut texts: Vec<(String, Vec<String>)> = Vec::new();
            for product in PRODUCTS {
                let text = hint.text(&about(product, 0));
                match texts.iter_mut().find(|(known, _)| *known == text) {
                    Some((_, products)) => products.push(format!("{product:?}")),
                    None => texts.push((text, vec![format!("{product:?}")])),
                }
            }
            for (text, products) in texts {
                lines.push(format!("{}, {}:\n{text}\n", hint.id(), products.join(", ")));
            }
        }
        lines.join("\n")
    }

    #[test]
    fn every_registry_has_its_own_remedy_for_every_damage() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/remedies.txt");
        if std::env::var_os("PULLPROOF_UPDATE_DOCS").is_some_and(|value| !value.is_empty()) {
            std::fs::write(path, all()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            all(),
            written,
            "PULLPROOF_UPDATE_DOCS=1 cargo test writes it anew"
        );
    }

    #[test]
    fn what_is_known_is_written_out() {
        for (product, hint) in PRODUCTS
            .into_iter()
            .flat_map(|product| HINTS.map(|hint| (product, hint)))
        {
            let text = hint.text(&about(product, 0));
            let hash = "4006da33ad05576d71486bf7ceacd9a72bdc5e73f9b9ede9c9f1fde32615d85a";
            assert!(text.contains(hash), "{product:?} {hint:?}: {text}");
            assert!(!text.contains('…'), "{product:?} {hint:?}: {text}");
        }
    }

    #[test]
    fn other_digests_are_counted() {
        let text = |others| Hint::DamagedFile.text(&about(Product::Distribution, others));
        assert!(
            text(2).contains("of sha256:4006da33ad05 and 2 more than"),
            "{}",
            text(2)
        );
        assert!(text(2).contains("/data` from its root directory (and those of the others)"));
        assert!(
            text(1).contains("(and that of the other one)"),
            "{}",
            text(1)
        );
    }

    #[test]
    fn content_without_a_digest_has_no_path() {
        for product in PRODUCTS {
            let about = About {
                product,
                content: None,
                scene: None,
            };
            for hint in HINTS {
                let text = hint.text(&about);
                assert!(
                    !text.contains("blobs/") && !text.contains("packages/"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn another_repository_adds_to_the_count() {
        let mut first = about(Product::Zot, 1);
        first.add(about(Product::Zot, 2));
        assert_eq!(first, about(Product::Zot, 4));
        let mut empty = About::default();
        empty.add(about(Product::Zot, 2));
        assert_eq!(empty, about(Product::Zot, 2));
    }

    #[test]
    fn an_odd_digest_is_no_trouble() {
        let about = About {
            product: Product::Gitea,
            content: Some(Content {
                repository: "app".to_owned(),
                digest: "odd:a".parse().unwrap(),
                others: 0,
            }),
            scene: None,
        };
        for product in PRODUCTS {
            let about = About {
                product,
                ..about.clone()
            };
            assert!(Hint::DamagedFile.text(&about).contains("odd:a"));
        }
    }
}
