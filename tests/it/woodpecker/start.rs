//! Starting a pipeline: the request, and every answer.

use pullproof::rebuild::plan::{Method, OwnPipeline, RepositoryName, Restart};
use pullproof::rebuild::woodpecker::ApiError;
use pullproof::rebuild::{Ending, NotStarted};
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn a_pipeline_starts_on_the_default_branch_and_is_followed() {
    let fake = server();
    let ran = Case::new(&fake).run().await;
    let rebuilt = ran.rebuilt();
    assert_eq!(rebuilt.ending, Ending::Succeeded);
    assert_eq!(
        (rebuilt.pipeline.number, &*rebuilt.pipeline.status),
        (12, "success")
    );
    assert_eq!(
        rebuilt.pipeline.url,
        fake.url("/repos/7/pipeline/12").as_str()
    );
    assert_contains(&rebuilt.to_string(), "pipeline #12 succeeded after");
    let asked: Value = serde_json::from_str(&fake.requests_to(CREATE)[0].body).unwrap();
    let variables = json!({"PULLPROOF_RUN": MARK, "PULLPROOF_REBUILD": "1"});
    assert_eq!(asked, json!({"branch": "trunk", "variables": variables}));
}

#[tokio::test]
async fn the_users_branch_and_variables_are_sent() {
    let fake = server();
    let case = Case::new(&fake).set(|plan| {
        plan.branch = Some("release/1".into());
        plan.variables = BTreeMap::from([("REBUILD".into(), "app".into())]);
    });
    let ran = case.run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    assert!(!ran.noticed("3.18.0"), "{:?}", ran.notices);
    let asked: Value = serde_json::from_str(&fake.requests_to(CREATE)[0].body).unwrap();
    assert_eq!(
        (&asked["branch"], &asked["variables"]["REBUILD"]),
        (&json!("release/1"), &json!("app"))
    );
}

#[tokio::test]
async fn a_repository_is_found_by_its_name() {
    let fake = server();
    let repository = json!({"id": 7, "full_name": "group/sub/app", "default_branch": "trunk"});
    fake.on(
        "GET /api/repos/lookup/group/sub/app",
        [Reply::json(&repository)],
    );
    let name = RepositoryName::Path("group/sub/app".into());
    let ran = Case::new(&fake)
        .set(|plan| plan.repository = name)
        .run()
        .await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
}

#[tokio::test]
async fn a_server_with_a_path_keeps_it() {
    let fake = Fake::start();
    fake.on(
        "GET /wood/api/repos/7",
        [Reply::json(&json!({"id": 7, "default_branch": "trunk"}))],
    )
    .on(
        "POST /wood/api/repos/7/pipelines",
        [Reply::json(&pipeline("pending"))],
    )
    .on(
        "GET /wood/api/repos/7/pipelines/12",
        [Reply::json(&pipeline("success"))],
    );
    for path in ["/wood", "/wood/"] {
        let ran = Case::new(&fake)
            .set(|plan| plan.server = fake.url(path))
            .run()
            .await;
        assert_eq!(
            ran.rebuilt().pipeline.url,
            fake.url("/wood/repos/7/pipeline/12").as_str()
        );
    }
}

#[tokio::test]
async fn a_pipeline_that_is_not_awaited_is_only_started() {
    let fake = server();
    let ran = Case::new(&fake).set(|plan| plan.wait = false).run().await;
    assert_eq!(
        (ran.rebuilt().ending, &*ran.rebuilt().pipeline.status),
        (Ending::NotAwaited, "pending")
    );
    assert_eq!(fake.requests_to(PIPELINE).len(), 0);
}

#[tokio::test]
async fn a_repository_without_default_branch_needs_one_named() {
    let fake = server();
    fake.on(
        REPOSITORY,
        [Reply::json(&json!({"id": 7, "full_name": "me/app"}))],
    );
    let (message, hint) = Case::new(&fake).run().await.refusal();
    assert_contains(&message, "no default branch for me/app");
    assert_eq!(hint, "set `branch`");
    let case = Case::new(&fake).set(|plan| plan.branch = Some("main".into()));
    assert_eq!(case.run().await.rebuilt().ending, Ending::Succeeded);
}

#[tokio::test]
async fn a_pipeline_that_fails_at_once_was_not_started() {
    let fake = server();
    let secret =
        r#"secret "registry_password" is not allowed to be used with pipeline event "manual""#;
    let errors = json!([
        {"type": "deprecation", "message": "old syntax", "is_warning": true},
        {"type": "compiler", "message": secret, "is_warning": false},
    ]);
    let dead = with(
        pipeline("error"),
        json!({"errors": errors, "started": 5, "finished": 5}),
    );
    fake.on(CREATE, [Reply::json(&dead)]);
    let ran = Case::new(&fake).run().await;
    let (message, hint) = ran.refusal();
    assert_eq!(message, format!("pipeline #12 was not started: {secret}"));
    assert_contains(&hint, "allow the event `manual` for this secret");
    let kept = ran.result.unwrap_err().pipeline().cloned().unwrap();
    assert_eq!((kept.number, &*kept.status), (12, "error"));
    assert_eq!(kept.url, fake.url("/repos/7/pipeline/12").as_str());
}

#[tokio::test]
async fn a_filtered_pipeline_is_reported_with_what_to_add() {
    let fake = server();
    fake.on(
        CREATE,
        [Reply::status(204).header("pipeline-filtered", "true")],
    );
    let (message, hint) = Case::new(&fake).run().await.refusal();
    assert_contains(
        &message,
        "no workflow on the branch trunk accepts the event `manual`",
    );
    assert_contains(&hint, "when: [{event: manual}]");
    assert_contains(&hint, "no workflow file on that branch");
    assert!(!hint.contains("3.18.0"), "{hint}");
    assert_eq!(fake.starts(), 1);
}

#[tokio::test]
async fn the_version_that_hides_variables_is_warned_of_and_named_when_filtered() {
    let fake = server();
    let repository =
        json!({"id": 7, "full_name": "me/app", "default_branch": "trunk", "active": true});
    fake.on(
        CREATE,
        [Reply::status(204).header("pipeline-filtered", "true")],
    )
    .on(
        REPOSITORY,
        [Reply::json(&repository).header("x-woodpecker-version", "3.18.0")],
    );
    let variables = BTreeMap::from([("REBUILD".to_owned(), "app".to_owned())]);
    let ran = Case::new(&fake)
        .set(|plan| plan.variables = variables)
        .run()
        .await;
    assert!(
        ran.noticed("3.18.0") && ran.noticed("#7077"),
        "{:?}",
        ran.notices
    );
    assert_contains(&ran.refusal().1, "#7077");
}

#[tokio::test]
async fn either_empty_answer_means_an_unloadable_configuration() {
    for reply in [Reply::status(204), Reply::json(&Value::Null)] {
        let fake = server();
        fake.on(CREATE, [reply]).on(LIST, [Reply::json(&json!([]))]);
        let (message, hint) = Case::new(&fake).run().await.refusal();
        assert_contains(&message, "could not load the pipeline's configuration");
        assert_contains(&hint, "syntax error");
        assert_eq!(fake.starts(), 1);
    }
}

#[tokio::test]
async fn an_unloadable_configuration_is_reported_in_the_servers_words() {
    let fake = server();
    let errors =
        json!([{"message": "could not load config from forge: yaml: line 3", "is_warning": false}]);
    let dead = with(ours("error"), json!({"errors": errors}));
    fake.on(CREATE, [Reply::status(204)])
        .on(LIST, [Reply::json(&json!([dead, pipeline("success")]))]);
    let (message, _) = Case::new(&fake).run().await.refusal();
    assert_eq!(
        message,
        "pipeline #12 was not started: could not load config from forge: yaml: line 3"
    );
}

#[tokio::test]
async fn a_web_page_is_not_a_pipeline() {
    let fake = server();
    fake.on(CREATE, [Reply::web_page()]);
    let (message, hint) = Case::new(&fake).run().await.refusal();
    assert_contains(&message, "web page, not Woodpecker's API");
    let server = fake.url("").to_string();
    let said = format!("woodpecker_url is {}: ", server.trim_end_matches('/'));
    assert_contains(&hint, &said);
    assert_eq!(fake.starts(), 1);

    fake.on(REPOSITORY, [Reply::web_page()]);
    assert_contains(
        &Case::new(&fake).run().await.refusal().0,
        "find the repository number 7",
    );
    assert_eq!(fake.starts(), 1);
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_reported_with_the_server() {
    let fake = server();
    let (message, hint) = Case::new(&fake)
        .set(|plan| plan.token = token("wrong"))
        .run()
        .await
        .refusal();
    let server = fake.url("").to_string();
    let server = server.trim_end_matches('/');
    assert_eq!(
        message,
        format!("failed to find the repository number 7: {server} does not accept the token (401)")
    );
    assert_contains(&hint, "woodpecker_token");

    // A public repository can be read without a token.
    fake.on(CREATE, [Reply::status(401).body("User not authorized")]);
    assert_contains(
        &Case::new(&fake).run().await.refusal().0,
        "start a pipeline on the branch trunk",
    );
}

#[tokio::test]
async fn not_found_is_reported_with_its_three_meanings() {
    for route in [REPOSITORY, CREATE] {
        let fake = server();
        fake.on(route, [Reply::status(404)]);
        let (message, hint) = Case::new(&fake).run().await.refusal();
        assert_contains(&message, "not found (404)");
        for meaning in ["name or number", "activated", "may push"] {
            assert_contains(&hint, meaning);
        }
    }
}

#[tokio::test]
async fn an_inactive_repository_is_reported_before_anything_starts() {
    let fake = server();
    fake.on(
        REPOSITORY,
        [Reply::json(
            &json!({"id": 7, "full_name": "me/app", "active": false}),
        )],
    );
    let (message, hint) = Case::new(&fake).run().await.refusal();
    assert_contains(&message, "me/app is not active");
    assert_contains(&hint, "activate it");
    assert_eq!(fake.starts(), 0);
}

#[tokio::test]
async fn an_empty_500_is_tried_again_and_is_about_the_forge_or_the_branch() {
    let fake = server();
    fake.on(CREATE, [Reply::status(500)])
        .on(LIST, [Reply::json(&json!([]))]);
    let ran = Case::new(&fake).run().await;
    let (message, hint) = ran.refusal();
    assert_contains(&message, "answered 500");
    assert_contains(&hint, "forge down or slow");
    assert_contains(&hint, "branch trunk exists");
    assert_contains(&hint, "log in to Woodpecker again");
    assert!(ran.noticed("answered 500; retrying in 1ms"), "{ran:?}");
    assert_eq!((fake.starts(), fake.requests_to(LIST).len()), (3, 3));
}

#[tokio::test]
async fn after_a_500_the_list_is_searched_before_each_further_try() {
    let fake = server();
    fake.on(
        CREATE,
        [
            Reply::status(500),
            Reply::status(500),
            Reply::json(&pipeline("pending")),
        ],
    )
    .on(LIST, [Reply::json(&json!([]))]);
    let ran = Case::new(&fake).run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    let order = fake.requests();
    let order: Vec<&str> = order.iter().map(|request| &*request.route).collect();
    let asked = [REPOSITORY, CREATE, LIST, CREATE, LIST, CREATE, PIPELINE];
    assert_eq!(order, asked);
}

#[tokio::test]
async fn a_pipeline_that_was_created_in_spite_of_a_500_is_followed() {
    for status in ["created", "pending", "running"] {
        let fake = server();
        fake.on(CREATE, [Reply::status(500)])
            .on(LIST, [Reply::json(&json!([ours(status)]))]);
        let ran = Case::new(&fake).run().await;
        assert_eq!(
            (ran.rebuilt().ending, ran.rebuilt().pipeline.number),
            (Ending::Succeeded, 12),
            "{status}"
        );
        assert_eq!(fake.starts(), 1, "{status}");
    }
}

#[tokio::test]
async fn what_a_500_left_with_an_error_is_reported_in_the_servers_words() {
    let fake = server();
    let errors = json!([{"message": "no such secret", "is_warning": false}]);
    let dead = with(ours("error"), json!({"errors": errors}));
    fake.on(CREATE, [Reply::status(500)])
        .on(LIST, [Reply::json(&json!([dead]))]);
    assert_eq!(
        Case::new(&fake).run().await.refusal().0,
        "pipeline #12 was not started: no such secret"
    );
    assert_eq!(fake.starts(), 1);
}

#[tokio::test]
async fn a_redirect_is_refused_and_the_address_to_use_is_named() {
    let fake = server();
    let elsewhere = "https://ci.example/wood/api/repos/7/pipelines?x=y";
    fake.on(CREATE, [Reply::status(301).header("location", elsewhere)]);
    let (message, hint) = Case::new(&fake).run().await.refusal();
    assert_contains(&message, "refused to follow a redirect (301)");
    assert_eq!(hint, "set woodpecker_url to https://ci.example/wood");
    assert_eq!(fake.starts(), 1);
}

#[tokio::test]
async fn any_other_refusal_is_reported_in_the_servers_words() {
    let fake = server();
    fake.on(CREATE, [Reply::status(400).body("no\nway")]);
    assert_contains(
        &Case::new(&fake).run().await.refusal().0,
        "the server refused (400): no way",
    );
}

#[tokio::test]
async fn the_repository_is_asked_for_again_while_the_server_is_away() {
    let fake = server();
    let found = Reply::json(&json!({"id": 7, "default_branch": "trunk"}));
    fake.on(REPOSITORY, [Reply::status(502), Reply::Close, found]);
    let ran = Case::new(&fake).run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    assert!(ran.noticed("502"), "{:?}", ran.notices);
}

#[tokio::test]
async fn after_a_lost_answer_our_pipeline_is_found_in_the_list() {
    let lost = [502, 503, 504].map(Reply::status).into_iter().chain([
        Reply::Close,
        Reply::Hang,
        Reply::CutShort(r#"{"number": 12, "#.into()),
        Reply::status(200),
        Reply::status(200).body(r#"{"number": 1"#),
    ]);
    for reply in lost {
        let fake = server();
        let other = with(
            ours("running"),
            json!({"number": 13, "variables": {"PULLPROOF_RUN": "another"}}),
        );
        fake.on(CREATE, [reply.clone()])
            .on(LIST, [Reply::json(&json!([other, ours("running")]))]);
        let ran = Case::new(&fake).impatient().run().await;
        assert_eq!(
            (ran.rebuilt().ending, ran.rebuilt().pipeline.number),
            (Ending::Succeeded, 12),
            "{reply:?}"
        );
        assert!(
            ran.noticed("checking whether a pipeline was started"),
            "{:?}",
            ran.notices
        );
        assert_eq!(fake.starts(), 1, "{reply:?}");
        let query = &fake.requests_to(LIST)[0].query;
        assert_eq!((&*query["event"], &*query["branch"]), ("manual", "trunk"));
    }
}

#[tokio::test]
async fn a_pipeline_that_appears_late_is_not_started_twice() {
    let fake = server();
    let (nothing, found) = (
        Reply::json(&json!([])),
        Reply::json(&json!([ours("running")])),
    );
    fake.on(CREATE, [Reply::status(504)])
        .on(LIST, [nothing.clone(), nothing.clone(), nothing, found]);
    let ran = Case::new(&fake).run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    assert_eq!((fake.starts(), fake.requests_to(LIST).len()), (1, 4));
}

#[tokio::test]
async fn another_starts_only_when_the_list_stays_without_ours() {
    let fake = server();
    fake.on(CREATE, [Reply::Close, Reply::json(&pipeline("pending"))])
        .on(LIST, [Reply::json(&json!([]))]);
    let ran = Case::new(&fake).impatient().run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    assert_eq!(fake.starts(), 2);
    let order: Vec<String> = fake
        .requests()
        .into_iter()
        .map(|request| request.route)
        .collect();
    let (first, second) = (
        order.iter().position(|route| route == CREATE),
        order.iter().rposition(|route| route == CREATE),
    );
    assert!(
        order[first.unwrap()..second.unwrap()].contains(&LIST.to_owned()),
        "{order:?}"
    );
}

#[tokio::test]
async fn when_the_list_cannot_be_read_nothing_more_is_started() {
    for status in [500, 503] {
        let fake = server();
        fake.on(CREATE, [Reply::status(status)])
            .on(LIST, [Reply::status(503)]);
        let ran = Case::new(&fake).run().await;
        assert!(
            matches!(ran.result, Err(NotStarted::Unknown { .. })),
            "{ran:?}"
        );
        let (message, hint) = ran.refusal();
        assert_contains(&message, "it is unknown whether a pipeline was started");
        assert_contains(&hint, "PULLPROOF_RUN=the-mark");
        assert_contains(&hint, fake.url("/repos/7").as_str());
        assert_eq!(fake.starts(), 1);
    }
}

#[tokio::test]
async fn an_unreachable_server_is_named_without_the_requests_address() {
    let fake = server();
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{gone}").parse().unwrap();
    let ran = Case::new(&fake).set(|plan| plan.server = url).run().await;
    assert!(
        matches!(
            ran.result,
            Err(NotStarted::Server(ApiError::Unreachable { .. }))
        ),
        "{ran:?}"
    );
    let named =
        format!("failed to find the repository number 7: http://{gone} could not be reached: ");
    assert_contains(&ran.refusal().0, &named);
    assert!(!ran.refusal().0.contains("/api/"), "{ran:?}");
    assert_contains(&ran.refusal().1, "woodpecker_url");
}

#[tokio::test]
async fn an_interruption_before_the_answer_is_reported_as_one() {
    let fake = server();
    fake.on(CREATE, [Reply::Hang]);
    let stop = async {
        while fake.starts() == 0 {
            tokio::task::yield_now().await;
        }
    };
    let ran = Case::new(&fake).run_until(|_| false, stop).await;
    assert!(
        matches!(ran.result, Err(NotStarted::Interrupted)),
        "{ran:?}"
    );
}

/// A server that restarts #5 as #12.
fn restarting_server(answer: Reply) -> Fake {
    let fake = server();
    let old = with(
        pipeline("failure"),
        json!({"id": 105, "number": 5, "event": "tag"}),
    );
    fake.on("GET /api/repos/7/pipelines/5", [Reply::json(&old)])
        .on("GET /api/repos/7/pipelines/latest", [Reply::json(&old)])
        .on("POST /api/repos/7/pipelines/5", [answer])
        .on(
            LIST,
            [Reply::json(&json!([with(
                pipeline("success"),
                json!({"number": 11})
            )]))],
        );
    fake
}

#[tokio::test]
async fn a_pipeline_is_restarted_by_its_number_with_variables() {
    let fake = restarting_server(Reply::json(&pipeline("pending")));
    let case = Case::new(&fake).set(|plan| {
        plan.method = Method::Restart(Restart::Number(5));
        plan.variables = BTreeMap::from([("A B".into(), "x&y=z".into())]);
    });
    assert_eq!(case.run().await.rebuilt().ending, Ending::Succeeded);
    let query = &fake.requests_to("POST /api/repos/7/pipelines/5")[0].query;
    let expected = [
        ("A B", "x&y=z"),
        ("PULLPROOF_REBUILD", "1"),
        ("PULLPROOF_RUN", MARK),
    ];
    assert_eq!(
        *query,
        expected
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    );
}

#[tokio::test]
async fn the_newest_pipeline_of_a_branch_is_restarted() {
    let fake = restarting_server(Reply::json(&pipeline("pending")));
    let case = Case::new(&fake).set(|plan| {
        plan.method = Method::Restart(Restart::Latest);
        plan.branch = Some("release".into());
    });
    assert_eq!(case.run().await.rebuilt().ending, Ending::Succeeded);
    assert_eq!(
        fake.requests_to("GET /api/repos/7/pipelines/latest")[0].query["branch"],
        "release"
    );
}

#[tokio::test]
async fn without_a_push_the_newest_other_event_but_pull_requests_is_restarted() {
    let fake = restarting_server(Reply::json(&pipeline("pending")));
    let listed = |number: u64, event: &str, branch: &str| {
        with(
            pipeline("success"),
            json!({"number": number, "event": event, "branch": branch}),
        )
    };
    let list = json!([
        listed(11, "cron", "trunk"),
        listed(10, "pull_request", "trunk"),
        listed(9, "pull_request_closed", "trunk"),
        listed(8, "manual", "other"),
        listed(5, "manual", "trunk"),
        listed(4, "manual", "trunk"),
    ]);
    fake.on("GET /api/repos/7/pipelines/latest", [Reply::status(404)])
        .on(LIST, [Reply::json(&list)]);
    let own = OwnPipeline {
        event: Some("cron".into()),
        number: Some(11),
        repository: Some(7),
        server: Some(fake.url("")),
        ..OwnPipeline::default()
    };
    let latest = |plan: &mut Plan| {
        (plan.method, plan.own) = (Method::Restart(Restart::Latest), own);
    };
    assert_eq!(
        Case::new(&fake).set(latest).run().await.rebuilt().ending,
        Ending::Succeeded
    );
    assert_eq!(fake.requests_to("POST /api/repos/7/pipelines/5").len(), 1);
    assert_eq!(fake.requests_to(LIST)[0].query["branch"], "trunk");
}

#[tokio::test]
async fn what_nobody_has_approved_is_not_restarted() {
    for (status, why, what) in [
        (
            "blocked",
            "blocked until a person approves it",
            "approve it on",
        ),
        (
            "declined",
            "a person declined it",
            "push again and approve that",
        ),
    ] {
        let fake = restarting_server(Reply::Close);
        let old = with(pipeline(status), json!({"id": 105, "number": 5}));
        fake.on("GET /api/repos/7/pipelines/5", [Reply::json(&old)]);
        let ran = Case::new(&fake)
            .set(|plan| plan.method = Method::Restart(Restart::Number(5)))
            .run()
            .await;
        let (message, hint) = ran.refusal();
        assert_contains(&message, "failed to restart pipeline #5: ");
        assert_contains(&message, why);
        assert_contains(&hint, what);
        let page = fake.url("/repos/7/pipeline/5");
        assert!(hint.ends_with(page.as_str()), "{hint}");
        assert_eq!(fake.starts(), 0);
    }
}

/// A server whose newest pipelines of `trunk` are these, newest first, of which #5 can be restarted.
fn with_pipelines(list: &[(u64, &str, &str)]) -> Fake {
    let fake = restarting_server(Reply::json(&pipeline("pending")));
    let listed = |(number, event, status): &(u64, &str, &str)| {
        with(
            pipeline(status),
            json!({"number": number, "event": event, "commit": format!("c{number}")}),
        )
    };
    let newest_push = list.iter().find(|(_, event, _)| *event == "push");
    let latest = newest_push.map_or(Reply::status(404), |push| Reply::json(&listed(push)));
    fake.on("GET /api/repos/7/pipelines/latest", [latest])
        .on(LIST, [Reply::json(&list.iter().map(listed).collect())]);
    fake
}

async fn latest(fake: &Fake) -> Ran {
    let case = Case::new(fake).set(|plan| plan.method = Method::Restart(Restart::Latest));
    case.run().await
}

#[tokio::test]
async fn latest_is_the_newest_that_nobody_blocked_or_declined() {
    let all = [
        (9, "push", "declined"),
        (8, "manual", "success"),
        (7, "push", "blocked"),
        (5, "push", "failure"),
        (4, "push", "success"),
    ];
    let fake = with_pipelines(&all);
    let ran = latest(&fake).await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    let said = "pipeline #9 is declined, so the newest approved one is restarted: #5";
    assert!(ran.noticed(said), "{:?}", ran.notices);

    let fake = with_pipelines(&[(9, "cron", "blocked"), (5, "manual", "failure")]);
    let ran = latest(&fake).await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    assert!(
        ran.noticed("pipeline #9 is blocked, so"),
        "{:?}",
        ran.notices
    );

    let fake = with_pipelines(&[(9, "push", "blocked"), (8, "push", "declined")]);
    let (message, hint) = latest(&fake).await.refusal();
    assert_contains(&message, "failed to restart pipeline #9: it is blocked");
    assert!(
        hint.ends_with(fake.url("/repos/7/pipeline/9").as_str()),
        "{hint}"
    );
    assert_eq!(fake.starts(), 0);
}

#[tokio::test]
async fn a_branch_without_pipelines_has_nothing_to_restart() {
    let fake = restarting_server(Reply::Close);
    fake.on("GET /api/repos/7/pipelines/latest", [Reply::status(404)])
        .on(LIST, [Reply::json(&json!([]))]);
    let ran = Case::new(&fake)
        .set(|plan| plan.method = Method::Restart(Restart::Latest))
        .run()
        .await;
    assert_contains(
        &ran.refusal().0,
        "find the newest pipeline of the branch trunk",
    );
    assert_contains(&ran.refusal().1, "name one by its number");
    assert_eq!(fake.starts(), 0);
}

#[tokio::test]
async fn variables_that_a_restart_keeps_are_warned_of_by_name_alone() {
    let fake = restarting_server(Reply::json(&pipeline("pending")));
    let variables = json!({"A": "old", "B": "same", "PULLPROOF_REBUILD": "1"});
    fake.on(
        "GET /api/repos/7/pipelines/5",
        [Reply::json(&with(
            pipeline("failure"),
            json!({"number": 5, "variables": variables}),
        ))],
    );
    let case = Case::new(&fake).set(|plan| {
        plan.method = Method::Restart(Restart::Number(5));
        plan.variables = [("A", "new"), ("B", "same"), ("C", "more")]
            .map(|(a, b)| (a.into(), b.into()))
            .into();
    });
    let ran = case.run().await;
    let warned =
        "the restart keeps the values that pipeline #5 has for A, not those of `variables`";
    assert!(
        ran.notices.iter().any(|notice| notice == warned),
        "{:?}",
        ran.notices
    );
}

#[tokio::test]
async fn a_refused_restart_is_reported_in_the_servers_words() {
    let fake =
        restarting_server(Reply::status(400).body("cannot restart a pipeline with status blocked"));
    let ran = Case::new(&fake)
        .set(|plan| plan.method = Method::Restart(Restart::Number(5)))
        .run()
        .await;
    assert_contains(
        &ran.refusal().0,
        "restart pipeline #5: the server refused (400): cannot restart a pipeline",
    );
}

#[tokio::test]
async fn a_restart_whose_answer_was_lost_is_found_by_its_parent() {
    // Before 2.5 the parent is named by its id.
    for parent in [5, 105] {
        let fake = restarting_server(Reply::status(504));
        let child = |number: u64, parent: u64| {
            with(
                pipeline("running"),
                json!({"number": number, "parent": parent, "event": "tag"}),
            )
        };
        let before = json!([child(11, 5), child(5, 0)]);
        let after = json!([child(13, 4), child(12, parent), child(11, 5), child(5, 0)]);
        fake.on(
            LIST,
            [
                Reply::json(&before),
                Reply::json(&before),
                Reply::json(&after),
            ],
        );
        let ran = Case::new(&fake)
            .set(|plan| plan.method = Method::Restart(Restart::Number(5)))
            .run()
            .await;
        assert_eq!(
            (ran.rebuilt().ending, ran.rebuilt().pipeline.number),
            (Ending::Succeeded, 12)
        );
        assert_eq!(fake.starts(), 1);
    }
}
