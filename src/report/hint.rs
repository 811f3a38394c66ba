//! Advice in plain English.

use std::fmt;

/// What may have led to a result, and what to do; each is given once for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hint {
    /// A reference itself answers 404.
    ReferenceMissing,
    /// All children of an index answer 404.
    EveryChildMissing,
    /// Some children of an index answer 404.
    SomeChildrenMissing,
    /// A manifest is there and blobs of it are not.
    BlobsMissing,
    /// Empty or cut short behind a 200 or 206.
    StaleCache,
    /// Only attestations are broken.
    OnlyAttestations,
    /// The expected digest is that of a config.
    ImageId,
    /// The digest of nothing.
    EmptyContent,
    /// 5xx for one digest.
    LonelyFailure,
    /// An index in an index.
    NestedIndex,
    /// Schema 1.
    SchemaOne,
    /// Refused in GitHub Actions without credentials.
    LoginNotVisible,
    /// Refused otherwise.
    Denied,
    /// Docker Hub's limit.
    DockerHubLimit,
    /// Another registry's limit.
    RateLimit,
    /// TLS to something that speaks plain HTTP.
    PlainHttp,
    /// Plain HTTP to something that speaks TLS.
    NotPlainHttp,
    /// A storage or a token server fails, and not the registry.
    Elsewhere,
    /// Somebody else answers in the registry's place.
    NoRegistry,
    /// An issuer that is not known.
    UnknownIssuer,
    /// A certificate that is not for this name, or not for now.
    BadCertificate,
    /// Nobody listens.
    Refused,
    /// The name leads nowhere.
    UnknownHost,
    /// `timeout` was over.
    Timeout,
}

impl fmt::Display for Hint {
    #[expect(clippy::too_many_lines, reason = "one sentence for each hint")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReferenceMissing => {
                "the registry does not know a reference at all: compare the name and tag with what the build step \
                 pushed, and make sure that this step runs after the push"
            }
            Self::EveryChildMissing => {
                "the index is there and every manifest it lists answers 404: a clean-up job deleted the manifests \
                 that have no tag of their own, or `registry garbage-collect -m` (--delete-untagged) ran on \
                 distribution 2.8, which takes them for garbage. Rebuild and push the image again; move to registry 3, \
                 and never run -m with 2.8 where there are multi-platform or attested images"
            }
            Self::SomeChildrenMissing => {
                "some manifests that the index lists answer 404: this is what a clean-up of untagged versions leaves \
                 (actions/delete-package-versions, or a retention rule that counts versions), because the manifests \
                 of an index have no tag of their own. Rebuild and push the image again, and let the clean-up spare \
                 what an index refers to"
            }
            Self::BlobsMissing => {
                "a manifest is there and content it refers to answers 404: a garbage collection ran while the image \
                 was pushed, a storage rule deletes old objects, or the push was cut off. Rebuild and push the image \
                 again, and collect garbage only while the registry is stopped or read-only"
            }
            Self::StaleCache => {
                "the registry says that content is there and does not deliver it: its cache still knows what a \
                 garbage collection or a damaged disk took away, so a push skips it as already there. Restart the \
                 registry first, then push again"
            }
            Self::OnlyAttestations => {
                "the image itself is whole, only attestations (provenance, SBOM) are not: `docker pull` works, while \
                 copying, mirroring and scanning may fail. If nobody needs them, set `attestations: warn`, or build \
                 with `provenance: false`"
            }
            Self::ImageId => {
                "the expected digest is an image ID, the digest of the config, and not of the manifest that a \
                 registry resolves a tag to: hand over the digest the push printed (`containerimage.digest` in \
                 buildx's metadata file)"
            }
            Self::EmptyContent => {
                "sha256:e3b0c442… is the digest of no bytes at all: the content was uploaded or stored empty. Rebuild \
                 without cache and push again"
            }
            Self::LonelyFailure => {
                "the registry fails on one digest and answers for all others: it has a record of the content and \
                 has lost the content. Pushing again may not mend it; delete that version of the image first, then \
                 push"
            }
            Self::NestedIndex => {
                "an index lists another index: it is legal and complete, and docker cannot select a platform through \
                 it. Create the outer index from the manifests instead (`docker buildx imagetools create` with the \
                 digests of the platforms)"
            }
            Self::SchemaOne => {
                "a manifest is of Docker's schema 1, which current tools refuse to pull: build and push the image \
                 with a current tool"
            }
            Self::LoginNotVisible => {
                "the registry refused us and there are no credentials here: the login of docker/login-action is not \
                 visible in a container action. Three ways out: give `username` and `password` (or `logins`); for \
                 ghcr.io leave `github-token` at its default and grant `permissions: packages: read`; or set `env: \
                 DOCKER_CONFIG: ${{ runner.temp }}/docker` on the login step and on this one"
            }
            Self::Denied => {
                "the registry refused us: check `username` and `password` (or `logins`) and that they may pull from \
                 this repository. Many registries answer the same for a repository that does not exist, and a new \
                 package on ghcr.io is private"
            }
            Self::DockerHubLimit => {
                "Docker Hub limits how much is pulled, and strangers most of all: log in with `username` and \
                 `password`, or wait for the limit to pass"
            }
            Self::RateLimit => {
                "the registry limits how often it is asked: lower `concurrency`, raise `attempts`, or wait and run \
                 again"
            }
            Self::PlainHttp => {
                "the registry does not speak TLS: if it is meant to be reached over plain HTTP, name its host in \
                 `insecure`"
            }
            Self::NotPlainHttp => {
                "asked over plain HTTP the registry does not answer as a server of plain HTTP would, so it probably \
                 speaks TLS: take its host out of `insecure`"
            }
            Self::Elsewhere => {
                "the registry itself answers, and what it relies on does not: its storage or its token server, which \
                 the line of the digest names. Run it again when that is up"
            }
            Self::NoRegistry => {
                "what answers there is no registry: check host and port. An ingress or a proxy whose registry is away \
                 answers 404 in its place, too"
            }
            Self::UnknownIssuer => {
                "nobody we trust has signed the registry's certificate: give the certificate of your authority, or \
                 of the proxy that opens TLS connections, in `ca`"
            }
            Self::BadCertificate => {
                "the registry's certificate is not valid for this name at this time: check the host you wrote, the \
                 certificate's dates, and this machine's clock"
            }
            Self::Refused => {
                "nobody listens where the registry should be: check host and port, and that it runs. In a container, \
                 localhost is the container itself"
            }
            Self::UnknownHost => {
                "the registry's name could not be resolved from here: check its spelling and this machine's DNS, or \
                 give the address in `resolve`"
            }
            Self::Timeout => {
                "the run was stopped at `timeout`, and what was not asked by then counts as not checked: raise \
                 `timeout`, or find out why the registry is slow"
            }
        })
    }
}
