//! The token is tried while no rebuild is needed.

use pullproof::rebuild::try_token;
use pullproof::rebuild::woodpecker::ApiError;

use super::*;

async fn tried(fake: &Fake, limit: Duration) -> Result<(), ApiError> {
    let plan = plan(fake.url(""));
    let client = plan.client(lanes(&plan.server), limit);
    try_token(&client, limit).await
}

#[tokio::test]
async fn one_request_tells_whether_the_token_is_accepted() {
    let fake = server();
    tried(&fake, Duration::from_secs(5)).await.unwrap();
    for (reply, said) in [
        (
            Reply::status(401).body("User not authorized"),
            "does not accept the token (401)",
        ),
        (Reply::status(502), "answered 502"),
        (Reply::web_page(), "is a web page, not Woodpecker's API"),
        (Reply::Close, "was lost"),
    ] {
        fake.on(USER, [reply]);
        let error = tried(&fake, Duration::from_secs(5)).await.unwrap_err();
        assert_contains(&error.to_string(), "failed to try woodpecker_token: ");
        assert_contains(&error.to_string(), said);
    }
    assert_eq!(fake.requests().len(), 5, "nothing is asked twice");
}

#[tokio::test]
async fn a_server_that_is_silent_or_drips_is_not_waited_for() {
    let fake = server();
    fake.on(USER, [Reply::Hang]);
    let error = tried(&fake, Duration::from_millis(50)).await.unwrap_err();
    assert_contains(&error.to_string(), "no answer within 0.1 s");
}
