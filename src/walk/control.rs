//! The questions at the end, when everything else was asked: what fails, does it fail alone? What is
//! said to be missing, does a registry say so?

use super::{Asking, Query, QueryResult, Walk, isolated};
use crate::oci::digest;
use crate::walk::cause::{Cause, Place};
use crate::walk::graph::{Node, NodeId};
use crate::walk::product::Product;
use crate::walk::source::{Fault, FaultKind, Look, Source};
use crate::walk::verdict::{Outcome, Verdict, judge_blob};

/// How far a walk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Everything that is referred to is asked for.
    #[default]
    Walking,
    /// What failed alone is asked for once more.
    Confirming,
    /// The control questions are asked.
    Controlling,
    /// There is no other question.
    Over,
}

/// A control question: content that was fine is asked for again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Control {
    /// Whether the registry still answers for this manifest, while one digest fails.
    StillAnswers(NodeId),
    /// Whether a registry still answers, and for this, where 404s are not in a registry's words.
    SpeaksForItself(NodeId),
    /// Whether it is a registry that fails on what it has lost, and says of a digest that nobody has
    /// that it is missing.
    KnowsWhatIsMissing,
}

impl Walk<'_> {
    /// Goes on when no question is open; queues the questions of the next stage.
    pub(super) fn next_stage(&mut self) {
        self.stage = match self.stage {
            Stage::Walking => {
                self.ask_again(isolated::candidates(&self.graph));
                Stage::Confirming
            }
            Stage::Confirming => {
                self.ask_controls();
                Stage::Controlling
            }
            Stage::Controlling if self.failures_are_losses => {
                self.call_lost(self.failing());
                Stage::Over
            }
            Stage::Controlling | Stage::Over => Stage::Over,
        };
    }

    /// What the registry itself fails on.
    fn failing(&self) -> Vec<NodeId> {
        let all = self.graph.iter();
        let failing = all.filter(|(_, node)| isolated::is_own_failure(*node));
        failing.map(|(id, _)| id).collect()
    }

    fn ask_again(&mut self, failing: Vec<NodeId>) {
        for id in failing {
            let references: Vec<u32> = (0..)
                .zip(&self.roots)
                .filter(|(_, root)| **root == Some(id))
                .map(|(at, _)| at)
                .collect();
            if self.graph.node(id).is_nameless() {
                let again = references
                    .into_iter()
                    .map(|at| Query::Resolve(at, Look::again()));
                self.manifests.extend(again);
                continue;
            }
            let node = self.graph.node(id);
            let (is_manifest, cause) = (node.kind().is_manifest(), node.cause().clone());
            let now = self.now();
            if self.notes[id.place()].again.replace(now).is_some() {
                continue;
            }
            let so_far = Outcome {
                status: node.status(),
                attempts: node.attempts(),
                duration: node.duration(),
                ..Outcome::unasked(Verdict::NotChecked, cause)
            };
            self.graph.set_outcome(id, &so_far);
            self.settled -= 1;
            if is_manifest {
                self.manifests.push_back(Query::Manifest(id));
            } else if self.graph.is_whole(id) {
                self.blobs.push_back(Query::Config(id));
            } else {
                self.blobs.push_back(Query::Blob(id));
            }
        }
    }

    fn ask_controls(&mut self) {
        let is_alone = !isolated::candidates(&self.graph).is_empty();
        match self.witness(true) {
            Some(witness) if is_alone => {
                let control = Control::StillAnswers(witness);
                self.manifests.push_back(Query::Control(control));
            }
            _ if !self.failing().is_empty() => {
                let control = Control::KnowsWhatIsMissing;
                self.manifests.push_back(Query::Control(control));
            }
            _ => {}
        }
        for manifests in [true, false] {
            if self.said_by_strangers(manifests).is_empty() {
                continue;
            }
            match self.witness(manifests) {
                Some(witness) => {
                    let control = Control::SpeaksForItself(witness);
                    self.manifests.push_back(Query::Control(control));
                }
                None => self.disbelieve(manifests),
            }
        }
    }

    /// Content that is fine, in this run or by memory: a manifest, or a blob.
    fn witness(&self, manifest: bool) -> Option<NodeId> {
        let answered =
            |node: Node<'_>| node.verdict() == Verdict::Ok && node.kind().is_manifest() == manifest;
        let mut nodes = self.graph.iter();
        nodes.find(|(_, node)| answered(*node)).map(|(id, _)| id)
    }

    /// What is missing by answers that are not in a registry's words. An image's own 404 was judged
    /// when it came.
    fn said_by_strangers(&self, manifests: bool) -> Vec<NodeId> {
        let is_foreign = |node: Node<'_>| {
            let cause = node.cause();
            let cause = cause.inner().unwrap_or(cause);
            matches!(
                cause,
                Cause::Status { is_registrys, place, .. }
                    if !is_registrys || *place != Place::Registry
            )
        };
        let is_it = |(id, node): &(NodeId, Node<'_>)| {
            node.verdict() == Verdict::Missing
                && node.kind().is_manifest() == manifests
                && !self.roots.contains(&Some(*id))
                && is_foreign(*node)
        };
        self.graph.iter().filter(is_it).map(|(id, _)| id).collect()
    }

    fn disbelieve(&mut self, manifests: bool) {
        for id in self.said_by_strangers(manifests) {
            let node = self.graph.node(id);
            let outcome = Outcome {
                verdict: Verdict::Unavailable,
                cause: Cause::NoRegistry(Box::new(node.cause().clone())),
                status: node.status(),
                attempts: node.attempts(),
                duration: node.duration(),
            };
            self.graph.set_outcome(id, &outcome);
        }
    }

    pub(super) fn ask_control<'s, S: Source>(&self, source: &'s S, control: Control) -> Asking<'s> {
        let (Control::StillAnswers(witness) | Control::SpeaksForItself(witness)) = control else {
            return Box::pin(async move {
                let nobodys = digest::sha256(b"a digest that no registry has");
                let asked = source.manifest(&nobodys, Look::Witness).await;
                let is_told = asked.answer.is_err_and(|fault| is_told_missing(&fault));
                QueryResult::Control(control, is_told && reads_files(source.product()))
            });
        };
        let digest = self.digest(witness);
        let is_manifest = self.graph.node(witness).kind().is_manifest();
        let promise = (!is_manifest).then(|| self.promise(witness));
        Box::pin(async move {
            let is_fine = match promise {
                None => source.manifest(&digest, Look::Witness).await.answer.is_ok(),
                Some(promise) => {
                    let asked = source.blob(&promise, Look::Witness).await;
                    asked
                        .answer
                        .is_ok_and(|blob| judge_blob(&promise, &blob).0 == Verdict::Ok)
                }
            };
            let is_stranger = matches!(control, Control::SpeaksForItself(_));
            let answer = is_fine && (!is_stranger || source.is_there().await);
            QueryResult::Control(control, answer)
        })
    }

    pub(super) fn take_control(&mut self, control: Control, answer: bool) {
        match control {
            Control::StillAnswers(_) if answer => {
                self.call_lost(isolated::candidates(&self.graph));
            }
            Control::KnowsWhatIsMissing if answer => {
                self.failures_are_losses = true;
                self.ask_again(self.failing());
            }
            Control::SpeaksForItself(witness) if !answer => {
                self.disbelieve(self.graph.node(witness).kind().is_manifest());
            }
            _ => {}
        }
    }

    fn call_lost(&mut self, failing: Vec<NodeId>) {
        for id in failing {
            let node = self.graph.node(id);
            let outcome = Outcome {
                verdict: Verdict::Unavailable,
                cause: Cause::FailsAlone(Box::new(node.cause().clone())),
                status: node.status(),
                attempts: node.attempts(),
                duration: node.duration(),
            };
            self.graph.set_outcome(id, &outcome);
        }
    }
}

/// Whether a 500 of this registry is about content: it keeps no database that could be down.
fn reads_files(product: Product) -> bool {
    matches!(product, Product::Distribution | Product::Zot)
}

/// Whether a 404 is in the registry's own words.
fn is_told_missing(fault: &Fault) -> bool {
    let is_own = matches!(
        fault.cause,
        Cause::Status {
            is_registrys: true,
            is_page: false,
            place: Place::Registry,
            ..
        }
    );
    fault.kind == FaultKind::NotFound && is_own
}
