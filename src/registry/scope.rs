//! What a request needs permission for, as token servers write it; see
//! <https://distribution.github.io/distribution/spec/auth/scope/>.

use std::fmt;

use crate::oci::reference::Repository;

/// What a request needs permission for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// To read the repository of this name.
    Pull(String),
    /// To read and write the repository of this name.
    Push(String),
    /// To read the repository of this name, and to delete from it.
    Delete(String),
    /// To read and write one, and to read another one.
    Mount { into: String, from: String },
    /// To list the repositories.
    Catalog,
}

impl Scope {
    /// To read `repository`.
    pub(super) fn pull(repository: &Repository) -> Self {
        Self::Pull(repository.name.clone())
    }

    /// To write `repository`.
    pub(super) fn push(repository: &Repository) -> Self {
        Self::Push(repository.name.clone())
    }

    /// To delete from `repository`.
    pub(super) fn delete(repository: &Repository) -> Self {
        Self::Delete(repository.name.clone())
    }

    /// To put content of the repository `from` into `repository`.
    pub(super) fn mount(repository: &Repository, from: &Repository) -> Self {
        Self::Mount {
            into: repository.name.clone(),
            from: from.name.clone(),
        }
    }

    /// Whether it is to read or write the repository of this name.
    pub(super) fn is_of(&self, repository: &str) -> bool {
        match self {
            Self::Pull(name)
            | Self::Push(name)
            | Self::Delete(name)
            | Self::Mount { into: name, .. } => name == repository,
            Self::Catalog => false,
        }
    }

    /// What to ask a token server for, where the registry names this scope. Reading takes the
    /// registry's word. Some registries ask only for reading where they should ask for writing, so
    /// writing asks for its own as well.
    pub(super) fn with(&self, named: Option<&str>) -> String {
        let own = self.to_string();
        let Some(named) = named else {
            return own;
        };
        if matches!(self, Self::Pull(_) | Self::Catalog) {
            return named.to_owned();
        }
        let resource = |scope: &str| {
            scope
                .rsplit_once(':')
                .map(|(resource, _)| resource.to_owned())
        };
        let is_ours = |scope: &&str| own.split(' ').any(|own| resource(own) == resource(scope));
        let others = named
            .split_ascii_whitespace()
            .filter(|scope| !is_ours(scope));
        std::iter::once(own.as_str())
            .chain(others)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pull(name) => write!(f, "repository:{name}:pull"),
            Self::Push(name) => write!(f, "repository:{name}:pull,push"),
            Self::Delete(name) => write!(f, "repository:{name}:pull,delete"),
            Self::Mount { into, from } => {
                write!(f, "repository:{into}:pull,push repository:{from}:pull")
            }
            Self::Catalog => f.write_str("registry:catalog:*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_written_as_token_servers_read_it() {
        let repository = Repository {
            registry: "registry.example".into(),
            name: "team/app".into(),
        };
        assert_eq!(
            Scope::pull(&repository).to_string(),
            "repository:team/app:pull"
        );
        assert_eq!(Scope::Catalog.to_string(), "registry:catalog:*");
        let push = Scope::push(&repository).to_string();
        assert_eq!(push, "repository:team/app:pull,push");
        let base = Repository {
            name: "base".into(),
            ..repository.clone()
        };
        assert_eq!(
            Scope::mount(&repository, &base).to_string(),
            "repository:team/app:pull,push repository:base:pull"
        );
    }

    #[test]
    fn writing_asks_for_its_own_scope_and_reading_for_what_the_registry_names() {
        let (pull, push) = (Scope::Pull("app".into()), Scope::Push("app".into()));
        let own = "repository:app:pull,push";
        for (scope, named, expected) in [
            (&pull, None, "repository:app:pull"),
            (&pull, Some("repository:x:pull"), "repository:x:pull"),
            (&push, None, own),
            (&push, Some("repository:app:pull"), own),
            (&push, Some(own), own),
            (
                &push,
                Some("repository:group/app:pull,push"),
                "repository:app:pull,push repository:group/app:pull,push",
            ),
        ] {
            assert_eq!(scope.with(named), expected, "{named:?}");
        }
        let mount = Scope::Mount {
            into: "app".into(),
            from: "base".into(),
        };
        assert_eq!(
            mount.with(Some("repository:app:push,pull")),
            mount.to_string()
        );
    }
}
