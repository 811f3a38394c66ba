//! Registries that limit the rate of requests, in several forms.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use super::trial::trial;
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::recipe::single;

/// What Docker Hub sends: no JSON, and lines that end without a carriage return.
const PLAIN: &str = "HTTP/1.1 429 Too Many Requests\nRetry-After: 1\nContent-Length: 34\nContent-Type: text/html\n\n\
                     Too Many Requests (HAP429).\nSorry.";

#[test]
fn a_retry_after_pauses_every_request_to_that_host() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single().layers(12));
    let times: Arc<Mutex<Vec<(bool, Instant)>>> = Arc::default();
    for layer in 0..12 {
        let times = Arc::clone(&times);
        registry
            .on("GET", image.layer(0, layer))
            .alters(move |_, reply| {
                let mut times = times.lock().unwrap();
                let first = times.is_empty();
                times.push((first, Instant::now()));
                if first {
                    return Reply::ok("text/plain", "slow down\n")
                        .but_status(429)
                        .header("Retry-After", "1");
                }
                reply.delayed(Duration::from_millis(20))
            });
    }
    trial(registry.reference("app:1"))
        .flag("concurrency", "2")
        .run()
        .passes();
    let times = times.lock().unwrap();
    let begun = times[0].1;
    // The one that was under way already may have come in between.
    let early = times[1..]
        .iter()
        .filter(|(_, at)| *at < begun + Duration::from_millis(990))
        .count();
    assert!(early <= 1, "{early} did not wait: {times:?}");
    assert_eq!(times.len(), 13);
}

#[test]
fn a_retry_after_may_be_seconds_or_a_date() {
    let date = || {
        // A date has whole seconds: at least one of these two is left.
        httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2))
    };
    let answers: [(&str, Reply); 3] = [
        (
            "seconds",
            Reply::error(429, "TOOMANYREQUESTS", "slow down").header("Retry-After", "1"),
        ),
        (
            "a date",
            Reply::ok("text/html", "<p>slow down")
                .but_status(429)
                .header("Retry-After", date()),
        ),
        ("Docker Hub's", Reply::raw(PLAIN)),
    ];
    std::thread::scope(|scope| {
        for (what, reply) in answers {
            scope.spawn(move || {
                let registry = Registry::start();
                let image = registry.image("app:1", &single());
                registry
                    .on("GET", image.layer(0, 0))
                    .times(1)
                    .answers(reply);
                let seen = trial(registry.reference("app:1")).run().passes();
                assert!(seen.took > Duration::from_millis(900), "{what}: {seen}");
            });
        }
    });
}

#[test]
fn a_retry_after_date_is_read_by_the_servers_clock() {
    const HOUR: Duration = Duration::from_secs(60 * 60);
    let now = SystemTime::now();
    std::thread::scope(|scope| {
        for clock in [now - HOUR, now, now + HOUR] {
            scope.spawn(move || {
                let registry = Registry::start();
                let image = registry.image("app:1", &single());
                let until = httpdate::fmt_http_date(clock + Duration::from_secs(1));
                let busy = Reply::status(503)
                    .header("Date", httpdate::fmt_http_date(clock))
                    .header("Retry-After", until);
                registry.on("GET", image.layer(0, 0)).times(1).answers(busy);
                let seen = trial(registry.reference("app:1")).run().passes();
                assert!(seen.took >= Duration::from_millis(990), "{seen}");
                assert!(seen.took < Duration::from_secs(10), "{seen}");
            });
        }
    });
}

#[test]
fn an_invalid_retry_after_is_ignored() {
    for wait in ["soon", "-5", "", "1e9", "99999999999999999999999999"] {
        let registry = Registry::start();
        let image = registry.image("app:1", &single());
        registry
            .on("GET", image.layer(0, 0))
            .times(2)
            .throttles(wait);
        trial(registry.reference("app:1")).run().passes();
    }
}

#[test]
fn a_registry_that_throttles_to_the_end_is_undecided() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry.on("GET", image.layer(0, 0)).throttles("0");
    let seen = trial(registry.reference("app:1"))
        .flag("attempts", "3")
        .run();
    seen.leaves_open(&[(image.layer(0, 0), "rate_limited")])
        .says(image.layer(0, 0), "429");
    assert_eq!(registry.asked(image.layer(0, 0)).len(), 3);
}

#[test]
fn a_wait_longer_than_the_run_is_not_started() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry.on("GET", image.layer(0, 0)).throttles("86400");
    let seen = trial(registry.reference("app:1"))
        .run()
        .leaves_open(&[(image.layer(0, 0), "rate_limited")]);
    assert!(seen.took < Duration::from_secs(10), "{seen}");
    assert_eq!(registry.asked(image.layer(0, 0)).len(), 1);
}

#[test]
fn an_overloaded_server_may_state_a_wait() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry
        .on("GET", image.layer(0, 0))
        .times(1)
        .answers(Reply::status(503).header("Retry-After", "1"));
    let seen = trial(registry.reference("app:1")).run().passes();
    assert!(seen.took >= Duration::from_millis(990), "{seen}");
}
