//! One who builds: pushes tags of one repository, moves them, and deletes them, at random. Another
//! repository comes and goes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Shared;
use crate::registries::TEAM;
use crate::registries::real::Registry;
use crate::support::digest::Random;
use crate::support::distribution::push;
use crate::support::image::Image;
use crate::support::recipe::{platforms, single};
use crate::support::skopeo;

/// How many tags a repository has at most.
const MOST_TAGS: usize = 8;

/// The repository of a builder.
pub(super) fn repository(number: u64) -> String {
    format!("{TEAM}/living-{number}")
}

/// One who builds.
pub(super) struct Builder<'a, R> {
    shared: &'a Shared<R>,
    repository: String,
    random: Random,
    /// What the tags stand for, by their names.
    tags: BTreeMap<String, Image>,
    /// The seed of the next image, which no other builder uses.
    next: u64,
}

impl<'a, R: Registry> Builder<'a, R> {
    /// Starts with nothing.
    pub(super) fn new(shared: &'a Shared<R>, number: u64, seed: u64) -> Self {
        Self {
            shared,
            repository: repository(number),
            random: Random::seeded(seed),
            tags: BTreeMap::new(),
            next: (number + 1) << 32,
        }
    }

    /// Works until the test is over, and says how much it did.
    pub(super) fn work(mut self) -> usize {
        let mut done = 0;
        while !self.shared.is_over() {
            self.act();
            done += 1;
        }
        done
    }

    fn act(&mut self) {
        let tag = format!("v{}", self.random.below(MOST_TAGS));
        match self.random.below(18) {
            0..=5 => self.push(&tag),
            6..=8 => self.push_quickly(&tag),
            9..=10 => self.tag_again(&tag),
            11..=12 => self.delete(&tag),
            13..=14 => self.delete_tag(&tag),
            15 => self.delete_all(),
            _ => self.delete_repository(),
        }
    }

    fn image(&mut self) -> Image {
        self.next += 1;
        let recipe = match self.random.below(3) {
            0 => single(),
            1 => platforms(2),
            _ => platforms(3).attested(),
        };
        recipe.seed(self.next).make()
    }

    fn tagged(&self, tag: &str) -> String {
        format!("{}:{tag}", self.repository)
    }

    /// Pushes a new image, to a new tag or to one that is there.
    fn push(&mut self, tag: &str) {
        let image = self.image();
        self.put(tag, &image);
    }

    fn put(&mut self, tag: &str, image: &Image) {
        let tagged = self.tagged(tag);
        self.shared.note(&tagged, image.root());
        let registry = self.shared.registry();
        let login = registry.login();
        skopeo::push_as(login.as_deref(), &registry.door().host, &tagged, image);
        self.tags.insert(tag.to_owned(), image.clone());
    }

    /// Moves a tag several times, as fast as the registry takes it.
    fn push_quickly(&mut self, tag: &str) {
        let tagged = self.tagged(tag);
        for _ in 0..=self.random.below(4) {
            let image = self.image();
            self.shared.note(&tagged, image.root());
            push(&self.shared.registry().door(), &tagged, &image);
            self.tags.insert(tag.to_owned(), image);
        }
    }

    /// Gives another tag the image of one that is there.
    fn tag_again(&mut self, tag: &str) {
        let images: Vec<Image> = self.tags.values().cloned().collect();
        if !images.is_empty() {
            let image = self.random.pick(&images).clone();
            self.put(tag, &image);
        }
    }

    /// Deletes the digest of a tag, with all of its tags.
    fn delete(&mut self, tag: &str) {
        let Some(image) = self.tags.get(tag) else {
            return;
        };
        let root = image.root().to_owned();
        let registry = self.shared.registry();
        let login = registry.login();
        let host = registry.door().host;
        skopeo::delete_as(login.as_deref(), &host, &self.tagged(tag));
        self.tags.retain(|_, image| image.root() != root);
    }

    /// Deletes a tag and no digest, where the registry can.
    fn delete_tag(&mut self, tag: &str) {
        if !self.tags.contains_key(tag) {
            return;
        }
        let path = format!("/v2/{}/manifests/{tag}", self.repository);
        let answer = self.shared.registry().door().ask("DELETE", &path, &[], &[]);
        let answer = answer.expect("it runs");
        if answer.status == 202 {
            self.tags.remove(tag);
        } else {
            assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        }
    }

    fn delete_all(&mut self) {
        for tag in self.tags.keys().cloned().collect::<Vec<_>>() {
            self.delete(&tag);
        }
    }

    /// Pushes to a repository that is deleted as a whole afterwards, where that is a directory.
    fn delete_repository(&mut self) {
        let repository = format!("{}-brief", self.repository);
        let registry = self.shared.registry();
        let Some(directory) = registry.directory(&repository) else {
            return;
        };
        drop(registry);
        for tag in ["v1", "v2"] {
            let image = self.image();
            let tagged = format!("{repository}:{tag}");
            self.shared.note(&tagged, image.root());
            push(&self.shared.registry().door(), &tagged, &image);
        }
        let pause = u64::try_from(self.random.below(1000)).expect("it is a small number");
        std::thread::sleep(Duration::from_millis(pause));
        let _registry = self.shared.registry();
        std::fs::remove_dir_all(&directory).expect("the directory is ours");
    }
}
