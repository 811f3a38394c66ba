//! What refers to an image from outside joins its graph.

use super::{MAX_NODES, Walk, new_node, unasked};
use crate::graph::{Care, NodeId};
use crate::image::{self, Kind};
use crate::settings::Concern;
use crate::source::{Asked, Body, Referring};
use crate::verdict::{Outcome, Verdict, judge_fault, judge_manifest};

impl Walk<'_> {
    pub(super) fn take_referrers(&mut self, subject: NodeId, asked: Asked<Vec<Referring>>) {
        let care = if self.rules.referrers == Concern::Check { Care::Check } else { Care::Warn };
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
                };
                self.add_unlisted(subject, care, outcome);
                return;
            }
        };
        for page in pages {
            match page {
                Referring::Tagged(manifest) => {
                    let judgement = judge_manifest(None, None, &manifest);
                    let asked = Asked { status: asked.status, attempts: 1, ..unasked(Ok(manifest)) };
                    let to = self.add_delivered(Kind::Referrer, None, judgement, &asked);
                    self.connect(subject, to, None, care);
                }
                Referring::List(manifest) => {
                    let (verdict, detail) = judge_manifest(None, None, &manifest);
                    let children = match &manifest.body {
                        Body::Whole(bytes) if verdict == Verdict::Ok => image::read_referrers(bytes),
                        _ => Err((verdict, detail)),
                    };
                    match children {
                        Ok(children) if self.graph.len() + children.len() <= MAX_NODES => {
                            for child in children {
                                self.follow(subject, child);
                            }
                        }
                        Ok(_) => {
                            let why = format!("the list of referrers makes more than {MAX_NODES} nodes");
                            self.add_unlisted(subject, care, Outcome::unasked(Verdict::Malformed, why));
                        }
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
        let mut node = new_node(None, Kind::Referrer, "");
        node.outcome = outcome;
        let to = self.insert(None, node, self.depth_below(subject));
        self.settled += 1;
        self.connect(subject, to, None, care);
    }
}
