//! Docker Hub's names: `docker.io` is written, `registry-1.docker.io` is asked, and
//! `auth.docker.io` gives the tokens.

use super::trial::{Trial, trial};
use crate::support::authority::Authority;
use crate::support::fake::{Proxy, Registry, Tokens};
use crate::support::http::Server;
use crate::support::recipe::platforms;

const USERNAME: &str = "robot";
const PASSWORD: &str = "hunter2";

/// Gives a trial the login; docker's credential file is the text.
type Login = fn(Trial, &str) -> Trial;

/// Docker Hub on this machine, behind a tunnel that leads its names here; other names lead nowhere.
struct Hub {
    authority: Authority,
    registry: Registry,
    tokens: Server,
    proxy: Proxy,
}

fn hub(tokens: &Tokens) -> Hub {
    let authority = Authority::new();
    let registry = Registry::start_tls(&authority.issue(&["registry-1.docker.io"]));
    registry.image("library/app:latest", &platforms(2));
    registry.guarded(tokens.guard("https://auth.docker.io/token"));
    let tokens = Server::start_tls(
        authority.issue(&["auth.docker.io"]).server(),
        tokens.endpoint(),
    );
    let proxy = Proxy::to(&[
        ("registry-1.docker.io:443", registry.server().port()),
        ("auth.docker.io:443", tokens.port()),
    ]);
    Hub {
        authority,
        registry,
        tokens,
        proxy,
    }
}

impl Hub {
    fn verify(&self, reference: &str) -> Trial {
        trial(reference)
            .trusting(&self.authority)
            .variable("https_proxy", self.proxy.url())
    }
}

#[test]
fn the_short_names_lead_to_the_hub() {
    for reference in [
        "app",
        "library/app",
        "docker.io/app",
        "docker.io/library/app:latest",
        "index.docker.io/app",
    ] {
        let hub = hub(&Tokens::new());
        hub.verify(reference).run().passes();
        let hosts: Vec<_> = hub
            .registry
            .requests()
            .iter()
            .map(|request| request.header("Host").map(str::to_owned))
            .collect();
        assert!(
            hosts
                .iter()
                .all(|host| host.as_deref() == Some("registry-1.docker.io")),
            "{reference}: {hosts:?}"
        );
    }
}

#[test]
fn the_login_of_the_hub_goes_to_its_token_server_alone() {
    let auth = "cm9ib3Q6aHVudGVyMg==";
    let stored = format!(r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{auth}"}}}}}}"#);
    let logins: [Login; 4] = [
        |verify, _| verify.login("docker.io", USERNAME, PASSWORD),
        |verify, _| verify.flag("username", USERNAME).flag("password", PASSWORD),
        |verify, _| verify.login("https://index.docker.io/v1/", USERNAME, PASSWORD),
        |verify, stored| verify.flag("docker-config", stored),
    ];
    for login in logins {
        let hub = hub(&Tokens::new().login(USERNAME, PASSWORD));
        login(hub.verify("app"), &stored).run().passes();
        let basic = |server: &Server| {
            let asked = server.requests();
            asked.iter().any(|request| {
                request
                    .header("Authorization")
                    .is_some_and(|value| value.starts_with("Basic"))
            })
        };
        assert!(basic(&hub.tokens) && !basic(hub.registry.server()));
    }
}

#[test]
fn anonymous_access_to_the_hub_without_a_token_is_denied() {
    let hub = hub(&Tokens::new().login(USERNAME, PASSWORD));
    hub.verify("app").run().leaves_open(&[("", "denied")]);
}
