//! What refers to an image from outside joins its graph.

use super::follow::too_deep;
use super::{MAX_DEPTH, Walk, found, too_large, unasked};
use crate::oci::manifest as image;
use crate::oci::manifest::Kind;
use crate::walk::graph::{Care, Found, NodeId};
use crate::walk::rules::Concern;
use crate::walk::source::{Asked, Body, Referring};
use crate::walk::verdict::{Outcome, Verdict, judge_fault, judge_manifest};

impl Walk<'_> {
    pub(super) fn take_referrers(&mut self, subject: NodeId, asked: Asked<Vec<Referring>>) {
        let care = if self.rules.referrers == Concern::Check {
            Care::Check
        } else {
            Care::Warn
        };
        let pages = match asked.answer {
            Ok(pages) => pages,
            Err(fault) => {
                let (verdict, detail) = judge_fault(&fault);
                let detail = format!("the list of referrers: {detail}");
                let outcome = Outcome {
                    verdict,
                    detail,
                    status: asked.status,
                    attempts: asked.attempts,
                    duration: asked.duration,
                    obstacle: fault.obstacle,
                };
                self.add_unlisted(subject, care, outcome);
                return;
            }
        };
        for page in pages {
            match page {
                Referring::Tagged(manifest) => {
                    let depth = self.depth_below(subject);
                    let judgement = match judge_manifest(None, None, &manifest) {
                        (Verdict::Ok, _) if depth > MAX_DEPTH => too_deep(),
                        judgement => judgement,
                    };
                    let asked = Asked {
                        status: asked.status,
                        attempts: 1,
                        ..unasked(Ok(manifest))
                    };
                    let to =
                        self.add_delivered(Kind::Referrer, None, judgement, &asked, depth, false);
                    self.graph.connect(subject, to, None, care);
                }
                Referring::List(manifest) => {
                    let (verdict, detail) = judge_manifest(None, None, &manifest);
                    let children = match &manifest.body {
                        Body::Whole(bytes) if verdict == Verdict::Ok => {
                            image::read_referrers(bytes)
                        }
                        _ => Err((verdict, detail)),
                    };
                    match children {
                        Ok(children) => match self.graph.has_no_room_for(children.len()) {
                            None => {
                                for child in children {
                                    self.follow(subject, child);
                                }
                            }
                            Some(more) => {
                                let (verdict, why) = too_large(&more);
                                let why = format!("the list of referrers: {why}");
                                self.add_unlisted(subject, care, Outcome::unasked(verdict, why));
                            }
                        },
                        Err((verdict, why)) => {
                            let why = format!("the list of referrers: {why}");
                            self.add_unlisted(subject, care, Outcome::unasked(verdict, why));
                        }
                    }
                }
            }
        }
    }

    /// Notes a list of referrers that could not be read.
    fn add_unlisted(&mut self, subject: NodeId, care: Care, outcome: Outcome) {
        let list = Found {
            outcome,
            ..found(None, Kind::Referrer, "")
        };
        let to = self.insert(None, &list, self.depth_below(subject));
        self.settled += 1;
        self.graph.connect(subject, to, None, care);
    }
}
