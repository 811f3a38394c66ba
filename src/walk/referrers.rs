//! What refers to an image from outside joins its graph.

use super::follow::TOO_DEEP;
use super::{MAX_DEPTH, Query, Walk, found, too_much};
use crate::oci::flaw::Flaw;
use crate::oci::kind::Kind;
use crate::oci::manifest::read_referrers;
use crate::walk::cause::Cause;
use crate::walk::graph::{Found, NodeId};
use crate::walk::source::{Asked, Body, Look, Manifest, Referring};
use crate::walk::verdict::{
    Outcome, Verdict, VerdictAndCause, judge_fault, judge_flaw, judge_manifest,
};

/// Whether a page of a list, or what a tag made from a digest leads to, is definitely wrong.
fn is_wrong(page: &Referring) -> bool {
    let (Referring::List(manifest) | Referring::Tagged(manifest)) = page;
    let is_listed = matches!(page, Referring::List(_));
    match (judge_manifest(None, None, manifest), &manifest.body) {
        ((Verdict::Ok, _), Body::Whole(bytes)) => is_listed && read_referrers(bytes).is_err(),
        _ => true,
    }
}

impl Walk<'_> {
    pub(super) fn take_referrers(
        &mut self,
        subject: NodeId,
        look: Look,
        asked: Asked<Vec<Referring>>,
    ) {
        let is_wrong = (asked.answer.as_ref()).is_ok_and(|pages| pages.iter().any(is_wrong));
        if is_wrong && !look.is_again() {
            let again = Query::Referrers(subject, Look::again());
            return self.manifests.push_back(again);
        }
        match asked.answer {
            Ok(pages) => {
                for page in pages {
                    match page {
                        Referring::Tagged(manifest) => {
                            self.take_tagged(subject, manifest, asked.status);
                        }
                        Referring::List(manifest) => self.take_list(subject, &manifest),
                    }
                }
            }
            Err(fault) => {
                let (verdict, cause) = judge_fault(&fault);
                let outcome = Outcome {
                    verdict,
                    cause,
                    status: asked.status,
                    attempts: asked.attempts,
                    duration: asked.duration,
                };
                self.add_unlisted(subject, outcome);
            }
        }
    }

    fn take_tagged(&mut self, subject: NodeId, manifest: Manifest, status: Option<u16>) {
        let depth = self.depth_below(subject);
        let judged = match judge_manifest(None, None, &manifest) {
            (Verdict::Ok, _) if depth > MAX_DEPTH => TOO_DEEP,
            judged => judged,
        };
        let asked = Asked {
            status,
            attempts: 1,
            ..Asked::unasked(Ok(manifest))
        };
        let to = self.add_delivered(Kind::Referrer, None, judged, &asked, depth, false);
        self.graph
            .connect(subject, to, None, self.care(Kind::Referrer));
    }

    fn take_list(&mut self, subject: NodeId, manifest: &Manifest) {
        let unusable = |(verdict, cause): VerdictAndCause| Outcome::unasked(verdict, cause);
        let bytes = match (judge_manifest(None, None, manifest), &manifest.body) {
            ((Verdict::Ok, _), Body::Whole(bytes)) => bytes,
            ((Verdict::Empty, cause), _) => {
                return self.add_unlisted(subject, unusable((Verdict::Unavailable, cause)));
            }
            (judged, _) => return self.add_unlisted(subject, unusable(judged)),
        };
        let children = match read_referrers(bytes) {
            Ok(children) => children,
            // A proxy or a page that answers everything says nothing about referrers.
            Err(flaw @ Flaw::NotAnIndex) => {
                let judged = (Verdict::Unavailable, Cause::Unusable(flaw));
                return self.add_unlisted(subject, unusable(judged));
            }
            Err(flaw) => return self.add_unlisted(subject, unusable(judge_flaw(flaw))),
        };
        if let Some(bound) = self.graph.has_no_room_for(children.len()) {
            return self.add_unlisted(subject, unusable(too_much(bound)));
        }
        for child in children {
            self.follow(subject, child);
        }
    }

    /// Notes a list of referrers that could not be read.
    fn add_unlisted(&mut self, subject: NodeId, outcome: Outcome) {
        let cause = Cause::Referrers(Box::new(outcome.cause));
        let list = Found {
            outcome: Outcome { cause, ..outcome },
            ..found(None, Kind::Referrer, "")
        };
        let to = self.insert(None, &list, self.depth_below(subject));
        self.settled += 1;
        self.graph
            .connect(subject, to, None, self.care(Kind::Referrer));
    }
}
