//! What was typed: every setting's text, with the name that the user chose for it.

use std::collections::BTreeMap;

use super::Error;
use super::command::CommandName;
use super::table::{self, Raw, Setting, TABLE};
use super::value::SettingText;

/// The settings as texts, merged from the command line and the environment.
#[derive(Clone, Default)]
pub(super) struct Typed {
    raw: Raw,
    spelled: BTreeMap<&'static str, String>,
}

impl Typed {
    /// Takes what was gathered; earlier sources win over later ones.
    pub(super) fn merge(sources: impl IntoIterator<Item = Gathered>) -> Self {
        let mut spelled = BTreeMap::new();
        let mut texts = BTreeMap::new();
        for gathered in sources {
            for (name, (spelling, text)) in gathered.0 {
                spelled.entry(name).or_insert(spelling);
                texts.entry(name.to_owned()).or_insert(text);
            }
        }
        // Texts into optional texts: nothing here can fail.
        Self {
            raw: envy::from_iter(texts).unwrap_or_default(),
            spelled,
        }
    }

    /// Gives a secret of the table another text and spelling.
    pub(super) fn replace(&mut self, name: &'static str, spelled: String, text: String) {
        let place = match name {
            "password" => &mut self.raw.password,
            "github_token" => &mut self.raw.github_token,
            "pushgateway_password" => &mut self.raw.pushgateway_password,
            "woodpecker_token" => &mut self.raw.woodpecker_token,
            _ => unreachable!("{name} is no secret"),
        };
        *place = Some(text);
        self.spelled.insert(name, spelled);
    }

    pub(super) fn raw(&self) -> &Raw {
        &self.raw
    }

    /// The text that was given for a setting of the table, with its spelling.
    pub(super) fn given<'a>(
        &'a self,
        name: &'static str,
        text: Option<&'a str>,
    ) -> Option<SettingText<'a>> {
        text.map(|text| SettingText {
            setting: table::find(name).expect("the name is from the table"),
            spelled: self.spelled.get(name).map_or(name, String::as_str),
            text,
            is_given: true,
        })
    }
}

/// What one source gave: canonical name → spelling and text.
#[derive(Clone, Default)]
pub(super) struct Gathered(BTreeMap<&'static str, (String, String)>);

impl std::fmt::Debug for Gathered {
    /// The names alone: values may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Gathered {
    /// Adds one value; an empty one counts as not given.
    ///
    /// # Errors
    ///
    /// When the same setting was given another value under the same or another name.
    pub(super) fn add(
        &mut self,
        setting: &'static Setting,
        spelled: &str,
        text: &str,
    ) -> Result<(), Error> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        match self.0.get(setting.name) {
            Some((_, other)) if other == text => Ok(()),
            Some((before, _)) if before == spelled => Err(Error::new(format!(
                "{spelled} is given twice, with different values"
            ))),
            Some((before, _)) => Err(Error::new(format!(
                "{before} and {spelled} are the same setting, and were given different values"
            ))
            .with_hint(format!(
                "leave one of them out; the setting's name is {}",
                setting.name
            ))),
            None => {
                self.0
                    .insert(setting.name, (spelled.to_owned(), text.to_owned()));
                Ok(())
            }
        }
    }

    /// Replaces a value; for flags that may be repeated.
    pub(super) fn replace(&mut self, setting: &'static Setting, spelled: &str, text: String) {
        self.0.insert(setting.name, (spelled.to_owned(), text));
    }

    /// The settings that were gathered, each as the user spelled it, in the order of the table.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&'static Setting, &str)> {
        TABLE.iter().filter_map(|setting| {
            let (spelled, _) = self.0.get(setting.name)?;
            Some((setting, spelled.as_str()))
        })
    }

    /// What was gathered for the settings that `command` takes.
    pub(super) fn of(mut self, command: CommandName) -> Self {
        self.0
            .retain(|name, _| table::find(name).is_some_and(|setting| setting.is_for(command)));
        self
    }

    /// Those of the settings that `accepted` takes, each by itself.
    pub(super) fn keeping(self, accepted: impl Fn(&Self) -> bool) -> Self {
        let each = self
            .0
            .into_iter()
            .map(|(name, given)| Self(BTreeMap::from([(name, given)])));
        Self(each.filter(accepted).flat_map(|one| one.0).collect())
    }

    /// The text that was gathered for a setting.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|(_, text)| text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str) -> &'static Setting {
        table::find(name).unwrap()
    }

    #[test]
    fn earlier_sources_win_and_keep_their_spelling() {
        let mut flags = Gathered::default();
        flags.add(setting("timeout"), "--timeout", "1m").unwrap();
        let mut environment = Gathered::default();
        environment
            .add(setting("timeout"), "timeout", "2m")
            .unwrap();
        environment.add(setting("tags"), "tag", " a ").unwrap();
        environment.add(setting("depth"), "depth", "  ").unwrap();
        let typed = Typed::merge([flags, environment]);
        let timeout = typed.timeout();
        assert_eq!((timeout.spelled, timeout.text), ("--timeout", "1m"));
        let tags = typed.tags().unwrap();
        assert_eq!((tags.spelled, tags.text), ("tag", "a"));
        let depth = typed.depth();
        assert_eq!((depth.text, depth.is_given), ("tail", false));
    }

    #[test]
    fn an_alias_with_another_value_is_an_error_that_names_both() {
        let mut gathered = Gathered::default();
        gathered.add(setting("tags"), "tag", "a").unwrap();
        gathered.add(setting("tags"), "tags", "a").unwrap();
        let error = gathered.add(setting("tags"), "tags", "b").unwrap_err();
        assert_eq!(
            error.to_string(),
            "tag and tags are the same setting, and were given different values"
        );
        let error = gathered.add(setting("tags"), "tag", "b").unwrap_err();
        assert_eq!(
            error.to_string(),
            "tag is given twice, with different values"
        );
    }
}
