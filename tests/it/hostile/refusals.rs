//! 403: of a storage, which knows nothing of our login, and of a registry that delivers the rest.

use super::trial::{DEPTHS, single_image, trial};
use crate::support::fake::Registry;
use crate::support::http::{Reply, Server};
use crate::support::recipe::{platforms, single};

/// What S3 says of a URL whose time is over.
fn expired() -> Reply {
    let words = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    Reply::ok("application/xml", words).but_status(403)
}

#[test]
fn a_storage_that_refuses_is_undecided_and_not_denied() {
    for status in [401, 403] {
        let (registry, image, verify) = single_image();
        let storage = Server::start(move |_| expired().but_status(status));
        for part in [image.config(0), image.layer(0, 0)] {
            registry.on("*", part).redirects_to(&storage.url("/b"));
        }
        for depth in DEPTHS {
            let asked = registry.asked(image.config(0)).len();
            let faults = [image.config(0), image.layer(0, 0)].map(|part| (part, "unavailable"));
            let seen = verify.depth(depth).flag("attempts", "3").run();
            let seen = seen.leaves_open(&faults);
            assert!(!seen.text.contains("`password`"), "{seen}");
            let host = storage.host();
            let detail = format!("redirected to http://{host}: refused with {status}");
            seen.says(image.layer(0, 0), &detail)
                .says(image.config(0), "AccessDenied: Request has expired")
                .prints("hint: the storage that the registry redirects to refuses");
            assert_eq!(registry.asked(image.config(0)).len(), asked + 3);
        }
    }
}

#[test]
fn a_signed_url_that_is_refused_is_replaced() {
    for depth in DEPTHS {
        let (registry, image, verify) = single_image();
        let storage = Server::start(|_| expired());
        for part in [image.config(0), image.layer(0, 0)] {
            let redirects = registry.on("*", part).times(3);
            redirects.redirects_to(&storage.url("/b"));
        }
        verify.depth(depth).run().passes();
    }
}

#[test]
fn one_refusal_among_delivered_content_is_not_believed() {
    for depth in DEPTHS {
        let registry = Registry::start();
        let image = registry.image("app:1", &platforms(2));
        for part in [image.child(0), image.config(1), image.layer(1, 0)] {
            let denied = Reply::error(403, "DENIED", "not now");
            registry.on("*", part).times(1).answers(denied);
        }
        trial(registry.reference("app:1"))
            .depth(depth)
            .run()
            .passes();
    }
}

#[test]
fn a_second_refusal_is_believed() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(2));
    let parts = [image.child(0), image.config(1), image.layer(1, 0)];
    for part in parts {
        registry.on("*", part).answers_status(403);
    }
    trial(registry.reference("app:1"))
        .run()
        .leaves_open(&parts.map(|part| (part, "denied")))
        .prints("`username` and `password`");
    // A layer's last byte comes first: a server may refuse the range alone.
    let asked = parts.map(|part| registry.asked(part).len());
    assert_eq!(asked, [2, 2, 3]);
}

#[test]
fn a_refusal_of_everything_is_believed_at_once() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry.on("*", "").answers_status(403);
    trial(registry.reference("app:1"))
        .run()
        .leaves_open(&[("", "denied")]);
    assert_eq!(registry.requests().len(), 1);
}
