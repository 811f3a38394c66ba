//! Advice in plain English.

use std::collections::HashMap;
use std::fmt;

use super::remedy::About;
use crate::oci::reference::Reference;
use crate::text::human;

/// What may have caused a result, and what to do; in the order in which it is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hint {
    /// A reference itself answers 404.
    ReferenceMissing,
    /// The registry itself states a size other than the promised one.
    DamagedFile,
    /// 500 for one digest.
    OneDigestFails,
    /// Other bytes than the digest says.
    ChangedContent,
    /// Empty or cut short behind a 200 or 206 with the promised size.
    StaleCache,
    /// All children of an index answer 404.
    EveryChildMissing,
    /// Some children of an index answer 404.
    SomeChildrenMissing,
    /// A manifest is there and blobs of it are not.
    BlobsMissing,
    /// Content of an OCI image layout is missing or damaged.
    IncompleteLayout,
    /// On a disk: a link is gone, and its bytes are there.
    Unlinked,
    /// On a disk: content is gone.
    LostOnDisk,
    /// On a disk: a link or a file is not what it should be.
    DamagedOnDisk,
    /// On a disk: a file cannot be read.
    UnreadableFile,
    /// The digest of nothing.
    EmptyContent,
    /// Only attestations are broken, and that breaks the image.
    OnlyAttestations,
    /// Only attestations are broken, and that is a warning.
    OnlyAttestationsWarned,
    /// The expected digest is that of a config.
    ImageId,
    /// Another digest than expected.
    WrongDigest,
    /// Tags that should be the same digest are not.
    TagsDiffer,
    /// A platform is not in the index.
    PlatformMissing,
    /// Not an image.
    NotAnImage,
    /// `HEAD` is refused, or contradicts `GET`.
    HeadRefused,
    /// A manifest is delivered as something else.
    ContentType,
    /// Content is delivered with a `Content-Encoding` that it does not have.
    ContentEncoding,
    /// A form that a client refuses.
    RefusedForm,
    /// Schema 1.
    SchemaOne,
    /// An index in an index.
    NestedIndex,
    /// Refused in GitHub Actions without credentials.
    LoginNotVisible,
    /// Refused otherwise.
    Denied,
    /// Docker Hub's limit.
    DockerHubLimit,
    /// Another registry's limit.
    RateLimit,
    /// TLS to something that speaks plain HTTP.
    SpeaksPlainHttp,
    /// Plain HTTP to something that speaks TLS.
    SpeaksTls,
    /// A storage fails, and not the registry.
    StorageFails,
    /// A storage refuses access, and not the registry.
    StorageRefuses,
    /// A token server fails, and not the registry.
    TokenServerFails {
        /// Scheme and host; `None` where they have unusual characters.
        server: Option<Box<str>>,
    },
    /// Something else answers in the registry's place.
    NotARegistry,
    /// A certificate that is signed by an unknown authority.
    UnknownAuthority,
    /// A certificate that is not valid for this name, or not at this time.
    BadCertificate,
    /// The connection is refused.
    ConnectionRefused,
    /// The name does not resolve.
    UnknownHost,
    /// Nothing came back in time.
    NoAnswer,
    /// There is no way to the registry.
    NetworkUnreachable,
    /// A web page instead of an answer.
    WebPage,
    /// A proxy reports that the registry behind it does not answer.
    ProxyError,
    /// 5xx for several digests of a repository.
    SeveralDigestsFail {
        /// How many digests.
        failing: usize,
        /// How many are fine.
        fine: usize,
    },
    /// 5xx, and nothing else was answered.
    ServerError,
    /// `timeout` was over.
    Timeout,
    /// `timeout` was over before the window of `settle` was.
    TimeoutWhileSettling,
}

/// A hint, and for which images it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What to do.
    pub hint: Hint,
    /// What it is about.
    pub about: About,
    /// The images that it is for.
    pub images: Vec<Reference>,
    /// The shortest names that distinguish those images from the others; empty when it is for all
    /// of the run.
    pub names: Vec<String>,
}

impl Advice {
    /// `app:1, app:2 and 3 more`; `None` when it is for all images of the run.
    #[must_use]
    pub fn addressees(&self) -> Option<String> {
        /// How many images are named before the rest is counted.
        const NAMED: usize = 3;
        let mut names: Vec<String> = self.names.iter().take(NAMED).cloned().collect();
        if self.names.len() > NAMED {
            names.push(format!("{} more", self.names.len() - NAMED));
        }
        (!names.is_empty()).then(|| human::list(&names))
    }

    /// What to do, as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        self.hint.text(&self.about)
    }

    /// A command that shows the fault, where everything in it is known.
    #[must_use]
    pub fn command(&self) -> Option<String> {
        let digest = self.about.content.as_ref().map(|content| &content.digest);
        let scene = self.about.scene.as_deref()?;
        scene.command(&self.hint, digest.map(AsRef::as_ref))
    }

    /// What to do, and how to see the fault.
    #[must_use]
    pub fn text(&self) -> String {
        match self.command() {
            Some(command) => format!("{}. See it: `{command}`", self.sentence()),
            None => self.sentence(),
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addressees() {
            Some(names) => write!(f, "{names}: {}", self.text()),
            None => f.write_str(&self.text()),
        }
    }
}

impl Hint {
    /// What heads its entry on the troubleshooting page, and stands in the JSON report.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::ReferenceMissing => "reference-missing",
            Self::DamagedFile => "damaged-file",
            Self::OneDigestFails => "one-digest-fails",
            Self::ChangedContent => "content-changed",
            Self::StaleCache => "stale-cache",
            Self::EveryChildMissing => "every-child-missing",
            Self::SomeChildrenMissing => "some-children-missing",
            Self::BlobsMissing => "blobs-missing",
            Self::IncompleteLayout => "incomplete-layout",
            Self::Unlinked => "unlinked",
            Self::LostOnDisk => "lost-on-disk",
            Self::DamagedOnDisk => "damaged-on-disk",
            Self::UnreadableFile => "unreadable-file",
            Self::EmptyContent => "empty-content",
            Self::OnlyAttestations | Self::OnlyAttestationsWarned => "only-attestations",
            Self::ImageId => "image-id-expected",
            Self::WrongDigest => "wrong-digest",
            Self::TagsDiffer => "tags-differ",
            Self::PlatformMissing => "platform-missing",
            Self::NotAnImage => "not-an-image",
            Self::HeadRefused => "head-refused",
            Self::ContentType => "content-type",
            Self::ContentEncoding => "content-encoding",
            Self::RefusedForm => "refused-form",
            Self::SchemaOne => "schema-1",
            Self::NestedIndex => "nested-index",
            Self::LoginNotVisible => "login-not-visible",
            Self::Denied => "denied",
            Self::DockerHubLimit => "docker-hub-limit",
            Self::RateLimit => "rate-limit",
            Self::SpeaksPlainHttp => "registry-speaks-plain-http",
            Self::SpeaksTls => "registry-speaks-tls",
            Self::StorageFails => "storage-fails",
            Self::StorageRefuses => "storage-refuses",
            Self::TokenServerFails { .. } => "token-server-fails",
            Self::NotARegistry => "not-a-registry",
            Self::UnknownAuthority => "unknown-authority",
            Self::BadCertificate => "bad-certificate",
            Self::ConnectionRefused => "connection-refused",
            Self::UnknownHost => "unknown-host",
            Self::NoAnswer => "no-answer",
            Self::NetworkUnreachable => "network-unreachable",
            Self::WebPage => "web-page",
            Self::ProxyError => "proxy-error",
            Self::SeveralDigestsFail { .. } => "several-digests-fail",
            Self::ServerError => "server-error",
            Self::Timeout => "timeout",
            Self::TimeoutWhileSettling => "timeout-while-settling",
        }
    }

    /// Whether another of these says all that it would say.
    pub(super) fn is_covered_by(&self, is_given: impl Fn(&Self) -> bool) -> bool {
        let stronger: &[Self] = match self {
            Self::StaleCache => &[Self::DamagedFile],
            Self::BlobsMissing => &[
                Self::DamagedFile,
                Self::StaleCache,
                Self::EveryChildMissing,
                Self::SomeChildrenMissing,
            ],
            Self::SomeChildrenMissing => &[Self::OnlyAttestations, Self::OnlyAttestationsWarned],
            Self::WrongDigest => &[Self::ImageId],
            _ => &[],
        };
        stronger.iter().any(is_given)
    }

    /// Whether it is about content of a registry, so that the registry matters.
    pub(super) fn is_about_content(&self) -> bool {
        matches!(
            self,
            Self::EveryChildMissing
                | Self::SomeChildrenMissing
                | Self::BlobsMissing
                | Self::StaleCache
                | Self::DamagedFile
                | Self::ChangedContent
                | Self::OneDigestFails
                | Self::IncompleteLayout
                | Self::EmptyContent
                | Self::Unlinked
                | Self::LostOnDisk
                | Self::DamagedOnDisk
        )
    }

    /// Whether it is about a registry, so that it is given once for each.
    pub(super) fn is_about_registry(&self) -> bool {
        matches!(
            self,
            Self::Denied
                | Self::RateLimit
                | Self::SpeaksPlainHttp
                | Self::SpeaksTls
                | Self::NotARegistry
                | Self::UnknownAuthority
                | Self::BadCertificate
                | Self::ConnectionRefused
                | Self::UnknownHost
                | Self::NoAnswer
                | Self::NetworkUnreachable
                | Self::WebPage
                | Self::ProxyError
                | Self::ServerError
        )
    }

    /// What to do, as a sentence.
    #[expect(clippy::too_many_lines, reason = "one sentence for each hint")]
    #[must_use]
    pub fn text(&self, about: &About) -> String {
        if let Some(text) = about.scene.as_deref().and_then(|scene| scene.text(self)) {
            return text;
        }
        let text = match self {
            Self::EveryChildMissing => return about.every_child_missing(),
            Self::SomeChildrenMissing => return about.some_children_missing(),
            Self::BlobsMissing => return about.blobs_missing(),
            Self::StaleCache => return about.stale_cache(),
            Self::DamagedFile => return about.damaged_file(),
            Self::ChangedContent => return about.changed_content(),
            Self::OneDigestFails => return about.one_digest_fails(),
            Self::IncompleteLayout => return about.incomplete_layout(),
            Self::EmptyContent => return about.empty_content(),
            Self::Unlinked => return about.unlinked(),
            Self::LostOnDisk => return about.lost_on_disk(),
            Self::DamagedOnDisk => return about.damaged_on_disk(),
            Self::UnreadableFile => {
                "files of the registry's storage could not be read, so what they hold is not \
                 known: run this as the user of the registry, or give it the right to read, and \
                 look into the system's log for errors of the disk. A symbolic link that leads \
                 out of the directory is not followed"
            }
            Self::SeveralDigestsFail { failing, fine } => {
                return format!(
                    "{failing} digests keep failing while {fine} answer: run it again, and if the \
                     same ones fail, their content may be lost: look at the registry's log"
                );
            }
            Self::ReferenceMissing => {
                "the registry does not know this reference at all: compare its name and tag \
                 with what the build step pushed, and make sure that this step runs after the \
                 push"
            }
            Self::OnlyAttestations => {
                "the image itself is complete, only its attestations (provenance, SBOM) are \
                 not: `docker pull` works, but copying, mirroring and scanning may fail. If \
                 they are not needed, set `attestations: warn`, or build with `provenance: \
                 false`"
            }
            Self::OnlyAttestationsWarned => {
                "the image itself is complete, only its attestations (provenance, SBOM) are \
                 not: `docker pull` works, but copying, mirroring and scanning may fail"
            }
            Self::ImageId => {
                "the expected digest is an image ID: the digest of the config, not of the \
                 manifest that a registry resolves a tag to. Pass the digest that the push \
                 printed (`containerimage.digest` in buildx's metadata file)"
            }
            Self::WrongDigest => {
                "the tag does not point at the expected image: another pipeline has moved it \
                 since, the push went elsewhere, or the expected digest is from an older build. \
                 Compare it with what the build step printed"
            }
            Self::TagsDiffer => {
                "tags that should point at one image do not: another pipeline moved one of \
                 them, or not all were pushed. Push all of them from one build, or set \
                 `same_digest: false` if they may differ"
            }
            Self::PlatformMissing => {
                "a platform was not built, or a later push of one platform alone replaced the \
                 tag: build all platforms in one push, or join them with `docker buildx \
                 imagetools create`"
            }
            Self::NestedIndex => {
                "an index lists another index: that is legal, but podman and older versions of \
                 docker find no image through it, and Kubernetes finds one only where the entry \
                 names the platform. Create the outer index from the manifests instead (`docker \
                 buildx imagetools create` with the digests of the platforms)"
            }
            Self::NotAnImage => {
                "this is content that a registry may hold, but no image that could be run: to \
                 verify that it is complete, set `artifacts: pass`; else the tag was meant for \
                 an image, and something else was pushed to it"
            }
            Self::HeadRefused => {
                "containerd resolves a reference with HEAD and goes by its answer, so Kubernetes \
                 cannot pull this although GET works. Let the proxy in front of the registry pass \
                 HEAD on as it does GET. Pushing again does not help"
            }
            Self::ContentType => {
                "clients go by the Content-Type of a manifest: let the registry, and what is in \
                 front of it, deliver it with the type that the image was pushed with. Pushing \
                 again does not help"
            }
            Self::ContentEncoding => {
                "the bytes are right, and a Content-Encoding says that they are compressed, so \
                 clients undo that and get other bytes. Let the registry, the proxy in front of \
                 it or its storage deliver content without this header. Pushing again does not \
                 help"
            }
            Self::RefusedForm => {
                "all bytes are there, but clients refuse the form of this image: build it with \
                 another tool or other options. docs/clients.md says which client refuses what; \
                 if others than these count, set `clients`"
            }
            Self::SchemaOne => {
                "a manifest uses Docker's schema 1, which current tools refuse to pull: build \
                 and push the image with a current tool"
            }
            Self::LoginNotVisible => {
                "the registry refused access and there are no credentials here: the login of \
                 docker/login-action is not visible in a container action. Three ways out: give \
                 `username` and `password` (or `logins`); for ghcr.io leave `github-token` at \
                 its default and grant `permissions: packages: read`; or set `env: \
                 DOCKER_CONFIG: ${{ runner.temp }}/docker` on the login step and on this one"
            }
            Self::Denied => {
                "the registry refused access: check `username` and `password` (or `logins`) and \
                 that they may pull from this repository. Many registries answer the same for a \
                 repository that does not exist, and a new package on ghcr.io is private"
            }
            Self::DockerHubLimit => {
                "Docker Hub limits pulls, anonymous ones most of all: log in with `username` \
                 and `password`, or wait for the limit to pass"
            }
            Self::RateLimit => {
                "the registry limits how often it is asked: lower `concurrency`, raise \
                 `attempts`, or wait and run again"
            }
            Self::SpeaksPlainHttp => {
                "the registry does not speak TLS: if it is meant to be reached over plain HTTP, \
                 name its host in `insecure`"
            }
            Self::SpeaksTls => {
                "over plain HTTP the registry does not answer as a plain HTTP server would, so \
                 it probably speaks TLS: remove its host from `insecure`"
            }
            Self::StorageFails => {
                "the registry itself answers, but the storage that it redirects to does not; the \
                 line of the digest names it. Run again when that server is up"
            }
            Self::StorageRefuses => {
                "the storage that the registry redirects to refuses the signed URL that the \
                 registry made, so your login plays no part: compare the clocks of the registry \
                 and of the storage, and check the registry's own keys and the storage's access \
                 policy. A storage that may not list its objects also answers 403 for one that \
                 is gone"
            }
            Self::TokenServerFails { server } => {
                let server = server.as_deref().map(|server| format!(" {server}"));
                return format!(
                    "the token server{}, which the registry names for logins, gives no usable \
                     answer: the registry itself is up, but without a token it delivers nothing. \
                     Run again when the token server is up, and check that it can be reached from \
                     here (`resolve`, `ca` and proxies apply to it, too)",
                    server.unwrap_or_default()
                );
            }
            Self::NotARegistry => {
                "what answers there is not a registry: check host and port. An ingress or a \
                 proxy also answers 404 when the registry behind it is down"
            }
            Self::UnknownAuthority => {
                "the registry's certificate is signed by an unknown authority: set `ca` to the \
                 certificate of your authority, or of the proxy that opens TLS connections"
            }
            Self::BadCertificate => {
                "the registry's certificate is not valid for this name at this time: check the \
                 host in the reference, the certificate's dates, and this machine's clock"
            }
            Self::ConnectionRefused => {
                "connection refused: nothing is listening where the registry should be. Check \
                 host and port, and that the registry runs. In a container, localhost is the \
                 container itself"
            }
            Self::UnknownHost => {
                "the registry's name could not be resolved from here: check its spelling and \
                 this machine's DNS, or give the address in `resolve`"
            }
            Self::WebPage => {
                "what answered is not a registry: the host serves a registry's web page, or the \
                 login page of a proxy answers for it. Check host and port of the reference"
            }
            Self::NoAnswer => {
                "nothing came back from the registry: a firewall that drops packets looks like \
                 this, and so does a server that speaks something else on this port. If it is \
                 only slow, raise `request_timeout`"
            }
            Self::NetworkUnreachable => {
                "there is no way from here to the registry: this machine has no network, or none \
                 of this kind (IPv6, a VPN, a proxy that is needed)"
            }
            Self::ProxyError => {
                "a proxy in front of the registry answers, and the registry behind it does not \
                 answer the proxy: look whether the registry runs, and into the proxy's log"
            }
            Self::ServerError => {
                "the registry has an error of its own (5xx): run again; if it keeps failing, \
                 the registry's log says why"
            }
            Self::Timeout => {
                "the run was stopped at `timeout`; whatever it had not asked for by then counts \
                 as not checked: raise `timeout`, or find out why the registry is slow"
            }
            Self::TimeoutWhileSettling => {
                "the run was stopped at `timeout` within the window of `settle`, in which a 404 \
                 means \"not yet\": set a `timeout` that is longer than `settle`, or a shorter \
                 `settle`"
            }
        };
        text.to_owned()
    }
}

/// The short name of each image: `app:1`, or the whole reference where two images share that.
pub(super) fn short_names<'r>(images: &[&'r Reference]) -> HashMap<&'r Reference, String> {
    let short = |reference: &Reference| {
        let whole = reference.to_string();
        let name = whole.rsplit_once('/').map(|(_, name)| name.to_owned());
        name.unwrap_or(whole)
    };
    let mut said: HashMap<String, usize> = HashMap::new();
    for image in images {
        *said.entry(short(image)).or_default() += 1;
    }
    let name = |image: &Reference| match short(image) {
        short if said[&short] == 1 => short,
        _ => image.to_string(),
    };
    images.iter().map(|image| (*image, name(image))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// The texts of one arm each of `Hint::id`.
    fn ids() -> Vec<&'static str> {
        let source = include_str!("hint.rs");
        let (_, rest) = source.split_once("pub fn id(&self)").unwrap();
        let (arms, _) = rest.split_once("\n    }\n").unwrap();
        let text = |line: &'static str| line.split('"').nth(1);
        arms.lines().filter_map(text).collect()
    }

    #[test]
    fn every_hint_heads_an_entry_on_the_troubleshooting_page() {
        let page = include_str!("../../docs/troubleshooting.md");
        let (images, _) = page.split_once("\n## Repairs\n").unwrap();
        let headings = images.lines().filter_map(|line| line.strip_prefix("### "));
        let entries: BTreeSet<&str> = headings.filter(|text| !text.starts_with('`')).collect();
        let ids = ids();
        assert!(ids.len() > 30, "{ids:?}");
        assert_eq!(ids.iter().copied().collect::<BTreeSet<_>>(), entries);
        assert_eq!(ids.len(), entries.len(), "an id stands for one hint");
    }
}
