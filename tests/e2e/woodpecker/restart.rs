//! Restarts on the real server: what they keep, which pipeline they repeat, and where they end.

use serde_json::{Value, json};

use super::rebuild::{rebuild, with};
use super::server::{Woodpecker, workflow};
use crate::support::command::binary;

#[test]
fn a_pipeline_is_restarted_with_its_own_variables_and_more() {
    let woodpecker = with(&[("work", "echo a $FRUIT and a $NUT")]);
    rebuild(&woodpecker)
        .arguments(["--variables", "FRUIT=pear"])
        .run()
        .exits(0);
    let restart = [
        "--method",
        "restart",
        "--pipeline",
        "1",
        "--variables",
        "NUT=walnut,FRUIT=plum",
    ];
    let finished = rebuild(&woodpecker).arguments(restart).run().exits(0);
    let pipeline = woodpecker.pipeline(2);
    assert_eq!(pipeline["parent"], 1);
    assert!(
        woodpecker
            .log(&pipeline, "work")
            .contains("a pear and a walnut\n")
    );
    let warning = "warning: the restart keeps the values that pipeline #1 has for FRUIT, not those of `variables`\n";
    assert!(finished.stderr.contains(warning), "{finished}");
}

#[test]
fn latest_is_the_newest_push_and_without_one_the_newest_there_is() {
    let woodpecker = Woodpecker::start();
    woodpecker.forge.workflow(
        "work",
        &workflow(&json!({"event": ["manual", "push"]}), "true"),
    );
    let latest = ["--method", "restart", "--pipeline", "latest"];
    let finished = rebuild(&woodpecker).arguments(latest).run().exits(5);
    assert!(
        finished
            .stdout
            .contains("find the newest pipeline of the branch main: not found (404)"),
        "{finished}"
    );
    rebuild(&woodpecker).run().exits(0);
    rebuild(&woodpecker).arguments(latest).run().exits(0);
    assert_eq!(woodpecker.pipeline(2)["parent"], 1);
    assert_eq!(woodpecker.push(), 3);
    woodpecker.finished(3);
    rebuild(&woodpecker).run().exits(0);
    rebuild(&woodpecker).arguments(latest).run().exits(0);
    let restart = woodpecker.pipeline(5);
    assert_eq!(
        (&restart["parent"], &restart["event"]),
        (&json!(3), &json!("push"))
    );
}

#[test]
fn a_pipeline_that_is_not_there_cannot_be_restarted() {
    let woodpecker = with(&[("work", "true")]);
    let restart = ["--method", "restart", "--pipeline", "7"];
    let finished = rebuild(&woodpecker).arguments(restart).run().exits(5);
    assert!(
        finished
            .stdout
            .contains("failed to read pipeline #7: not found (404)"),
        "{finished}"
    );
    assert_eq!(woodpecker.pipelines(), Vec::<u64>::new());
}

#[test]
fn what_a_person_declined_or_has_not_approved_is_not_restarted() {
    let woodpecker = Woodpecker::start();
    let always = json!({"event": ["manual", "push"]});
    woodpecker
        .forge
        .workflow("work", &workflow(&always, "true"));
    assert_eq!(woodpecker.push(), 1);
    woodpecker.finished(1);
    woodpecker.wants_approval();
    assert_eq!((woodpecker.push(), woodpecker.push()), (2, 3));
    woodpecker.decline(3);
    let states = [2, 3].map(|number| woodpecker.pipeline(number)["status"].clone());
    assert_eq!(states, [json!("blocked"), json!("declined")]);
    for (number, why) in [
        ("2", "blocked until a person approves"),
        ("3", "declined it"),
    ] {
        let restart = ["--method", "restart", "--pipeline", number];
        let finished = rebuild(&woodpecker).arguments(restart).run().exits(5);
        assert!(finished.stdout.contains(why), "{finished}");
        let page = format!("{}/repos/1/pipeline/{number}\n", woodpecker.url);
        assert!(finished.stderr.ends_with(&page), "{finished}");
    }
    assert_eq!(woodpecker.pipelines(), [3, 2, 1]);
    let latest = [
        "--method",
        "restart",
        "--pipeline",
        "latest",
        "--wait",
        "false",
    ];
    let finished = rebuild(&woodpecker).arguments(latest).run().exits(0);
    let said = "pipeline #3 is declined, so the newest approved one is restarted: #1\n";
    assert!(finished.stderr.contains(said), "{finished}");
    assert_eq!(woodpecker.pipeline(4)["parent"], 1);
}

/// A server whose only workflow, for pushes, is a step that restarts its own pipeline.
fn restarting_itself() -> Woodpecker {
    let woodpecker = Woodpecker::start();
    let settings = json!({
        "mode": "rebuild",
        "method": "restart",
        "woodpecker_token": {"from_secret": "woodpecker_token"},
        "poll_interval": "100ms",
    });
    let step = json!({"name": "again", "image": binary(), "settings": settings});
    let work = json!({"when": {"event": "push"}, "skip_clone": true, "steps": [step]});
    woodpecker.forge.workflow("work", &work.to_string());
    woodpecker.secret("woodpecker_token", &woodpecker.token, &["push"]);
    woodpecker
}

#[test]
fn a_step_restarts_its_pipeline_once_with_the_events_secrets() {
    let woodpecker = restarting_itself();
    woodpecker.cancels_previous(&[]);
    let first = woodpecker.finished(woodpecker.push());
    assert_eq!(woodpecker.pipelines(), [2, 1]);
    let second = woodpecker.pipeline(2);
    assert_eq!(
        (&second["parent"], &second["event"]),
        (&json!(1), &json!("push"))
    );
    let code = |pipeline: &Value| pipeline["workflows"][0]["children"][0]["exit_code"].clone();
    assert_eq!((code(&second), code(&first)), (json!(5), json!(6)));
    let refusal = woodpecker.log_to_the_verdict(&second, "again");
    assert!(
        refusal.contains("no rebuild is started: 1 led to this pipeline already"),
        "{refusal}"
    );
    let log = woodpecker.log_to_the_verdict(&first, "again");
    assert!(
        log.contains("max_rebuilds") && log.contains("pipeline #2 ended with failure"),
        "{log}"
    );
}

#[test]
fn a_restart_that_ends_its_own_pipeline_says_so_before() {
    let woodpecker = restarting_itself();
    let first = woodpecker.finished(woodpecker.push());
    woodpecker.finished(2);
    assert_eq!(woodpecker.pipelines(), [2, 1]);
    assert_eq!(
        (&first["status"], &first["cancel_info"]),
        (&json!("killed"), &json!({"superseded_by": 2}))
    );
    let log = woodpecker.log(&first, "again");
    assert!(
        log.contains("warning: the server ends this pipeline as soon as the other one starts"),
        "{log}"
    );
}
