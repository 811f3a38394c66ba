//! Who may ask: every refusal names the login that it wants.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::http::{Reply, Request};

/// Refuses a request with an answer, or lets it pass.
pub(crate) type Guard = Box<dyn Fn(&Request) -> Option<Reply> + Send + Sync>;

/// 401 with these challenges, each in a header of its own.
pub(crate) fn refusal(challenges: &[String]) -> Reply {
    let reply = Reply::error(401, "UNAUTHORIZED", "authentication required");
    challenges
        .iter()
        .fold(reply.but_status(401), |reply, challenge| {
            reply.header("WWW-Authenticate", challenge)
        })
}

/// The value of `Authorization` for a name and a password.
pub(crate) fn basic_credentials(username: &str, password: &str) -> String {
    format!(
        "Basic {}",
        STANDARD.encode(format!("{username}:{password}"))
    )
}

/// Wants a name and a password.
pub(crate) fn basic(username: &str, password: &str) -> Guard {
    let expected = basic_credentials(username, password);
    Box::new(move |request| {
        let right = request.header("Authorization") == Some(expected.as_str());
        (!right).then(|| refusal(&["Basic realm=\"tests\"".to_owned()]))
    })
}

/// Refuses every request, whatever credentials it has.
pub(crate) fn refusal_of_all() -> Guard {
    Box::new(|_| Some(refusal(&["Basic realm=\"tests\"".to_owned()])))
}
