//! What a request needs permission for, as token servers write it; see
//! <https://distribution.github.io/distribution/spec/auth/scope/>.

use std::fmt;

use crate::oci::reference::Repository;

/// What a request needs permission for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// To read the repository of this name.
    Pull(String),
    /// To list the repositories.
    Catalog,
}

impl Scope {
    /// To read `repository`.
    pub(super) fn pull(repository: &Repository) -> Self {
        Self::Pull(repository.name.clone())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pull(name) => write!(f, "repository:{name}:pull"),
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
    }
}
