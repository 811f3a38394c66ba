//! Real registries that want a login: what it allows to be written is written, and nothing else.

use super::{act, actions, repair};
use crate::support::command::{Finished, verify};
use crate::support::distribution::{
    Damage, Distribution, PASSWORD, READER, USERNAME, write_layout,
};
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

const NAME: &str = "team/app:1";

/// An image that has lost a manifest and a layer, and a copy of it.
struct Broken {
    registry: Distribution,
    image: Image,
    copy: Scratch,
}

impl Broken {
    fn on(mut registry: Distribution) -> Self {
        let image = registry.image(NAME, &platforms(2).attested());
        registry.damage("team/app", image.child(1), Damage::Unlinked);
        registry.damage("team/app", image.layer(0, 1), Damage::Deleted);
        registry.restart();
        let copy = Scratch::new("layout");
        write_layout(&copy, &image);
        Self {
            registry,
            image,
            copy,
        }
    }

    fn repair(&self, user: &str, password: &str) -> Finished {
        repair(&self.registry.reference(NAME))
            .arguments(["--from", &format!("oci:{}", self.copy.path().display())])
            .argument("--apply")
            .variable("PLUGIN_REGISTRY", self.registry.host())
            .variable("PLUGIN_USERNAME", user)
            .variable("PLUGIN_PASSWORD", password)
            .run()
    }

    fn verify(&self) -> Finished {
        verify(&self.registry.reference(NAME))
            .variable("PLUGIN_REGISTRY", self.registry.host())
            .variable("PLUGIN_USERNAME", USERNAME)
            .variable("PLUGIN_PASSWORD", PASSWORD)
            .run()
    }

    /// Its steps, done or not.
    fn steps(&self, done: bool) -> [super::Act; 2] {
        [
            act("upload", self.image.layer(0, 1), done),
            act("put", self.image.child(1), done),
        ]
    }
}

#[test]
fn a_login_that_may_push_puts_everything_back() {
    for registry in [Distribution::htpasswd(), Distribution::token()] {
        let broken = Broken::on(registry);
        let done = broken.repair(USERNAME, PASSWORD).exits(0);
        assert_eq!(actions(&done), broken.steps(true));
        broken.verify().passes();
    }
}

#[test]
fn one_token_is_fetched_to_read_and_one_to_write() {
    let broken = Broken::on(Distribution::token());
    broken.repair(USERNAME, PASSWORD).exits(0);
    let requests = broken.registry.token_server().requests();
    let scopes = requests.iter().map(|request| request.query.clone());
    let scopes: Vec<String> = scopes.collect();
    let writes = scopes.iter().filter(|scope| scope.contains("push"));
    assert_eq!(writes.count(), 1, "{scopes:?}");
}

#[test]
fn a_login_that_may_only_pull_changes_nothing_and_is_told_so() {
    let broken = Broken::on(Distribution::token());
    let done = broken.repair(READER, PASSWORD).exits(1);
    assert_eq!(actions(&done), broken.steps(false));
    let plan = done.report().0["plan"].to_string();
    assert!(plan.contains("403") || plan.contains("401"), "{plan}");
    assert!(!done.stderr.contains(PASSWORD), "{done}");
    assert_eq!(broken.verify().exits(1).report().faults().len(), 2);
}

#[test]
fn a_wrong_password_ends_it_before_anything_is_planned() {
    for registry in [Distribution::htpasswd(), Distribution::token()] {
        let broken = Broken::on(registry);
        let done = broken.repair(USERNAME, "wrong horse").exits(3);
        assert_eq!(done.report().nodes().len(), 1, "{done}");
        broken.verify().exits(1);
    }
}
