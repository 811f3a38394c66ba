//! What goes, image by image, and in which order.

use std::mem::replace;

use super::contents::{Contents, Place};
use super::plan::{Delete, Plan};
use crate::oci::reference::digest_in_tag;

/// A digest that goes with its tags, and the manifests that go with it.
pub(super) struct Image<'c> {
    pub(super) root: Option<Place>,
    pub(super) tags: Vec<&'c str>,
    pub(super) manifests: Vec<Place>,
    /// It is broken, so that not all of it can be read for a backup.
    pub(super) is_broken: bool,
}

/// What goes, image by image; what several share goes with the last of them.
pub(super) fn images<'c>(contents: &'c Contents, plan: &Plan) -> Vec<Image<'c>> {
    let mut images: Vec<Image<'c>> = Vec::new();
    for (tag, why) in plan.deleted(contents) {
        let known = images
            .iter_mut()
            .find(|image| tag.root.is_some() && image.root == tag.root);
        match known {
            Some(image) => image.tags.push(&tag.name),
            None => images.push(Image {
                root: tag.root,
                tags: vec![&tag.name],
                manifests: Vec::new(),
                is_broken: *why == Delete::Broken,
            }),
        }
    }
    let mut images = subjects_first(contents, images);
    let mut taken = vec![false; contents.len()];
    let mut own = |root: Place| {
        let mut reached = vec![false; contents.len()];
        contents.reach(root, &mut reached);
        let all = plan.manifests.iter().copied();
        let own = all.filter(|place| reached[*place] && !replace(&mut taken[*place], true));
        own.collect::<Vec<Place>>()
    };
    for image in images.iter_mut().rev() {
        image.manifests = image.root.map(&mut own).unwrap_or_default();
    }
    let untagged = plan.untagged.iter().map(|root| Image {
        root: Some(*root),
        tags: Vec::new(),
        manifests: own(*root),
        is_broken: false,
    });
    images.extend(untagged);
    images
}

/// Images so that each comes after what it belongs to: where that stays after all, so does it.
fn subjects_first<'c>(contents: &Contents, images: Vec<Image<'c>>) -> Vec<Image<'c>> {
    let with_all = |image: Image<'c>| {
        let all = image.root.map(|root| contents.all_below(root));
        (image, all.unwrap_or_default())
    };
    let mut rest: Vec<(Image<'c>, Vec<Place>)> = images.into_iter().map(with_all).collect();
    let mut ordered = Vec::new();
    loop {
        let mut leading = vec![0; contents.len()];
        for place in rest.iter().flat_map(|(_, all)| all) {
            leading[*place] += 1;
        }
        let waits = |(image, own): &(Image<'c>, Vec<Place>)| {
            let mut subjects = image.subjects(contents);
            subjects.any(|subject| leading[subject] > usize::from(own.contains(&subject)))
        };
        let (later, next): (Vec<_>, Vec<_>) = rest.into_iter().partition(waits);
        // None is left, or each belongs to another one.
        let is_done = later.is_empty() || next.is_empty();
        ordered.extend(next);
        rest = later;
        if is_done {
            ordered.extend(rest);
            return ordered.into_iter().map(|(image, _)| image).collect();
        }
    }
}

impl Image<'_> {
    /// What it belongs to, by its tags or by its manifest.
    fn subjects(&self, contents: &Contents) -> impl Iterator<Item = Place> {
        let digests = self.tags.iter().filter_map(|tag| digest_in_tag(tag));
        let by_tag = digests.filter_map(|digest| contents.manifest(&digest));
        by_tag.chain(self.root.and_then(|root| contents.subject(root)))
    }
}
