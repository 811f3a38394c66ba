//! Errors about settings say what is wrong, but do not show secrets.

use super::plant::{Face, Planted, set, shows_nothing};
use crate::support::command::Pullproof;

type Mistake = fn(Pullproof, Face, &str) -> Pullproof;

/// Settings that are refused, with a secret somewhere in them.
const REFUSED: [(&str, Mistake); 24] = [
    ("a password without a user", |run, face, secret| {
        set(run, face, "password", secret)
    }),
    ("logins that are a text", |run, face, secret| {
        set(run, face, "logins", secret)
    }),
    ("logins that are broken JSON", |run, face, secret| {
        set(run, face, "logins", format!("[{{\"password\": \"{secret}"))
    }),
    ("logins that are broken YAML", |run, face, secret| {
        set(
            run,
            face,
            "logins",
            format!("- registry: a\n  password: [{secret}\n"),
        )
    }),
    ("logins that are a list of texts", |run, face, secret| {
        set(run, face, "logins", format!("[\"{secret}\"]"))
    }),
    ("a login without a user", |run, face, secret| {
        set(
            run,
            face,
            "logins",
            serde_json::json!([{"registry": "a", "password": secret}]).to_string(),
        )
    }),
    ("a login whose password is a list", |run, face, secret| {
        set(
            run,
            face,
            "logins",
            serde_json::json!([{"username": "me", "password": [secret]}]).to_string(),
        )
    }),
    ("a login whose user is a map", |run, face, secret| {
        set(
            run,
            face,
            "logins",
            serde_json::json!([{"username": {secret: 1}, "password": secret}]).to_string(),
        )
    }),
    ("docker_config that is broken JSON", |run, face, secret| {
        set(
            run,
            face,
            "docker_config",
            format!("{{\"auths\": {{\"a\": {{\"auth\": \"{secret}"),
        )
    }),
    ("docker_config that is no object", |run, face, secret| {
        set(
            run.file("docker.json", format!("[\"{secret}\"]")),
            face,
            "docker_config",
            "docker.json",
        )
    }),
    (
        "docker_config that is the secret itself",
        |run, face, secret| set(run, face, "docker_config", secret),
    ),
    ("docker_config in base64", |run, face, secret| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD
            .encode(format!("{{\"auths\": \"{secret}\"}}"));
        set(run, face, "docker_config", text)
    }),
    ("a map that is broken", |run, face, secret| {
        set(run, face, "variables", format!("{{\"A\": \"{secret}"))
    }),
    ("a map of maps", |run, face, secret| {
        set(
            run,
            face,
            "variables",
            serde_json::json!({"A": {"B": secret}}).to_string(),
        )
    }),
    ("a map without names", |run, face, secret| {
        set(run, face, "variables", secret)
    }),
    ("a server with a user", |run, face, secret| {
        set(
            run,
            face,
            "woodpecker_url",
            format!("https://me:{secret}@ci.example"),
        )
    }),
    ("a server with a query", |run, face, secret| {
        set(
            run,
            face,
            "woodpecker_url",
            format!("https://ci.example/?access_token={secret}"),
        )
    }),
    ("a server that is no URL", |run, face, secret| {
        set(
            run,
            face,
            "woodpecker_url",
            format!("https://me:{secret}@[ci.example"),
        )
    }),
    ("a reference with a user", |run, face, secret| {
        set(
            run,
            face,
            "images",
            format!("https://me:{secret}@registry.example/app:1"),
        )
    }),
    ("a repository with a user", |run, face, secret| {
        set(
            run,
            face,
            "repo",
            format!("https://me:{secret}@registry.example/app"),
        )
    }),
    ("a misspelled flag", |run, _, secret| {
        run.argument(format!("--pasword={secret}"))
    }),
    ("two values for one setting", |run, face, secret| {
        set(
            set(run, face, "token", secret),
            face,
            "woodpecker_token",
            format!("{secret}2"),
        )
    }),
    ("a short flag", |run, _, secret| {
        run.argument(format!("-p{secret}"))
    }),
    ("a rebuild over plain HTTP", |run, face, secret| {
        let run = set(
            set(run, face, "on_broken", "rebuild"),
            face,
            "woodpecker_url",
            "http://ci.example",
        );
        set(
            set(run, face, "woodpecker_token", secret),
            face,
            "woodpecker_repo",
            "a/b",
        )
    }),
];

/// Mistakes that are warned of; the run goes on, and no registry answers.
const WARNED: [(&str, Mistake); 6] = [
    ("docker's file that is no JSON", |run, _, secret| {
        run.file(".docker/config.json", secret)
    }),
    ("docker's file that is a list", |run, _, secret| {
        run.file(".docker/config.json", format!("[\"{secret}\"]"))
    }),
    ("docker's file with text for logins", |run, _, secret| {
        run.file(
            ".docker/config.json",
            serde_json::json!({"auths": secret}).to_string(),
        )
    }),
    ("docker's file with odd helpers", |run, _, secret| {
        run.file(
            ".docker/config.json",
            serde_json::json!({"credHelpers": {"a": [secret]}}).to_string(),
        )
    }),
    ("an entry that is no base64", |run, _, secret| {
        run.file(
            ".docker/config.json",
            serde_json::json!({"auths": {"127.0.0.1:1": {"auth": secret}}}).to_string(),
        )
    }),
    ("a setting that is not known", |run, face, secret| {
        set(run, face, "pasword", secret)
    }),
];

#[test]
fn wrong_settings_are_refused_without_their_secrets() {
    for (name, mistake) in REFUSED {
        let planted = Planted::token("mistake");
        println!("{name}");
        shows_nothing(&[&planted], 2, |face, run| {
            mistake(
                set(run, face, "images", "127.0.0.1:1/app:1"),
                face,
                &planted.value,
            )
        });
    }
}

#[test]
fn warnings_about_odd_files_contain_no_secrets() {
    for (name, mistake) in WARNED {
        let planted = Planted::token("odd");
        println!("{name}");
        let registry = crate::support::fake::Registry::start();
        registry.image("app:1", &crate::support::recipe::single());
        registry.guarded(crate::support::fake::guard::refusal_of_all());
        shows_nothing(&[&planted], 3, |face, run| {
            let run = run.argument(registry.reference("app:1"));
            mistake(run, face, &planted.value)
        });
    }
}

#[test]
fn a_wrong_proxy_is_refused_without_its_password() {
    let planted = Planted::token("proxy");
    for address in [
        "http://me:{}@[bad",
        "socks9://me:{}@proxy.example",
        "http://me:{}@proxy.example:port",
    ] {
        let address = address.replace("{}", &planted.value);
        shows_nothing(&[&planted], 4, |_, run| {
            run.variable("https_proxy", &address)
                .argument("registry.test/app:1")
        });
    }
}

#[test]
fn a_refused_connection_is_reported_without_secrets() {
    let (password, token) = (
        Planted::password("unreachable"),
        Planted::token("variables"),
    );
    shows_nothing(&[&password, &token], 4, |face, run| {
        let run = set(
            set(run, face, "username", "me"),
            face,
            "password",
            &password.value,
        );
        let run = set(
            set(run, face, "registry", "127.0.0.1:1"),
            face,
            "variables",
            format!("A={}", token.value),
        );
        set(run, face, "woodpecker_token", &token.value).argument("127.0.0.1:1/app:1")
    });
}
