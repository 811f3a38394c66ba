//! Pipelines that stand still: no agent takes them, or the server never put them together.

use pullproof::rebuild::{Ending, NotStarted};
use serde_json::{Value, json};

use super::*;

const CANCEL: &str = "POST /api/repos/7/pipelines/12/cancel";

/// Pipeline #12 with one workflow, which no agent has taken.
fn waiting() -> Value {
    let workflow = json!({"name": "build", "state": "pending"});
    with(pipeline("pending"), json!({"workflows": [workflow]}))
}

/// A server whose pipeline #12 is pending until it has been looked at a few times.
fn waiting_server(queue: Reply) -> Fake {
    let fake = server();
    let looks = [waiting(), waiting(), waiting(), pipeline("success")];
    fake.on(PIPELINE, looks.map(|look| Reply::json(&look)))
        .on(QUEUE, [queue]);
    fake
}

/// A queue whose agents run these pipelines of repository 7, with `free` places left.
fn queue(running: &[u64], free: usize) -> Value {
    let task = |number: &u64| json!({"repo_id": 7, "pipeline_number": number, "agent_id": 1});
    let labels = json!({
        "platform": "linux/arm64", "oven": "large", "repo": "me/app", "org-id": "2",
        "woodpecker-ci.org/branch": "trunk",
    });
    let pending = json!([{"repo_id": 7, "pipeline_number": 12, "labels": labels}]);
    json!({
        "pending": pending,
        "waiting_on_deps": null,
        "running": running.iter().map(task).collect::<Value>(),
        "stats": {"worker_count": free, "pending_count": 1, "running_count": running.len()},
        "paused": false,
    })
}

impl Case {
    /// Runs in pipeline #11 of the same server.
    fn inside(self, fake: &Fake) -> Self {
        let own = OwnPipeline {
            event: Some("push".into()),
            number: Some(11),
            repository: Some(7),
            server: Some(fake.url("")),
            ..OwnPipeline::default()
        };
        self.set(|plan| plan.own = own)
    }

    /// Loses patience with what stands still at the first look and the second.
    fn hasty(self) -> Self {
        self.set(|plan| (plan.hint_delay, plan.stuck_delay) = (Duration::ZERO, Duration::ZERO))
    }
}

#[tokio::test]
async fn what_an_administrator_sees_of_the_agents_is_the_reason() {
    let paused = with(queue(&[], 0), json!({"paused": true}));
    for (queue, reason, advice) in [
        (
            queue(&[], 0),
            "no agent that takes work is connected",
            "start an agent",
        ),
        (
            queue(&[11], 0),
            "the agents have one place, and the pipeline of this step takes it",
            "this step keeps its place while it waits",
        ),
        (
            queue(&[4], 0),
            "the agents have one place, and another workflow takes it",
            "wait until a workflow ends",
        ),
        (
            queue(&[11, 4, 4], 0),
            "the agents have 3 places, and all are taken, 1 by the pipeline of this step",
            "this step keeps its place",
        ),
        (
            queue(&[11], 2),
            "2 places free, and none takes it; its labels are oven=large, platform=linux/arm64",
            "WOODPECKER_AGENT_LABELS",
        ),
        (paused, "the server's queue is paused", "resume it"),
    ] {
        let fake = waiting_server(Reply::json(&queue));
        let ran = Case::new(&fake).inside(&fake).hasty().run().await;
        assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
        let said = ran
            .notices
            .iter()
            .filter(|notice| notice.starts_with("no agent has taken pipeline #12 for "))
            .collect::<Vec<_>>();
        assert_eq!(said.len(), 1, "{:?}", ran.notices);
        assert_contains(said[0], reason);
        assert!(ran.advised(advice), "{ran:?}");
        assert_eq!(fake.requests_to(QUEUE).len(), 1);
    }
}

#[tokio::test]
async fn without_a_look_at_the_agents_what_is_known_is_said() {
    for reply in [
        Reply::status(403).body("User not authorized"),
        Reply::status(500),
        Reply::web_page(),
        Reply::Close,
    ] {
        let fake = waiting_server(reply);
        let ran = Case::new(&fake).inside(&fake).hasty().run().await;
        let own = "the pipeline of this step takes one place itself, and whether there is another";
        assert!(ran.noticed(own), "{:?}", ran.notices);
        let fake = waiting_server(Reply::status(403));
        let ran = Case::new(&fake).hasty().run().await;
        let nothing = "whether one is connected and free is shown to administrators";
        assert!(ran.noticed(nothing), "{:?}", ran.notices);
        assert!(ran.advised("WOODPECKER_MAX_WORKFLOWS"), "{ran:?}");
    }
}

#[tokio::test]
async fn a_pipeline_that_is_taken_in_time_gets_no_hint() {
    let fake = waiting_server(Reply::Close);
    let ran = Case::new(&fake).run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    assert!(!ran.noticed("no agent has taken"), "{:?}", ran.notices);
    assert_eq!(fake.requests_to(QUEUE).len(), 0);
}

#[tokio::test]
async fn a_workflow_that_waits_for_another_waits_for_no_agent() {
    let fake = server();
    let states = json!([
        {"name": "build", "state": "running"},
        {"name": "push", "state": "pending"},
    ]);
    let busy = with(pipeline("running"), json!({"workflows": states}));
    let over = json!([{"name": "push", "state": "success"}]);
    let over = with(pipeline("success"), json!({"workflows": over}));
    fake.on(PIPELINE, [&busy, &busy, &busy, &over].map(Reply::json));
    let case = Case::new(&fake).set(|plan| plan.workflows = vec!["push".into()]);
    let ran = case.hasty().run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    assert!(!ran.noticed("no agent has taken"), "{:?}", ran.notices);
}

#[tokio::test]
async fn a_pipeline_that_is_pending_at_the_end_says_why() {
    let fake = server();
    fake.on(PIPELINE, [Reply::json(&waiting())])
        .on(QUEUE, [Reply::json(&queue(&[], 0))]);
    let case = Case::new(&fake).set(|plan| plan.wait_timeout = Duration::from_millis(50));
    let ran = case.run().await;
    let rebuilt = ran.rebuilt();
    assert_eq!(
        (rebuilt.ending, &*rebuilt.pipeline.status),
        (Ending::StillRunning, "pending")
    );
    let (id, text) = rebuilt.hint().unwrap();
    assert_eq!(id, "no-free-agent");
    assert_contains(
        &text,
        "no agent took the pipeline: no agent that takes work is connected",
    );
}

#[tokio::test]
async fn a_pipeline_without_workflows_is_warned_of_then_canceled() {
    for status in ["created", "pending"] {
        let fake = server();
        let dead = Reply::json(&pipeline(status));
        let canceled = Reply::json(&pipeline("canceled"));
        fake.on(PIPELINE, [dead.clone(), dead, canceled])
            .on(CANCEL, [Reply::status(204)]);
        let ran = Case::new(&fake).hasty().run().await;
        let warned = format!("pipeline #12 is {status} and has no workflows after ");
        assert!(ran.noticed(&warned), "{:?}", ran.notices);
        assert!(ran.noticed("the server may have died while it created it"));
        let (message, hint) = ran.refusal();
        assert_contains(
            &message,
            "pipeline #12 never began: it had no workflows after ",
        );
        assert!(message.ends_with(", and was canceled"), "{message}");
        assert!(hint.starts_with("start it again: "), "{hint}");
        let error = ran.result.unwrap_err();
        let kept = error.pipeline().unwrap();
        assert_eq!((kept.number, &*kept.status), (12, "canceled"));
        assert_eq!(fake.requests_to(CANCEL).len(), 1);
        assert_eq!(fake.requests_to(CREATE).len(), 1);
    }
}

#[tokio::test]
async fn one_that_the_server_does_not_cancel_is_given_up_all_the_same() {
    let fake = server();
    let words = "Cannot cancel a non-running or non-pending or non-blocked pipeline";
    fake.on(PIPELINE, [Reply::json(&pipeline("created"))])
        .on(CANCEL, [Reply::status(400).body(words)]);
    let ran = Case::new(&fake).hasty().run().await;
    assert!(
        matches!(ran.result, Err(NotStarted::Stuck { .. })),
        "{ran:?}"
    );
    let (message, hint) = ran.refusal();
    assert_contains(
        &message,
        "could not be canceled (failed to cancel pipeline #12: ",
    );
    assert_contains(&message, words);
    assert_contains(&hint, "start it again");
    assert!(
        hint.ends_with(fake.url("/repos/7/pipeline/12").as_str()),
        "{hint}"
    );
}

#[tokio::test]
async fn one_that_begins_at_the_last_moment_is_followed() {
    let fake = server();
    let dead = pipeline("created");
    let looks = [&dead, &dead, &waiting(), &pipeline("success")].map(Reply::json);
    fake.on(PIPELINE, looks)
        .on(CANCEL, [Reply::status(400)])
        .on(QUEUE, [Reply::status(403)]);
    let ran = Case::new(&fake).hasty().run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
}

#[tokio::test]
async fn looks_come_in_time_for_what_is_due() {
    let fake = server();
    fake.on(PIPELINE, [Reply::json(&pipeline("created"))])
        .on(CANCEL, [Reply::status(204)]);
    let case = Case::new(&fake).set(|plan| {
        plan.poll_interval = Duration::from_secs(20);
        (plan.hint_delay, plan.stuck_delay) =
            (Duration::from_millis(50), Duration::from_millis(100));
    });
    let begun = std::time::Instant::now();
    let ran = case.run().await;
    assert!(
        matches!(ran.result, Err(NotStarted::Stuck { .. })),
        "{ran:?}"
    );
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(100), "{took:?}");
    assert!(took < Duration::from_secs(15), "{took:?}");
}
