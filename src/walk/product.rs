//! Which registry it is, as far as its answers show.

/// A registry's software, or the service that runs it.
///
/// [`Product::Unknown`] unless it is certain: many registries are built on distribution and answer
/// almost as it does, but keep a database beside the files, so that what is true of distribution is
/// not true of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Product {
    /// Not recognised.
    #[default]
    Unknown,
    /// distribution (`registry:2`, `registry:3`) itself, and nothing that is built on it.
    Distribution,
    /// zot.
    Zot,
    /// Gitea, or Forgejo, which answers alike.
    Gitea,
    /// olareg.
    Olareg,
    /// Harbor.
    Harbor,
    /// GitLab's registry, hosted or not.
    GitLab,
    /// Quay, hosted or not.
    Quay,
    /// Sonatype Nexus.
    Nexus,
    /// Artifactory.
    Artifactory,
    /// Docker Hub.
    DockerHub,
    /// GitHub's registry.
    Ghcr,
    /// Amazon's registries, private and public.
    Ecr,
    /// Azure's registry.
    Acr,
    /// Google's registries.
    Google,
    /// None: the storage of distribution, read without it.
    Disk,
}
