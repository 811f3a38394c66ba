//! What is deployed, for an audit: the list is read, and each checked image is looked up in it.

use std::cell::Cell;
use std::collections::BTreeSet;

use log::{info, warn};
use oci_spec::image::Digest;

use crate::cluster::{self, Client};
use crate::commands::list;
use crate::oci::in_use::{InUse, Users, Uses};
use crate::report::audit::Unread;
use crate::report::exit::Exit;
use crate::report::judged::Usage;
use crate::settings::{AuditSettings, Error, InUseSource, ListSource};
use crate::text::human::{self, count};
use crate::walk::checked::{Checked, Subject};
use crate::walk::graph::Node;

/// Where the list comes from, opened.
pub(super) enum List {
    /// A file, which is read for each audit.
    File(ListSource),
    /// What came on standard input.
    Text(String),
    /// The cluster, which is asked when the audit begins.
    Cluster(Box<Client>),
    /// What was read already, for one audit.
    Read(Cell<Option<InUse>>),
}

/// Reads the file or the service account, to see that it can be read.
///
/// # Errors
/// When it cannot be read.
pub(super) fn open(settings: &AuditSettings) -> Result<Option<List>, Error> {
    let Some(in_use) = &settings.in_use else {
        return Ok(None);
    };
    let error = |why: String| Error::new(format!("in_use: {why}"));
    let list = match &in_use.source {
        InUseSource::List(source) => {
            let text = list::read(source).map_err(error)?;
            match source {
                ListSource::File(_) => List::File(source.clone()),
                ListSource::StandardInput => List::Text(text),
            }
        }
        InUseSource::Cluster(account) => {
            let request_timeout = settings.network.request_timeout;
            let client = Client::open(account.clone(), settings.patience.clone(), request_timeout);
            List::Cluster(Box::new(client.map_err(|why| {
                error(why).with_hint(
                    "in_use: cluster works inside a pod whose service account is mounted",
                )
            })?))
        }
    };
    Ok(Some(list))
}

impl List {
    /// Reads the list for these registries.
    ///
    /// # Errors
    /// When nothing of it could be found out.
    pub(super) async fn read(
        &self,
        registries: &[String],
        hosts: &[String],
    ) -> Result<InUse, Unread> {
        let unread = |why, exit| Unread::new("in_use".to_owned(), why, exit);
        let mut in_use = InUse::new(registries, hosts);
        match self {
            Self::Read(read) => return Ok(read.take().expect("it is for one audit")),
            Self::File(source) => {
                let text = list::read(source).map_err(|why| unread(why, Exit::Configuration))?;
                in_use.add_text(&text);
            }
            Self::Text(text) => in_use.add_text(text),
            Self::Cluster(client) => {
                let mut take = |image: &str, user: &_| in_use.add(image, Some(user));
                let lacks = cluster::list(client, &mut take).await;
                let reasons = lacks.reasons(&client.namespace());
                if lacks.everything() {
                    let exit = if lacks.is_denied() {
                        Exit::Denied
                    } else {
                        Exit::Unknown
                    };
                    return Err(unread(human::list(&reasons), exit));
                }
                for reason in reasons {
                    warn!("in_use: {reason}; what is deployed is known in part");
                    in_use.is_partial = true;
                }
            }
        }
        warn_of(&mut in_use, registries);
        Ok(in_use)
    }
}

/// Says what is odd about a list; one that is empty, or names nothing here, may lack everything.
fn warn_of(in_use: &mut InUse, registries: &[String]) {
    if in_use.image_ids > 0 {
        let ids = count(in_use.image_ids, "image ID");
        warn!("in_use: {ids} without a repository, left out");
    }
    if let Some(first) = &in_use.first_unreadable {
        match in_use.unreadable {
            1 => warn!("in_use: 1 word is not a reference and is ignored: {first}"),
            more => warn!(
                "in_use: {more} words are not references and are ignored; the first is {first}"
            ),
        }
    }
    if in_use.references == 0 {
        warn!("in_use: the list is empty, so nothing counts as deployed");
        in_use.is_partial = true;
        return;
    }
    for registry in registries {
        if in_use.names(registry) {
            continue;
        }
        in_use.is_partial = true;
        let hosts: Vec<String> = in_use.other_hosts.iter().cloned().collect();
        warn!(
            "in_use: nothing in it is on {registry}; its {} on {}. If one of these is the same \
             registry, name it in in_use_host",
            match in_use.references {
                1 => "only reference is".to_owned(),
                more => format!("{more} references are"),
            },
            human::list(&hosts)
        );
    }
    let all = in_use.repositories().count();
    info!("in_use: deployed from {} here", count(all, "repository"));
}

/// How each image of a repository is used: by its tag, and by every digest of a manifest in it.
pub(super) fn usages(checked: &Checked, uses: Option<&Uses>) -> Vec<Usage> {
    let usage = |subject| uses.map_or_else(Usage::default, |uses| usage(checked, subject, uses));
    checked.subjects.iter().map(usage).collect()
}

fn usage(checked: &Checked, subject: &Subject, uses: &Uses) -> Usage {
    let mut usage = Usage::default();
    let mut add = |users: Option<&Users>| {
        if let Some(users) = users {
            usage.is_used = true;
            usage.users.extend(users.iter().cloned());
        }
    };
    let reference = &subject.reference;
    add(reference.tag.as_ref().and_then(|tag| uses.tags.get(tag)));
    if uses.digests.is_empty() {
        return usage;
    }
    let digests = manifests(checked, subject).chain(reference.digest.clone());
    for digest in digests {
        add(uses.digests.get(digest.as_ref()));
    }
    usage
}

/// The digests that are used and that none of these parts leads to.
pub(super) fn unreached(parts: &[Checked], uses: &Uses) -> Vec<Digest> {
    let mut unreached: BTreeSet<&str> = uses.digests.keys().map(String::as_str).collect();
    for checked in parts {
        for subject in &checked.subjects {
            if unreached.is_empty() {
                return Vec::new();
            }
            for digest in manifests(checked, subject) {
                unreached.remove(digest.as_ref());
            }
        }
    }
    let read = |digest: &str| digest.parse().expect("it was read as a digest");
    unreached.into_iter().map(read).collect()
}

/// The digests of all manifests that an image leads to.
fn manifests(checked: &Checked, subject: &Subject) -> impl Iterator<Item = Digest> {
    let graph = &checked.graph;
    let below = graph.reachable(subject.root).into_iter();
    let below = below.map(|id| graph.node(id));
    let manifests = below.filter(|node| node.kind().is_manifest());
    let digests = manifests.filter_map(Node::digest);
    digests.chain(subject.also.clone())
}
