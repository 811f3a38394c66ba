//! What the verdicts on one repository's digests mean for the images that need them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use super::affected::{self, AffectedBy};
use super::exit::Exit;
use super::hints::Hints;
use super::totals::Counts;
use crate::oci::client::Clients;
use crate::oci::kind::Kind;
use crate::walk::cause::Cause;
use crate::walk::checked::{Checked, Finding, Subject};
use crate::walk::graph::{Graph, NodeId};
use crate::walk::stop::Stop;
use crate::walk::verdict::Verdict;

/// What a judgement needs of the run besides the repository.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// Why the run ended early, if it did.
    pub stopped: Option<Stop>,
    /// Whether the user may rely on a login that is not visible here.
    pub login_not_visible: bool,
    /// `clients`: what stops one of them is broken.
    pub clients: Clients,
    /// When the run began.
    pub now: SystemTime,
}

/// One checked repository with everything that follows from it.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The repository that was judged.
    pub checked: &'a Checked,
    /// Every distinct root, ordered by the first image that resolves to it.
    pub roots: Vec<Root<'a>>,
    /// How many of what.
    pub counts: Counts,
    /// What may have led to the result of each image, and what to do.
    pub(super) hints: Hints,
    root_of_subject: Vec<usize>,
    counted: Clients,
    /// By the place of the image; none where nobody says what is in use.
    usages: Vec<Usage>,
}

/// Whether and by whom an image is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Whether it is.
    pub is_used: bool,
    /// By whom, as `deployment shop/app`; none where the list does not say.
    pub users: BTreeSet<Arc<str>>,
}

/// One distinct root: what all images that resolve to it share.
#[derive(Debug)]
pub struct Root<'a> {
    /// The graph that it is in.
    pub graph: &'a Graph,
    /// The root itself.
    pub node: NodeId,
    /// Definitely broken, and the image needs them; in the image's own order.
    pub broken: Vec<NodeId>,
    /// Undecided, and the image needs them.
    pub undecided: Vec<NodeId>,
    /// Broken or undecided, and the image does not need them.
    pub warned: Vec<NodeId>,
    /// Which pulls each of those affects.
    pub affected: AffectedBy<'a>,
    /// The images that resolve to it, by their places; never none.
    pub subjects: Vec<usize>,
    counted: Clients,
    exit: Exit,
}

impl Root<'_> {
    /// Everything that is not ok, the gravest first.
    pub fn faults(&self) -> impl Iterator<Item = NodeId> {
        let all = [&self.broken, &self.undecided, &self.warned];
        all.into_iter().flatten().copied()
    }

    /// Whether a pull is affected, and not only the reading of provenance or signatures.
    #[must_use]
    pub fn cannot_be_pulled(&self) -> bool {
        let stops = |id: &NodeId| (self.affected.get(*id)).is_none_or(|one| one.stops_a_pull());
        self.broken.iter().any(stops)
    }

    /// Whether content is missing or damaged that the image needs.
    #[must_use]
    pub fn has_lost_content(&self) -> bool {
        let is_lost = |id: &NodeId| self.graph.node(*id).is_lost();
        self.broken.iter().any(is_lost)
    }

    /// The clients that count.
    pub(super) fn counted(&self) -> Clients {
        self.counted
    }

    /// Whether this node is a definite fault for a client that counts.
    #[must_use]
    pub fn is_broken(&self, id: NodeId) -> bool {
        self.graph.node(id).stops().meet(self.counted)
    }

    /// Whether this digest alone answers 5xx while others of its repository are fine.
    #[must_use]
    pub fn is_isolated(&self, id: NodeId) -> bool {
        matches!(self.graph.node(id).cause(), Cause::FailsAlone(_))
    }

    /// How serious a node's state is by itself.
    #[must_use]
    pub fn trouble(&self, id: NodeId) -> Gravity {
        let node = self.graph.node(id);
        match node.verdict() {
            _ if self.is_broken(id) => Gravity::Broken,
            verdict if verdict.is_definite() => Gravity::Warned,
            verdict if verdict.is_undecided() => Gravity::Undecided,
            _ if node.cause().is_warning() => Gravity::Warned,
            _ => Gravity::None,
        }
    }

    /// Whom a node's state affects, as a sentence; `None` where nobody is.
    #[must_use]
    pub fn consequence(&self, id: NodeId) -> Option<String> {
        let stops = self.graph.node(id).stops();
        let broken = self.is_broken(id);
        match self.trouble(id) {
            Gravity::None => None,
            Gravity::Warned => (!stops.is_empty()).then(|| format!("{stops} cannot pull it")),
            _ => {
                let affected = self.affected.get(id)?;
                let sentence = affected.sentence(broken);
                let is_for_some = broken && stops != Clients::ALL && affected.stops_a_pull();
                Some(if is_for_some {
                    format!("{sentence} by {stops}")
                } else {
                    sentence
                })
            }
        }
    }
}

/// How serious a finding is where these clients count.
#[must_use]
pub(crate) fn gravity_of(finding: &Finding, counted: Clients) -> Gravity {
    if !finding.stops().meet(counted) {
        Gravity::Warned
    } else if finding.is_definite() {
        Gravity::Broken
    } else {
        Gravity::Undecided
    }
}

/// How serious a digest's state is for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// Whole.
    None,
    /// Not whole, but not needed.
    Warned,
    /// Not known.
    Undecided,
    /// Broken.
    Broken,
}

impl<'a> Judged<'a> {
    /// Judges a repository by its own content.
    #[must_use]
    pub fn of(checked: &'a Checked, context: Context) -> Self {
        let mut roots: Vec<Root<'a>> = Vec::new();
        let mut places = HashMap::new();
        let mut root_of_subject = Vec::new();
        for (place, subject) in checked.subjects.iter().enumerate() {
            let root = *places.entry(subject.root).or_insert_with(|| {
                roots.push(examine(&checked.graph, subject.root, context.clients));
                roots.len() - 1
            });
            roots[root].subjects.push(place);
            root_of_subject.push(root);
        }
        let counts = Counts::of(checked, &roots, context.clients);
        let mut judged = Self {
            checked,
            roots,
            counts,
            hints: Hints::none(context),
            root_of_subject,
            counted: context.clients,
            usages: Vec::new(),
        };
        judged.hints = Hints::of(&judged, context);
        judged
    }

    /// The same, where it is known what is in use: one for each image.
    #[must_use]
    pub fn with_usages(mut self, usages: Vec<Usage>) -> Self {
        self.usages = usages;
        self
    }

    /// How the image at this place is used, where that is known.
    #[must_use]
    pub fn usage(&self, subject: usize) -> Option<&Usage> {
        self.usages.get(subject)
    }

    /// Whether the image at this place is broken and in use.
    #[must_use]
    pub fn is_broken_in_use(&self, subject: usize) -> bool {
        self.exit(subject) == Exit::Broken && self.usage(subject).is_some_and(|one| one.is_used)
    }

    /// The root of the image at this place.
    #[must_use]
    pub fn root(&self, subject: usize) -> &Root<'a> {
        &self.roots[self.root_of_subject[subject]]
    }

    /// Where in [`Judged::roots`] the root of the image at this place is.
    #[must_use]
    pub fn root_place(&self, subject: usize) -> usize {
        self.root_of_subject[subject]
    }

    /// The exit code of one image; a finding breaks it even if its digests are fine.
    #[must_use]
    pub fn exit(&self, subject: usize) -> Exit {
        let root = self.root(subject).exit;
        let Subject { findings, .. } = &self.checked.subjects[subject];
        let gravest = findings
            .iter()
            .map(|one| gravity_of(one, self.counted))
            .max();
        match gravest {
            // What fails had something to check.
            Some(Gravity::Broken) if root == Exit::Configuration => Exit::Broken,
            Some(Gravity::Broken) => root.or(Exit::Broken),
            Some(Gravity::Undecided) => root.or(Exit::Unknown),
            _ => root,
        }
    }

    /// How serious a finding is.
    #[must_use]
    pub fn gravity(&self, finding: &Finding) -> Gravity {
        gravity_of(finding, self.counted)
    }

    /// The clients that an image stops, counted or not.
    #[must_use]
    pub fn stops(&self, subject: usize) -> Clients {
        let root = self.root(subject);
        let required = root.graph.required(root.node).into_iter();
        let of_nodes = required.map(|id| root.graph.node(id).stops());
        let findings = &self.checked.subjects[subject].findings;
        let definite = findings.iter().filter(|finding| finding.is_definite());
        of_nodes
            .chain(definite.map(Finding::stops))
            .fold(Clients::NONE, Clients::and)
    }
}

fn examine(graph: &Graph, node: NodeId, counted: Clients) -> Root<'_> {
    let required = graph.required(node);
    let mut root = Root {
        graph,
        node,
        broken: Vec::new(),
        undecided: Vec::new(),
        warned: Vec::new(),
        affected: AffectedBy::default(),
        subjects: Vec::new(),
        counted,
        exit: Exit::Verified,
    };
    let with = |wanted: Gravity| {
        let is_it = |id: &NodeId| root.trouble(*id) == wanted;
        required.iter().copied().filter(is_it).collect::<Vec<_>>()
    };
    let (broken, undecided) = (with(Gravity::Broken), with(Gravity::Undecided));
    let mut needed = vec![false; graph.len()];
    for id in &required {
        needed[id.place()] = true;
    }
    let is_warned = |id: &NodeId| match root.trouble(*id) {
        Gravity::None => false,
        Gravity::Warned => true,
        Gravity::Undecided | Gravity::Broken => !needed[id.place()],
    };
    root.warned = graph
        .reachable(node)
        .into_iter()
        .filter(is_warned)
        .collect();
    (root.broken, root.undecided) = (broken, undecided);
    root.affected = affected::affected(graph, &root);
    root.exit = exit(&root, &required);
    root
}

fn exit(root: &Root<'_>, required: &[NodeId]) -> Exit {
    let is_denied = |id: &NodeId| root.graph.node(*id).verdict() == Verdict::Denied;
    if !root.broken.is_empty() {
        Exit::Broken
    } else if root.undecided.iter().any(is_denied) {
        Exit::Denied
    } else if !root.undecided.is_empty() {
        Exit::Unknown
    } else if has_content(root, required) {
        Exit::Verified
    } else {
        Exit::Configuration
    }
}

/// Whether anything that a client would pull was read: a manifest below the root, or the root
/// itself when it is one.
///
/// An index all of whose children may be missing is not proven by being readable, nor by its
/// attestations.
fn has_content(root: &Root<'_>, required: &[NodeId]) -> bool {
    let graph = root.graph;
    // By an index that is not what it refers to.
    let is_listed = |id: NodeId| {
        let Some(subject) = graph.subject(id) else {
            return false;
        };
        let mut parents = graph.node(id).parents();
        parents.any(|parent| {
            let node = graph.node(parent);
            let lists = node.kind() == Kind::Index && node.digest().as_ref() != Some(&subject);
            lists && required.contains(&parent)
        })
    };
    required.iter().any(|id| {
        let node = graph.node(*id);
        let pulled = match node.kind() {
            Kind::Manifest | Kind::Artifact => true,
            Kind::Index => false,
            Kind::Attestation => *id == root.node,
            Kind::Referrer => *id == root.node || is_listed(*id),
            // BuildKit lists the layers of a build cache in an index.
            Kind::Config | Kind::Layer => node
                .parents()
                .any(|parent| graph.node(parent).kind() == Kind::Index),
        };
        // Its form stops clients that do not count.
        let is_refused = node.verdict().is_definite() && !root.is_broken(*id);
        pulled && (node.verdict() == Verdict::Ok || is_refused)
    })
}
