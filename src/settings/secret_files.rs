//! The `…_file` twin of every secret setting: the secret is the content of a file.

use super::Error;
use super::ci::System;
use super::files::{Disk, looks_like_a_path, reason};
use super::raw::Typed;
use super::value::SettingText;
use crate::text::quote::quoted;

impl Typed {
    /// The same with each secret that a file holds as if it had been given itself: the content
    /// without its last line break.
    ///
    /// # Errors
    ///
    /// When a secret and its file are both given, or a file cannot be read or is empty.
    pub(super) fn with_secret_files(
        mut self,
        system: System,
        disk: &Disk<'_>,
    ) -> Result<Self, Error> {
        let twins = [
            ("password", self.password(), self.password_file()),
            (
                "github_token",
                self.github_token(),
                self.github_token_file(),
            ),
            (
                "pushgateway_password",
                self.pushgateway_password(),
                self.pushgateway_password_file(),
            ),
            (
                "woodpecker_token",
                self.woodpecker_token(),
                self.woodpecker_token_file(),
            ),
        ];
        let mut read = Vec::new();
        for (name, secret, file) in twins {
            let Some(file) = file else { continue };
            // The action's own default is not the user's word.
            let is_default = |secret: &SettingText<'_>| {
                secret.setting.comes_with_the_action() && system == System::GithubActions
            };
            if let Some(secret) = secret.filter(|secret| !is_default(secret)) {
                return Err(Error::new(format!(
                    "{} and {} are both given",
                    secret.spelled, file.spelled
                ))
                .with_hint("leave one of them out"));
            }
            read.push((name, file.spelled.to_owned(), content(&file, disk)?));
        }
        for (name, spelled, text) in read {
            self.replace(name, spelled, text);
        }
        Ok(self)
    }
}

/// The content of a file without its last line break. What does not look like a path is not shown,
/// because it may be the secret itself.
fn content(file: &SettingText<'_>, disk: &Disk<'_>) -> Result<String, Error> {
    let text = (disk.files)(&disk.resolve(file.text)).map_err(|error| {
        let shown = if looks_like_a_path(file.text) {
            quoted(file.text)
        } else {
            "the file".to_owned()
        };
        file.error(format!("cannot read {shown}: {}", reason(&error)))
    })?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(file.error("the file is empty"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::support::{Surroundings, given};

    const IMAGE: (&str, &str) = ("PLUGIN_IMAGES", "r.io/app:1");

    fn with_file(pairs: &[(&str, &str)], content: &str) -> Surroundings {
        given(&[&[("CI", "woodpecker"), IMAGE], pairs].concat())
            .and_file("/run/secrets/one", content)
    }

    #[test]
    fn a_secret_is_the_content_of_its_file_without_the_last_line_break() {
        let pairs = [
            ("PLUGIN_USERNAME", "ci"),
            ("PLUGIN_PASSWORD_FILE", "/run/secrets/one"),
        ];
        for (content, password) in [
            ("hunter2", "hunter2"),
            ("hunter2\n", "hunter2"),
            ("hunter2\r\n", "hunter2"),
            (" hunter 2 \n\n", " hunter 2 \n"),
        ] {
            let settings = with_file(&pairs, content).settings();
            assert_eq!(settings.login.given[0].password.expose(), password);
        }
        let rebuild = with_file(
            &[
                ("PLUGIN_ON_BROKEN", "rebuild"),
                ("PLUGIN_WOODPECKER_URL", "https://ci.example.org"),
                ("PLUGIN_WOODPECKER_REPO", "7"),
                ("PLUGIN_WOODPECKER_TOKEN_FILE", "/run/secrets/one"),
            ],
            "t0ken\n",
        );
        let plan = rebuild.settings().rebuild().unwrap().plan.clone();
        assert_eq!(plan.token.secret().expose(), "t0ken");
        let github = [
            ("GITHUB_ACTIONS", "true"),
            ("INPUT_IMAGES", "ghcr.io/a/b:1"),
            ("INPUT_GITHUB-TOKEN", "the action's default"),
            ("INPUT_GITHUB-TOKEN-FILE", "/run/secrets/one"),
        ];
        let login = given(&github)
            .and_file("/run/secrets/one", "ghs_x\n")
            .settings()
            .login;
        assert_eq!(login.github.unwrap().password.expose(), "ghs_x");
    }

    #[test]
    fn a_secret_and_its_file_are_not_given_together() {
        let user = ("PLUGIN_USERNAME", "ci");
        let pair = [
            user,
            ("PLUGIN_PASSWORD", "hunter2"),
            ("PLUGIN_PASSWORD_FILE", "/run/secrets/one"),
        ];
        assert_eq!(
            with_file(&pair, "hunter2").error(),
            "password and password_file are both given"
        );
        let pair = [
            ("PLUGIN_TOKEN", "t"),
            ("PLUGIN_WOODPECKER_TOKEN_FILE", "/run/secrets/one"),
        ];
        assert_eq!(
            with_file(&pair, "t").error(),
            "token and woodpecker_token_file are both given"
        );
        let flag = with_file(&[user, ("PLUGIN_PASSWORD", "hunter2")], "x")
            .and_arguments(&["verify", "--password-file=/run/secrets/one"]);
        assert_eq!(flag.error(), "password and --password-file are both given");
    }

    #[test]
    fn a_file_that_cannot_be_used_is_an_error_with_its_path_if_it_is_one() {
        let named = |path| [("PLUGIN_USERNAME", "ci"), ("PLUGIN_PASSWORD_FILE", path)];
        for content in ["", "\n", "\r\n"] {
            let run = with_file(&named("/run/secrets/one"), content);
            assert_eq!(run.error(), "password_file: the file is empty");
        }
        assert_eq!(
            with_file(&named("/run/secrets/two"), "").error(),
            "password_file: cannot read \"/run/secrets/two\": entity not found"
        );
        assert_eq!(
            with_file(&named("hunter2"), "").error(),
            "password_file: cannot read the file: entity not found"
        );
    }

    #[test]
    fn every_secret_has_a_file() {
        use super::super::kind::ValueKind;
        use super::super::table::{TABLE, find};
        for setting in TABLE
            .iter()
            .filter(|setting| setting.kind == ValueKind::Secret)
        {
            let twin = find(&format!("{}_file", setting.name)).unwrap();
            assert_eq!(
                (twin.kind, twin.commands),
                (ValueKind::Path, setting.commands)
            );
        }
    }
}
