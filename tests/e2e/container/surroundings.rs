//! The container where little is allowed: any user, nothing to write to, no capabilities, and a
//! signal for PID 1.

use std::time::{Duration, Instant};

use super::docker::{NONROOT, PROGRAM, container, docker};
use crate::support::distribution::Distribution;
use crate::support::http::{Break, Reply, Server};
use crate::support::recipe::platforms;

const LITTLE: [&str; 5] = [
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
];

#[test]
fn any_user_can_run_it_on_a_read_only_root_without_capabilities() {
    let registry = Distribution::open();
    registry.image("app:1", &platforms(2));
    let reference = registry.reference("app:1");
    for (image, user) in [
        (PROGRAM, "12345:54321"),
        (PROGRAM, "0:0"),
        (NONROOT, "65532:65532"),
    ] {
        let container =
            container(image)
                .flags(LITTLE)
                .flags(["--user", user, "--workdir", "/nowhere/at/all"]);
        container.run(&["verify", &reference]).exits(0);
    }
}

#[test]
fn sigterm_stops_it_within_a_second_even_as_pid_1() {
    let server = Server::start(|_| Reply::status(200).breaks(Break::Stall, 0));
    let running = container(PROGRAM).start(&["verify", &format!("{}/app:1", server.host())]);
    crate::until("it asks the registry", || !server.requests().is_empty());
    let asked = Instant::now();
    docker(["kill", "--signal", "TERM", &running.name]).exits(0);
    let code = docker(["wait", &running.name]).exits(0).stdout;
    let took = asked.elapsed();
    assert_eq!(code, "143\n");
    assert!(took < Duration::from_secs(1), "{took:?}");
}
