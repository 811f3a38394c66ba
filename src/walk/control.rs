//! The questions at the end, when everything else was asked: what fails, does it fail alone? What is
//! said to be missing, does a registry say so?

use super::{Asking, Query, QueryResult, Walk, isolated};
use crate::walk::cause::{Cause, Place};
use crate::walk::graph::{Node, NodeId};
use crate::walk::source::{Look, Source};
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
}

impl Walk<'_> {
    /// Goes on when no question is open; queues the questions of the next stage.
    pub(super) fn next_stage(&mut self) {
        self.stage = match self.stage {
            Stage::Walking => {
                self.ask_failing_again();
                Stage::Confirming
            }
            Stage::Confirming => {
                self.ask_controls();
                Stage::Controlling
            }
            Stage::Controlling | Stage::Over => Stage::Over,
        };
    }

    fn ask_failing_again(&mut self) {
        for id in isolated::candidates(&self.graph) {
            let node = self.graph.node(id);
            let (is_manifest, cause) = (node.kind().is_manifest(), node.cause().clone());
            if std::mem::replace(&mut self.notes[id.place()].again, true) {
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
        if !isolated::candidates(&self.graph).is_empty()
            && let Some(witness) = self.witness(true)
        {
            let control = Control::StillAnswers(witness);
            self.manifests.push_back(Query::Control(control));
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

    /// Content that was asked for and is fine: a manifest, or a blob.
    fn witness(&self, manifest: bool) -> Option<NodeId> {
        let answered = |node: Node<'_>| {
            node.verdict() == Verdict::Ok
                && node.kind().is_manifest() == manifest
                && node.attempts() > 0
        };
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
        let (Control::StillAnswers(witness) | Control::SpeaksForItself(witness)) = control;
        let digest = self.digest(witness);
        let is_manifest = self.graph.node(witness).kind().is_manifest();
        let promise = (!is_manifest).then(|| self.promise(witness));
        Box::pin(async move {
            let is_fine = match promise {
                None => source
                    .manifest(&digest, Look::MayBeAbsent)
                    .await
                    .answer
                    .is_ok(),
                Some(promise) => {
                    let asked = source.blob(&promise, Look::MayBeAbsent).await;
                    asked
                        .answer
                        .is_ok_and(|blob| judge_blob(&promise, &blob).0 == Verdict::Ok)
                }
            };
            let answer = match control {
                Control::StillAnswers(_) => is_fine,
                Control::SpeaksForItself(_) => is_fine && source.is_there().await,
            };
            QueryResult::Control(control, answer)
        })
    }

    pub(super) fn take_control(&mut self, control: Control, answer: bool) {
        match control {
            Control::StillAnswers(_) if answer => {
                for id in isolated::candidates(&self.graph) {
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
            Control::SpeaksForItself(witness) if !answer => {
                self.disbelieve(self.graph.node(witness).kind().is_manifest());
            }
            _ => {}
        }
    }
}
