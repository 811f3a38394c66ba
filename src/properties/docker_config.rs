//! Docker's credential file: a credential that is found is also masked, and an error quotes nothing
//! from the file.

use super::text;
use crate::oci::reference::Repository;
use crate::registry::credentials::Credential;
use crate::registry::docker_config::{Entry, entry_of};
use crate::registry::logins::Logins;
use crate::text::secret::Secret;

/// Time is linear; a credential is no longer than the file. No helper is run.
pub fn check(data: &[u8]) {
    let Some(text) = text(data) else { return };
    for registry in ["docker.io", "registry.example", "registry.example:5000"] {
        let repository = Repository {
            registry: registry.to_owned(),
            name: "team/app".to_owned(),
        };
        match entry_of(text, &repository) {
            Err(reason) => {
                assert!(
                    reason.starts_with("docker_config: ") && reason.len() <= 200,
                    "{reason}"
                );
            }
            Ok(Entry::Credential(credential)) => {
                let secret = match &credential {
                    Credential::Password { password, .. } => password.expose(),
                    Credential::Identity(token) | Credential::Token(token) => token.expose(),
                };
                assert!(secret.len() <= text.len(), "more came out than went in");
                let logins = Logins {
                    docker_configs: vec![text.to_owned()],
                    ..Logins::default()
                };
                let known = logins.parsed_secrets();
                assert!(
                    known
                        .iter()
                        .map(Secret::expose)
                        .any(|known| known == secret),
                    "not known for masking"
                );
            }
            Ok(Entry::Helper(helper)) => {
                assert!(
                    helper.name.len() <= text.len(),
                    "more came out than went in"
                );
            }
            Ok(Entry::None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn a_login_comes_back_as_docker_wrote_it(
            user in "[a-zA-Z0-9@._-]{1,8}",
            secret in "[ -~é]{1,20}",
            padded in any::<bool>(),
            mark in prop_oneof![Just(""), Just("\u{feff}")],
        ) {
            let login = format!("{user}:{secret}");
            let auth = if padded {
                BASE64_STANDARD.encode(login)
            } else {
                BASE64_STANDARD_NO_PAD.encode(login)
            };
            let auths = json!({ "https://registry.example/v1/": { "auth": auth } });
            let text = format!("{mark}{}", json!({ "auths": auths }));
            let repository = Repository {
                registry: "registry.example".to_owned(),
                name: "a".to_owned(),
            };
            match entry_of(&text, &repository) {
                Ok(Entry::Credential(Credential::Password { username, password })) => {
                    prop_assert_eq!(username, user);
                    prop_assert_eq!(password.expose(), secret.as_str());
                }
                other => prop_assert!(false, "{:?}", other.map(|_| "something else")),
            }
            check(text.as_bytes());
        }
    }
}
