//! What the disk of a registry holds beyond its tags, for people.

use std::time::SystemTime;

use crate::storage::census::{Amount, Beyond, Obstacle, Occurrence};
use crate::text::escape;
use crate::text::human::{self, count};

/// What was seen of the disks of registries beside their tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// How many files were opened.
    pub files: u64,
    /// What is beyond the tags; none where only a part was audited.
    pub beyond: Option<Beyond>,
}

impl Disk {
    /// `285,600 files`.
    pub(super) fn in_words(&self) -> String {
        count(number(self.files), "file")
    }

    /// What is beyond the tags, one fact a line.
    pub(super) fn lines(&self, now: SystemTime) -> Vec<String> {
        let Some(beyond) = &self.beyond else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        lines.extend(unreached(beyond));
        lines.extend(freed(beyond));
        lines.extend(without_data(&beyond.without_data));
        lines.extend(uploads(beyond, now));
        for (obstacle, occurrence) in &beyond.obstacles {
            lines.push(hindered(*obstacle, occurrence));
        }
        if beyond.unread.count > 0 {
            lines.push(format!(
                "{} could not be read, so this may lack something: {}",
                count(number(beyond.unread.count), "place"),
                first(&beyond.unread)
            ));
        }
        lines
    }
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn blobs(amount: Amount) -> String {
    format!(
        "{} of {}",
        count(number(amount.files), "blob"),
        human::bytes(amount.bytes)
    )
}

fn first(occurrence: &Occurrence) -> String {
    let others = match number(occurrence.count) - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{others}", escape::line(&occurrence.first))
}

fn unreached(beyond: &Beyond) -> Option<String> {
    let broken = match beyond.broken_revisions {
        0 => String::new(),
        broken => format!(" ({broken} of them not whole)"),
    };
    let revisions = (beyond.revisions > 0)
        .then(|| format!("{}{broken}", count(number(beyond.revisions), "manifest")));
    let blobs = (beyond.unreached.files > 0).then(|| blobs(beyond.unreached));
    let parts: Vec<String> = revisions.into_iter().chain(blobs).collect();
    (!parts.is_empty()).then(|| format!("no tag reaches {}", human::list(&parts)))
}

fn freed(beyond: &Beyond) -> Option<String> {
    if beyond.freed.files > 0 {
        return Some(format!(
            "a plain garbage-collect would free {}",
            blobs(beyond.freed)
        ));
    }
    let keeps = beyond.unreached.files > 0;
    keeps.then(|| "a plain garbage-collect would free none of that".to_owned())
}

fn without_data(links: &Occurrence) -> Option<String> {
    (links.count > 0).then(|| {
        let leads = if links.count == 1 { "leads" } else { "lead" };
        format!(
            "{} {leads} to data that is gone: {}",
            count(number(links.count), "link"),
            first(links)
        )
    })
}

fn uploads(beyond: &Beyond, now: SystemTime) -> Option<String> {
    let uploads = beyond.uploads;
    if uploads.files == 0 {
        return None;
    }
    let age = beyond.oldest_upload;
    let age = age.and_then(|began| now.duration_since(began).ok());
    let age = age.map(|age| format!(", the oldest begun {} ago", human::age(age)));
    Some(format!(
        "{} not done, {}{}",
        count(number(uploads.files), "upload"),
        human::bytes(uploads.bytes),
        age.unwrap_or_default()
    ))
}

fn hindered(obstacle: Obstacle, occurrence: &Occurrence) -> String {
    let (what, whom) = match obstacle {
        Obstacle::TagLink => (
            "link of a tag",
            "garbage-collect -m, and every delete there,",
        ),
        Obstacle::RevisionLink => ("link of a manifest", "garbage-collect"),
        Obstacle::LayerLink => ("link of a layer", "garbage-collect of version 3"),
        Obstacle::Manifest => ("manifest", "garbage-collect"),
        Obstacle::OddDirectory => ("odd directory", "garbage-collect"),
    };
    let flaw = match obstacle {
        Obstacle::OddDirectory => "among the blobs",
        Obstacle::Manifest => "without readable content",
        _ => "that names no digest",
    };
    format!(
        "{whom} would stop at a {what} {flaw}: {}",
        first(occurrence)
    )
    .replace("at a odd", "at an odd")
}
