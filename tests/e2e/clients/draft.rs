//! An image in the making: whole, until a case changes descriptors, documents, bytes or answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::layer::Packing;
use super::render::Rendering;
use crate::support::fake::Registry;
use crate::support::http::{Reply, Request};

/// The tag of every image.
pub(super) const TAG: &str = "v";

/// A part of the image that a case changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// What the tag points to: the index, or the only manifest.
    Root,
    /// The manifest for linux/amd64.
    Manifest,
    /// Its config.
    Config,
    /// The second of its two layers.
    Layer,
    /// The manifest for linux/arm64.
    Other,
    /// The manifest that attests the one for linux/amd64.
    Attestation,
    /// The index between the root and the manifest, where there is one.
    Nested,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum At {
    /// To the tag.
    Tag,
    /// To a part, by its digest.
    Digest(Part),
}

pub(super) type Edit = Box<dyn Fn(&mut Value)>;
pub(super) type Rewrite = Box<dyn Fn(Vec<u8>) -> Vec<u8>>;
pub(super) type Inline = Box<dyn Fn(&[u8]) -> String>;
type Answer = Arc<dyn Fn(&Request, Reply) -> Reply + Send + Sync>;
pub(super) type Hash = fn(&[u8]) -> String;

/// What the tag points to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// An index of two platforms; the first one is below so many more indexes.
    Index { nested: usize },
    /// One manifest.
    Single,
}

/// Whose media types it has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Oci,
    Docker,
    DockerInOciIndex,
}

/// The image of a case, with what is to be changed.
pub(super) struct Draft {
    pub(super) seed: String,
    pub(super) shape: Shape,
    pub(super) family: Family,
    pub(super) attested: bool,
    pub(super) packing: Packing,
    pub(super) platform: (&'static str, &'static str),
    pub(super) described: Vec<(Part, Edit)>,
    pub(super) written: Vec<(Part, Edit)>,
    pub(super) rewritten: Vec<(Part, Rewrite)>,
    pub(super) hashed: Vec<(Part, Hash)>,
    answers: Vec<(At, Answer)>,
    ranges: bool,
    pub(super) inline: Vec<(Part, Inline)>,
}

impl Draft {
    /// A whole index of two platforms; no byte is shared with that of another seed.
    pub(super) fn whole(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            shape: Shape::Index { nested: 0 },
            family: Family::Oci,
            attested: false,
            packing: Packing::Gzip,
            platform: ("linux", "amd64"),
            described: Vec::new(),
            written: Vec::new(),
            rewritten: Vec::new(),
            hashed: Vec::new(),
            answers: Vec::new(),
            ranges: true,
            inline: Vec::new(),
        }
    }

    /// A manifest at the tag, without an index.
    pub(super) fn single(mut self) -> Self {
        self.shape = Shape::Single;
        self
    }

    /// The manifest below so many indexes of its own.
    pub(super) fn nested(mut self, depth: usize) -> Self {
        self.shape = Shape::Index { nested: depth };
        self
    }

    /// In docker's types.
    pub(super) fn docker(mut self) -> Self {
        self.family = Family::Docker;
        self
    }

    /// With an attestation, as buildx leaves it.
    pub(super) fn attested(mut self) -> Self {
        self.attested = true;
        self
    }

    /// With layers packed in another way.
    pub(super) fn packed(mut self, packing: Packing) -> Self {
        self.packing = packing;
        self
    }

    /// For another platform than linux/amd64.
    pub(super) fn platform(mut self, os: &'static str, architecture: &'static str) -> Self {
        self.platform = (os, architecture);
        self
    }

    /// Changes the descriptor of a part, where its parent has it.
    pub(super) fn described(mut self, part: Part, edit: impl Fn(&mut Value) + 'static) -> Self {
        self.described.push((part, Box::new(edit)));
        self
    }

    /// Puts what this makes of a part's bytes into its descriptor's `data`.
    pub(super) fn inline(mut self, part: Part, data: impl Fn(&[u8]) -> String + 'static) -> Self {
        self.inline.push((part, Box::new(data)));
        self
    }

    /// In docker's types, below an OCI index.
    pub(super) fn docker_in_oci_index(mut self) -> Self {
        self.family = Family::DockerInOciIndex;
        self
    }

    /// Changes a document.
    pub(super) fn written(mut self, part: Part, edit: impl Fn(&mut Value) + 'static) -> Self {
        self.written.push((part, Box::new(edit)));
        self
    }

    /// Changes the bytes of a part before its digest is taken.
    pub(super) fn rewritten(
        mut self,
        part: Part,
        rewrite: impl Fn(Vec<u8>) -> Vec<u8> + 'static,
    ) -> Self {
        self.rewritten.push((part, Box::new(rewrite)));
        self
    }

    /// Takes another kind of digest of a part.
    pub(super) fn hashed(mut self, part: Part, hash: Hash) -> Self {
        self.hashed.push((part, hash));
        self
    }

    /// The registry answers 404 to a part's digest.
    pub(super) fn gone(self, part: Part) -> Self {
        self.answers(At::Digest(part), "*", |_, _| {
            Reply::error(404, "UNKNOWN", "unknown to this registry")
        })
    }

    /// The registry answers differently to a method, `*` for any.
    pub(super) fn answers(
        mut self,
        at: At,
        method: &'static str,
        answer: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let answer = move |request: &Request, reply: Reply| {
            if method == "*" || method == request.method {
                answer(request, reply)
            } else {
                reply
            }
        };
        self.answers.push((at, Arc::new(answer)));
        self
    }

    /// The registry ignores `Range`.
    pub(super) fn without_ranges(mut self) -> Self {
        self.ranges = false;
        self
    }

    /// Has a registry serve it as a repository.
    pub(super) fn serve(mut self, registry: &Registry, repository: &str) {
        let answers = std::mem::take(&mut self.answers);
        let ranges = self.ranges;
        let rendering = Rendering::of(self);
        registry.serve(&format!("{repository}:{TAG}"), rendering.image());
        // The first rule for a path wins, so all of one path's are one.
        let mut paths: BTreeMap<String, Vec<Answer>> = BTreeMap::new();
        for (at, answer) in answers {
            for path in rendering.paths(at) {
                paths.entry(path).or_default().push(Arc::clone(&answer));
            }
        }
        if !ranges {
            for path in rendering.paths(At::Digest(Part::Layer)) {
                paths.entry(path).or_default();
            }
        }
        for (path, answers) in paths {
            let question = move |request: &mut Request| {
                if !ranges {
                    request
                        .headers
                        .retain(|(name, _)| !name.eq_ignore_ascii_case("range"));
                }
            };
            registry
                .on("*", &format!("/v2/{repository}/{path}"))
                .asks_for(question, move |request, reply| {
                    answers
                        .iter()
                        .fold(reply, |reply, answer| answer(request, reply))
                });
        }
    }
}
