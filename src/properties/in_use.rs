//! What is deployed: every word is a reference, an image ID or neither.

use super::text;
use crate::oci::in_use::InUse;

/// Time is linear; every word counts once, and no more is kept than came.
pub fn check(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let registries = ["docker.io".to_owned(), "r.example".to_owned()];
    let mut list = InUse::new(&registries, &["m.example:5000".to_owned()]);
    list.add_text(text);
    let words = text.split_whitespace().count();
    assert_eq!(list.references + list.image_ids + list.unreadable, words);
    assert_eq!(list.first_unreadable.is_some(), list.unreadable > 0);
    let first = list.first_unreadable.as_deref().unwrap_or_default();
    assert!(first.len() < 2048, "{first}");
    assert!(list.other_hosts.len() <= 5);
    let mut kept = 0;
    for repository in list.repositories() {
        assert!(registries.contains(&repository.registry), "{repository}");
        let uses = list.of(repository).expect("it is listed");
        kept += uses.tags.len() + uses.digests.len();
    }
    // The other name stands for both registries.
    assert!(kept <= 2 * list.references);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oci::reference::Reference;

    proptest! {
        #[test]
        fn a_reference_is_in_use_whatever_is_around_it(
            name in "[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,2}",
            tag in "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,8}",
            runtime in "(docker-pullable://|containerd://|docker://)?",
            before in "[^ ]{0,20}",
        ) {
            let word = format!("r.example/{name}:{tag}");
            let mut list = InUse::new(&["r.example".to_owned()], &[]);
            list.add_text(&format!("{before}\n{runtime}{word}\t{word}"));
            let reference: Reference = word.parse().unwrap();
            let uses = list.of(&reference.repository).unwrap();
            prop_assert!(uses.tags.contains_key(&tag));
        }
    }
}
