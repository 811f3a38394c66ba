//! The loop guard, with servers that do and do not say what led to this pipeline.

use pullproof::rebuild::guard::Loop;
use pullproof::rebuild::plan::{Method, OwnPipeline, Restart};
use pullproof::rebuild::{Ending, NotStarted};
use serde_json::{Value, json};

use super::*;

const OWN: &str = "GET /api/repos/7/pipelines/9";

/// Runs inside pipeline #9 of the same server.
fn inside(fake: &Fake, event: &str, parent: Option<u64>) -> Case {
    let own = OwnPipeline {
        event: Some(event.into()),
        number: Some(9),
        parent,
        repository: Some(7),
        repository_name: Some("me/app".into()),
        branch: Some("trunk".into()),
        server: Some(fake.url("")),
    };
    Case::new(fake).set(|plan| plan.own = own)
}

/// Pipeline #9 with these fields.
fn own(fields: Value) -> Value {
    with(
        with(pipeline("running"), json!({"number": 9, "id": 109})),
        fields,
    )
}

fn refused(ran: &Ran) -> &Loop {
    match &ran.result {
        Err(NotStarted::Loop(refused)) => refused,
        other => panic!("expected a refused loop, found {other:?}"),
    }
}

#[tokio::test]
async fn a_rebuild_does_not_start_another() {
    let fake = server();
    fake.on(
        OWN,
        [Reply::json(&own(
            json!({"variables": {"PULLPROOF_REBUILD": "1"}}),
        ))],
    );
    let ran = inside(&fake, "manual", None).run().await;
    assert_eq!(*refused(&ran), Loop::Exhausted { count: 1, max: 1 });
    assert_eq!(fake.starts(), 0);
}

#[tokio::test]
async fn a_second_rebuild_is_allowed_by_max_rebuilds_and_counted() {
    let fake = server();
    fake.on(
        OWN,
        [Reply::json(&own(
            json!({"variables": {"PULLPROOF_REBUILD": "1"}}),
        ))],
    );
    let ran = inside(&fake, "manual", None)
        .set(|plan| plan.max_rebuilds = 2)
        .run()
        .await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    let asked: Value = serde_json::from_str(&fake.requests_to(CREATE)[0].body).unwrap();
    assert_eq!(asked["variables"]["PULLPROOF_REBUILD"], "2");
}

#[tokio::test]
async fn a_pipeline_that_a_person_started_may_start_a_rebuild() {
    let fake = server();
    fake.on(
        OWN,
        [Reply::json(&own(json!({"variables": {"DEPTH": "full"}})))],
    );
    assert_eq!(
        inside(&fake, "manual", None).run().await.rebuilt().ending,
        Ending::Succeeded
    );
}

#[tokio::test]
async fn a_push_is_not_a_rebuild_and_nothing_is_asked() {
    let fake = server();
    assert_eq!(
        inside(&fake, "push", Some(4)).run().await.rebuilt().ending,
        Ending::Succeeded
    );
    assert_eq!(fake.requests_to(OWN).len(), 0);
}

#[tokio::test]
async fn an_unreadable_past_counts_as_a_rebuild() {
    let fake = server();
    for reply in [Reply::status(404), Reply::status(500), Reply::web_page()] {
        fake.on(OWN, [reply]);
        let ran = inside(&fake, "manual", None).run().await;
        assert!(matches!(refused(&ran), Loop::Unknown(_)), "{ran:?}");
        assert_contains(
            &ran.refusal().1,
            "able to read the repository that this pipeline runs for",
        );
    }
    fake.on(
        OWN,
        [Reply::json(&own(
            json!({"variables": {"PULLPROOF_REBUILD": "many"}}),
        ))],
    );
    assert_contains(
        &inside(&fake, "manual", None).run().await.refusal().0,
        r#""many", not a number"#,
    );

    let unnamed = |plan: &mut Plan| plan.own.number = None;
    assert!(matches!(
        refused(&inside(&fake, "manual", None).set(unnamed).run().await),
        Loop::Unknown(_)
    ));
    assert_eq!(fake.starts(), 0);
}

#[tokio::test]
async fn another_address_of_the_server_is_reported_with_both_addresses() {
    let fake = server();
    let elsewhere = |plan: &mut Plan| plan.own.server = Some("https://ci.example".parse().unwrap());
    let ran = inside(&fake, "manual", None).set(elsewhere).run().await;
    assert!(matches!(refused(&ran), Loop::Elsewhere { .. }), "{ran:?}");
    let (message, hint) = ran.refusal();
    assert_contains(
        &message,
        &format!(
            "it runs on https://ci.example/, not on woodpecker_url, {}",
            fake.url("")
        ),
    );
    assert_contains(
        &hint,
        "leave out woodpecker_url or write it as the pipeline's own server",
    );
    assert_eq!(fake.starts(), 0);

    let push = inside(&fake, "push", None).set(elsewhere).run().await;
    assert_eq!(push.rebuilt().ending, Ending::Succeeded);
}

fn restart(case: Case, number: u64, max_rebuilds: u32) -> Case {
    case.set(|plan| {
        plan.method = Method::Restart(Restart::Number(number));
        plan.max_rebuilds = max_rebuilds;
    })
}

#[tokio::test]
async fn a_restart_does_not_restart_itself() {
    let fake = server();
    fake.on(OWN, [Reply::json(&own(json!({"parent": 8})))])
        .on(LIST, [Reply::json(&json!([]))]);
    let ran = restart(inside(&fake, "push", Some(8)), 9, 1).run().await;
    assert_eq!(*refused(&ran), Loop::Exhausted { count: 1, max: 1 });
    assert_eq!(fake.starts(), 0);
}

#[tokio::test]
async fn the_chain_of_parents_counts() {
    let fake = server();
    let parent =
        |number: u64, parent: u64| Reply::json(&own(json!({"number": number, "parent": parent})));
    fake.on(OWN, [parent(9, 8)])
        .on("GET /api/repos/7/pipelines/8", [parent(8, 5)])
        .on("GET /api/repos/7/pipelines/5", [parent(5, 0)])
        .on(
            "POST /api/repos/7/pipelines/9",
            [Reply::json(&pipeline("pending"))],
        )
        .on(LIST, [Reply::json(&json!([]))]);
    let ran = restart(inside(&fake, "push", Some(8)), 9, 2).run().await;
    assert_eq!(*refused(&ran), Loop::Exhausted { count: 2, max: 2 });
    assert_eq!(fake.starts(), 0);

    let ran = restart(inside(&fake, "push", Some(8)), 9, 3).run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    assert_eq!(
        fake.requests_to("POST /api/repos/7/pipelines/9")[0].query["PULLPROOF_REBUILD"],
        "3"
    );
}

#[tokio::test]
async fn a_wrong_parent_is_not_believed() {
    let fake = server();
    fake.on(OWN, [Reply::json(&own(json!({"parent": 8})))])
        .on(
            "GET /api/repos/7/pipelines/8",
            [Reply::json(&own(json!({"number": 8, "commit": "another"})))],
        )
        .on(LIST, [Reply::json(&json!([]))]);
    let ran = restart(inside(&fake, "push", Some(8)), 9, 2).run().await;
    assert!(matches!(refused(&ran), Loop::Unknown(_)), "{ran:?}");
}

#[tokio::test]
async fn a_restart_that_ends_our_own_pipeline_is_warned_of() {
    let fake = server();
    let events = json!({"id": 7, "cancel_previous_pipeline_events": ["push", "pull_request"]});
    let old = |branch: &str| {
        Reply::json(&own(
            json!({"number": 9, "event": "push", "branch": branch}),
        ))
    };
    fake.on(REPOSITORY, [Reply::json(&events)])
        .on(
            "POST /api/repos/7/pipelines/9",
            [Reply::json(&pipeline("pending"))],
        )
        .on(LIST, [Reply::json(&json!([]))]);
    for (event, branch, warned) in [
        ("push", "trunk", true),
        ("push", "other", false),
        ("cron", "trunk", false),
    ] {
        fake.on(OWN, [old(branch)]);
        let ran = restart(inside(&fake, event, None), 9, 1).run().await;
        assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
        assert_eq!(
            ran.noticed("the server ends this pipeline as soon as"),
            warned,
            "{event} {branch}"
        );
    }
    let created = inside(&fake, "push", None)
        .set(|plan| plan.branch = Some("trunk".into()))
        .run()
        .await;
    assert!(
        !created.noticed("the server ends this pipeline"),
        "{created:?}"
    );
}

#[tokio::test]
async fn a_rebuild_restarts_no_other_pipeline() {
    let fake = server();
    fake.on(
        OWN,
        [Reply::json(&own(
            json!({"variables": {"PULLPROOF_REBUILD": "1"}}),
        ))],
    )
    .on(
        "GET /api/repos/7/pipelines/5",
        [Reply::json(&own(json!({"number": 5})))],
    )
    .on(LIST, [Reply::json(&json!([]))]);
    let ran = restart(inside(&fake, "manual", None), 5, 9).run().await;
    assert_eq!(*refused(&ran), Loop::Uncounted);
    assert_contains(&ran.refusal().1, "method: create");
    assert_eq!(fake.starts(), 0);
}
