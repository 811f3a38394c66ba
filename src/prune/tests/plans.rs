//! What stays and what goes, by each rule.

use std::num::NonZero;
use std::time::{Duration, SystemTime};

use oci_spec::image::Digest;
use wildmatch::WildMatch;

use crate::oci::digest::sha256;
use crate::oci::kind::Kind;
use crate::oci::reference::{cosign_tags, referrers_tag};
use crate::prune::contents::{Contents, Dates, Health, Tag, Untagged};
use crate::prune::plan::{Clock, Delete, Fate, Keep, Plan, Planner, Refusal};
use crate::prune::rules::{Brakes, Rules};
use crate::walk::cause::Cause;
use crate::walk::source::{Fault, FaultKind};

const DAY: Duration = Duration::from_hours(24);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + 20_000 * DAY
}

fn days_ago(days: u32) -> SystemTime {
    now() - days * DAY
}

fn digest(name: &str) -> Digest {
    sha256(name.as_bytes())
}

/// Tags that were built so many days ago; each leads to an image of its own.
fn built(tags: &[(&str, u32)]) -> Contents {
    let mut contents = Contents::default();
    for (name, days) in tags {
        let root = contents.with(&digest(name), Kind::Manifest, 100, &[]);
        contents.tags.push(tag(name, Some(root), *days));
    }
    contents
}

fn tag(name: &str, root: Option<usize>, days: u32) -> Tag {
    Tag {
        name: name.to_owned(),
        root,
        health: Health::Whole,
        dates: Dates {
            created: Some(days_ago(days)),
            ..Dates::default()
        },
        users: None,
    }
}

fn newest(number: usize) -> Rules {
    Rules {
        newest: NonZero::new(number),
        ..Rules::default()
    }
}

fn keep(patterns: &[&str]) -> Rules {
    Rules {
        keep: patterns.iter().map(|text| WildMatch::new(text)).collect(),
        ..Rules::default()
    }
}

const OPEN: Brakes = Brakes {
    min_age: Duration::from_hours(1),
    max_deleted: 100,
    may_lose_all_tags: false,
};

fn planner(rules: &Rules, brakes: Brakes) -> Planner<'_> {
    Planner {
        rules,
        sweeps: false,
        brakes,
        untagged: None,
        now: now(),
        covers: &|tag| tag != "other",
        permits: &|_, _| true,
    }
}

fn planned(contents: &Contents, rules: &Rules, brakes: Brakes) -> Plan {
    planner(rules, brakes).plan(contents)
}

fn kept(contents: &Contents, plan: &Plan) -> Vec<String> {
    let all = contents.tags.iter().zip(&plan.tags);
    let kept = all.filter(|(_, fate)| matches!(fate, Fate::Keep(_)));
    kept.map(|(tag, _)| tag.name.clone()).collect()
}

fn fate(contents: &Contents, plan: &Plan, name: &str) -> Fate {
    let place = contents
        .tags
        .iter()
        .position(|tag| tag.name == name)
        .unwrap();
    plan.tags[place].clone()
}

#[test]
fn a_plan_names_what_it_deletes() {
    let contents = built(&[("a", 5), ("b", 1), ("c", 3)]);
    let plan = planned(&contents, &newest(1), OPEN);
    assert!(plan.deletes());
    let tags: Vec<&str> = plan.deleted_tags(&contents).collect();
    assert_eq!(tags, ["a", "c"]);
    let names = ["a", "c"].map(digest);
    assert_eq!(plan.digests(&contents), names.iter().collect());
    let kept: Vec<&str> = plan.kept_tags(&contents).collect();
    assert_eq!((kept, plan.keeps_tags()), (vec!["b"], true));
    assert!(!planned(&contents, &newest(3), OPEN).deletes());
    let nothing = planned(&Contents::default(), &newest(1), OPEN);
    assert!(!nothing.keeps_tags());
}

#[test]
fn the_newest_digests_stay_and_ties_at_the_border_with_them() {
    let contents = built(&[("a", 5), ("b", 1), ("c", 3), ("d", 3), ("e", 9)]);
    let plan = planned(&contents, &newest(2), OPEN);
    assert_eq!(kept(&contents, &plan), ["b", "c", "d"]);
    assert_eq!(fate(&contents, &plan, "a"), Fate::Delete(Delete::Unkept));
    let plan = planned(&contents, &newest(99), OPEN);
    assert_eq!(kept(&contents, &plan).len(), 5);
}

#[test]
fn tags_of_one_digest_count_once() {
    let mut contents = built(&[("a", 1), ("b", 2), ("c", 3)]);
    let root = contents.tags[0].root;
    for name in ["a1", "a2"] {
        contents.tags.push(tag(name, root, 1));
    }
    let plan = planned(&contents, &newest(2), OPEN);
    assert_eq!(kept(&contents, &plan), ["a", "b", "a1", "a2"]);
}

#[test]
fn what_any_rule_keeps_stays_with_its_reason() {
    let mut contents = built(&[
        ("latest", 900),
        ("v1", 800),
        ("used", 700),
        ("new", 2),
        ("other", 600),
    ]);
    contents.tags.extend(built(&[("old", 500)]).tags);
    contents.tags[5].root = Some(contents.with(&digest("old"), Kind::Manifest, 1, &[]));
    contents.tags[2].users = Some(vec!["deployment shop/app".to_owned()]);
    let rules = Rules {
        younger: Some(14 * DAY),
        ..keep(&["v*", "latest", "none*"])
    };
    let plan = planned(&contents, &rules, OPEN);
    let is = |name: &str| fate(&contents, &plan, name);
    assert_eq!(is("latest"), Fate::Keep(Keep::Pattern("latest".to_owned())));
    assert_eq!(is("v1"), Fate::Keep(Keep::Pattern("v*".to_owned())));
    assert_eq!(
        is("used"),
        Fate::Keep(Keep::InUse(vec!["deployment shop/app".to_owned()]))
    );
    assert_eq!(is("new"), Fate::Keep(Keep::Younger(14 * DAY)));
    assert_eq!(is("other"), Fate::Keep(Keep::LeftOut));
    assert_eq!(is("old"), Fate::Delete(Delete::Unkept));
    assert_eq!(plan.matched, [true, true, false]);
}

#[test]
fn what_is_young_or_of_the_future_is_never_touched() {
    let mut contents = built(&[("a", 5), ("fresh", 5), ("future", 5)]);
    contents.tags[1].dates.first_seen = Some(now() - Duration::from_mins(59));
    contents.tags[2].dates.created = Some(now() + DAY);
    let plan = planned(&contents, &keep(&["a"]), OPEN);
    let too_young = Fate::Keep(Keep::TooYoung(OPEN.min_age));
    assert_eq!(fate(&contents, &plan, "fresh"), too_young);
    assert_eq!(fate(&contents, &plan, "future"), too_young);
}

#[test]
fn what_is_exactly_as_old_as_that_is_not_younger() {
    let contents = built(&[("a", 14), ("b", 13), ("c", 0)]);
    let brakes = |min_age| Brakes { min_age, ..OPEN };
    let younger = Rules {
        younger: Some(14 * DAY),
        ..Rules::default()
    };
    let plan = planned(&contents, &younger, brakes(Duration::ZERO));
    assert_eq!(kept(&contents, &plan), ["b", "c"]);
    let plan = planned(&contents, &keep(&["b"]), brakes(14 * DAY));
    assert_eq!(kept(&contents, &plan), ["b", "c"]);
    let plan = planned(&contents, &keep(&["b"]), brakes(Duration::ZERO));
    assert_eq!(kept(&contents, &plan), ["b"]);
}

#[test]
fn what_was_not_planned_or_is_left_out_stays() {
    let (mut contents, [_, _, _, gone, child, signature, loose, ..]) = with_untagged();
    let [signed, ..] = cosign_tags(&digest("gone"));
    let root = contents.with(&digest("cosign"), Kind::Artifact, 1, &[]);
    contents.tags.push(tag(&signed, Some(root), 9));
    let rules = keep(&["kept"]);
    let plan = |covers: &dyn Fn(&str) -> bool, permits: &dyn Fn(Option<&str>, &Digest) -> bool| {
        let permits = |tag: Option<&str>, digest: Option<&Digest>| {
            digest.is_some_and(|one| permits(tag, one))
        };
        let planner = Planner {
            untagged: Some(8 * DAY),
            covers,
            permits: &permits,
            ..planner(&rules, OPEN)
        };
        planner.plan(&contents)
    };
    let (all, any) = (|_: &str| true, |_: Option<&str>, _: &Digest| true);
    let whole = plan(&all, &any);
    for place in [gone, child, signature, loose, root] {
        assert!(whole.manifests.contains(&place));
    }
    let no_tag = plan(&all, &|tag, _| tag != Some("gone"));
    assert_eq!(
        fate(&contents, &no_tag, "gone"),
        Fate::Keep(Keep::NotPlanned)
    );
    assert!(!no_tag.manifests.contains(&gone) && !no_tag.manifests.contains(&root));
    let follows = Fate::Keep(Keep::Follows(digest("gone")));
    let no_signature = plan(&all, &|tag, _| tag != Some(&signed));
    let left_out = plan(&|tag| tag != signed, &any);
    for plan in [no_signature, left_out] {
        assert_eq!(fate(&contents, &plan, &signed), follows);
        assert!(plan.manifests.contains(&gone));
    }
    let no_digest = plan(&all, &|tag, one| tag.is_some() || *one != digest("loose"));
    assert!(!no_digest.untagged.contains(&loose));
    assert!(no_digest.manifests.contains(&gone));
}

#[test]
fn a_list_of_referrers_that_is_left_out_keeps_them_and_their_subject() {
    let mut contents = built(&[("kept", 1), ("gone", 9)]);
    let referrer = contents.with(&digest("referrer"), Kind::Manifest, 1, &[]);
    contents.refers(referrer, &digest("gone"));
    let list = contents.with(&digest("list"), Kind::Index, 1, &[referrer]);
    let name = referrers_tag(&digest("gone"));
    contents.tags.push(tag(&name, Some(list), 9));
    let rules = keep(&["kept"]);
    let plan = |left_out: &str| {
        let covers = |tag: &str| tag != left_out;
        let planner = Planner {
            covers: &covers,
            ..planner(&rules, OPEN)
        };
        planner.plan(&contents)
    };
    assert_eq!(plan(&name).manifests, [0; 0]);
    assert_eq!(plan("none").manifests.len(), 3);
}

#[test]
fn what_a_plan_leaves_keeps_what_it_leads_to() {
    let mut contents = built(&[("kept", 1)]);
    let child = contents.with(&digest("child"), Kind::Manifest, 1, &[]);
    let index = contents.with(&digest("index"), Kind::Index, 1, &[child]);
    contents.tags.push(tag("gone", Some(index), 9));
    let rules = keep(&["kept"]);
    let plan = |not_planned: &str| {
        let not_planned = digest(not_planned);
        let permits = |tag: Option<&str>, digest: Option<&Digest>| {
            tag.is_some() || digest != Some(&not_planned)
        };
        let planner = Planner {
            permits: &permits,
            ..planner(&rules, OPEN)
        };
        planner.plan(&contents)
    };
    assert_eq!(plan("index").manifests, [0; 0]);
    assert_eq!(plan("child").manifests, [index]);
}

#[test]
fn one_ranking_has_one_clock_and_what_lacks_it_stays() {
    let mut contents = built(&[("a", 5), ("b", 4), ("c", 3), ("d", 2)]);
    // Two have been seen by an audit, in another order than they were built in.
    contents.tags[0].dates.first_seen = Some(days_ago(1));
    contents.tags[1].dates.first_seen = Some(days_ago(2));
    contents.tags[2].dates.created = None;
    let plan = planned(&contents, &newest(1), OPEN);
    assert_eq!(kept(&contents, &plan), ["c", "d"]);
    assert_eq!(
        fate(&contents, &plan, "c"),
        Fate::Keep(Keep::NoDate(Clock::Created))
    );
    // The better clock counts where as many have it.
    for (tag, days) in contents.tags.iter_mut().zip([1, 2, 3]) {
        tag.dates.first_seen = Some(days_ago(days));
    }
    let plan = planned(&contents, &newest(1), OPEN);
    assert_eq!(kept(&contents, &plan), ["a", "d"]);
}

#[test]
fn all_tags_of_one_of_the_newest_digests_stay() {
    let mut contents = built(&[("v1", 400), ("old", 300), ("newer", 200)]);
    let root = contents.tags[0].root;
    contents.tags.push(tag("stable", root, 1));
    let plan = planned(&contents, &newest(1), OPEN);
    assert_eq!(kept(&contents, &plan), ["v1", "stable"]);
}

#[test]
fn a_tag_of_an_unknown_age_may_be_too_young() {
    let mut contents = built(&[("kept", 9), ("old", 8), ("undated", 7), ("broken", 6)]);
    for tag in &mut contents.tags[2..] {
        tag.dates = Dates::default();
    }
    contents.tags[3].health = Health::Broken;
    let rules = keep(&["kept"]);
    let sweep = |brakes| {
        let planner = Planner {
            sweeps: true,
            ..planner(&rules, brakes)
        };
        kept(&contents, &planner.plan(&contents))
    };
    assert_eq!(sweep(OPEN), ["kept", "undated"]);
    let plan = planned(&contents, &rules, OPEN);
    let no_date = Fate::Keep(Keep::NoDate(Clock::Created));
    assert_eq!(fate(&contents, &plan, "undated"), no_date);
    let none = Brakes {
        min_age: Duration::ZERO,
        ..OPEN
    };
    assert_eq!(sweep(none), ["kept"]);
    // Nothing has a date.
    for tag in &mut contents.tags {
        tag.dates = Dates::default();
    }
    let plan = planned(&contents, &rules, OPEN);
    assert_eq!(fate(&contents, &plan, "undated"), no_date);
}

#[test]
fn a_signature_of_what_an_earlier_run_has_deleted_goes() {
    for is_there in [false, true] {
        let mut contents = built(&[("kept", 1)]);
        let [name, ..] = cosign_tags(&digest("gone"));
        let root = contents.with(&digest(&name), Kind::Manifest, 1, &[]);
        contents.tags.push(tag(&name, Some(root), 9));
        if is_there {
            contents.with(&digest("gone"), Kind::Manifest, 1, &[]);
        }
        contents.leaving = [digest("gone")].into();
        let plan = planned(&contents, &newest(1), OPEN);
        let follows = Fate::Delete(Delete::Follows(digest("gone")));
        assert_eq!(fate(&contents, &plan, &name), follows);
        assert_eq!(plan.manifests, [root]);
    }
}

#[test]
fn what_an_index_that_stays_lists_is_needed() {
    let mut contents = Contents::default();
    let [shared, own] =
        ["shared", "own"].map(|name| contents.with(&digest(name), Kind::Manifest, 10, &[]));
    let kept = contents.with(&digest("kept"), Kind::Index, 1, &[shared]);
    let gone = contents.with(&digest("gone"), Kind::Index, 1, &[own, shared]);
    contents.tags = vec![tag("kept", Some(kept), 1), tag("gone", Some(gone), 2)];
    let plan = planned(&contents, &newest(1), OPEN);
    assert_eq!(plan.manifests, [gone, own], "each before what it refers to");
    assert_eq!((plan.shared(&contents), plan.frees(&contents)), (1, 11));
    let all = planned(&contents, &newest(2), OPEN);
    assert_eq!((all.shared(&contents), all.frees(&contents)), (0, 0));
}

#[test]
fn what_is_made_of_a_digest_goes_and_stays_with_it() {
    let mut contents = built(&[("kept", 1), ("gone", 2)]);
    let of =
        |name: &str, end: &str| format!("{}{end}", digest(name).to_string().replacen(':', "-", 1));
    for (subject, end) in [
        ("kept", ".sig"),
        ("gone", ".att"),
        ("gone", ""),
        ("nobody", ".sbom"),
    ] {
        let name = of(subject, end);
        let root = contents.with(&digest(&name), Kind::Artifact, 1, &[]);
        contents.tags.push(tag(&name, Some(root), 900));
    }
    let plan = planned(&contents, &newest(1), OPEN);
    let goes = Fate::Delete(Delete::Follows(digest("gone")));
    assert_eq!(fate(&contents, &plan, &of("gone", ".att")), goes);
    assert_eq!(fate(&contents, &plan, &of("gone", "")), goes);
    for subject in ["kept", "nobody"] {
        let end = if subject == "kept" { ".sig" } else { ".sbom" };
        let stays = Fate::Keep(Keep::Follows(digest(subject)));
        assert_eq!(fate(&contents, &plan, &of(subject, end)), stays);
    }
    assert_eq!(plan.manifests.len(), 3);
}

#[test]
fn a_referrer_and_its_subject_need_each_other() {
    let mut contents = built(&[("image", 1), ("sbom", 9), ("old", 5), ("old-sbom", 2)]);
    let root = |contents: &Contents, place: usize| contents.tags[place].root.unwrap();
    let (sbom, old_sbom) = (root(&contents, 1), root(&contents, 3));
    contents.refers(sbom, &digest("image"));
    contents.refers(old_sbom, &digest("old"));
    let plan = planned(&contents, &keep(&["image", "old-sbom"]), OPEN);
    // Both tags go; what is signed stays for its signature, and the other way round.
    assert_eq!(fate(&contents, &plan, "sbom"), Fate::Delete(Delete::Unkept));
    assert_eq!(fate(&contents, &plan, "old"), Fate::Delete(Delete::Unkept));
    assert_eq!(plan.manifests, [0; 0]);
    let plan = planned(&contents, &keep(&["old-sbom"]), OPEN);
    assert_eq!(plan.manifests.len(), 2);
}

#[test]
fn nothing_goes_where_something_that_stays_is_not_known() {
    let refusal = |change: &dyn Fn(&mut Contents), rules: &Rules, brakes| {
        let mut contents = built(&[("a", 5), ("b", 4), ("c", 3), ("d", 2)]);
        change(&mut contents);
        let plan = planned(&contents, rules, brakes);
        assert!(plan.refusal.is_none() || !plan.deletes());
        plan.refusal
    };
    let same = |_: &mut Contents| ();
    assert_eq!(refusal(&same, &newest(2), OPEN), None);
    let unread = |contents: &mut Contents| contents.unread(3);
    assert_eq!(
        refusal(&unread, &newest(2), OPEN),
        Some(Refusal::Unread("d".to_owned()))
    );
    let goes = |contents: &mut Contents| contents.unread(0);
    assert_eq!(refusal(&goes, &newest(2), OPEN), None);
    // A digest that is in use, or that a tag belongs to.
    let no_tag = |contents: &mut Contents| contents.unread = Some(digest("x"));
    assert_eq!(
        refusal(&no_tag, &newest(2), OPEN),
        Some(Refusal::Unread(digest("x").to_string()))
    );
    // A blob leads to nothing.
    let blob = |contents: &mut Contents| {
        let layer = contents.with(&digest("layer"), Kind::Layer, 1, &[]);
        let root = contents.with(&digest("e"), Kind::Manifest, 1, &[layer]);
        contents.tags.push(tag("e", Some(root), 1));
        contents.unread(layer);
    };
    assert_eq!(refusal(&blob, &newest(2), OPEN), None);
    // Nothing would go.
    assert_eq!(refusal(&unread, &newest(4), OPEN), None);
    let no_root = |contents: &mut Contents| contents.tags[3].root = None;
    assert_eq!(
        refusal(&no_root, &newest(1), OPEN),
        Some(Refusal::Unread("d".to_owned()))
    );
    assert_eq!(
        refusal(&same, &keep(&["x*"]), OPEN),
        Some(Refusal::NothingKept)
    );
    let half = Brakes {
        max_deleted: 50,
        ..OPEN
    };
    assert_eq!(refusal(&same, &newest(2), half), None);
    assert_eq!(
        refusal(&same, &newest(1), half),
        Some(Refusal::TooMany(3, 4))
    );
}

#[test]
fn a_sweep_takes_what_is_broken_and_not_in_use() {
    let mut contents = built(&[("a", 5), ("b", 4), ("used", 3), ("fresh", 0)]);
    for tag in &mut contents.tags[1..] {
        tag.health = Health::Broken;
    }
    contents.tags[2].users = Some(Vec::new());
    let sweep = |rules: &Rules| {
        let planner = Planner {
            sweeps: true,
            ..planner(rules, OPEN)
        };
        planner.plan(&contents)
    };
    let plan = sweep(&Rules::default());
    assert_eq!(fate(&contents, &plan, "a"), Fate::Keep(Keep::NotBroken));
    assert_eq!(fate(&contents, &plan, "b"), Fate::Delete(Delete::Broken));
    assert_eq!(
        fate(&contents, &plan, "used"),
        Fate::Keep(Keep::InUse(Vec::new()))
    );
    assert_eq!(
        fate(&contents, &plan, "fresh"),
        Fate::Keep(Keep::TooYoung(OPEN.min_age))
    );
    assert_eq!(
        fate(&contents, &sweep(&keep(&["b", "a"])), "b"),
        Fate::Delete(Delete::Broken)
    );
}

#[test]
fn a_sweep_leaves_one_tag_unless_all_may_go() {
    let mut contents = built(&[("a", 5), ("b", 4)]);
    for tag in &mut contents.tags {
        tag.health = Health::Broken;
    }
    let plan = |contents: &Contents, may_lose_all_tags| {
        let rules = Rules::default();
        let brakes = Brakes {
            may_lose_all_tags,
            ..OPEN
        };
        let planner = Planner {
            sweeps: true,
            untagged: Some(8 * DAY),
            ..planner(&rules, brakes)
        };
        planner.plan(contents)
    };
    let held = plan(&contents, false);
    assert_eq!(held.refusal, Some(Refusal::LastTag));
    assert!(!held.deletes());
    assert!(plan(&contents, true).deletes());
    // Where there is no tag, none is lost.
    contents.tags.clear();
    contents.untagged.push(untagged_since(0, 9));
    let loose = plan(&contents, false);
    assert_eq!((&loose.refusal, loose.deletes()), (&None, true));
}

/// A kept and a deleted tag, each with a child; then an index without a tag, its child, and a
/// signature of each root. All of it is old.
fn with_untagged() -> (Contents, [usize; 9]) {
    let mut contents = Contents::default();
    let mut image = |name: &str| {
        let child = contents.with(&digest(&format!("{name} child")), Kind::Manifest, 10, &[]);
        let root = contents.with(&digest(name), Kind::Index, 100, &[child]);
        let signature = contents.with(
            &digest(&format!("{name} signature")),
            Kind::Manifest,
            1,
            &[],
        );
        contents.refers(signature, &digest(name));
        [root, child, signature]
    };
    let all = [image("kept"), image("gone"), image("loose")];
    for (name, [root, ..]) in ["kept", "gone"].iter().zip(all) {
        contents.tags.push(tag(name, Some(root), 9));
    }
    let untagged = [all[0][2], all[1][2], all[2][0], all[2][1], all[2][2]];
    contents.untagged = untagged.map(|root| untagged_since(root, 9)).into();
    let places = all.concat();
    (contents, places.try_into().unwrap())
}

fn untagged_since(root: usize, days: u32) -> Untagged {
    Untagged {
        root,
        since: Some(days_ago(days)),
        is_known: true,
    }
}

fn planned_untagged(contents: &Contents, older_than: Option<Duration>) -> Plan {
    let rules = keep(&["kept"]);
    Planner {
        untagged: older_than,
        ..planner(&rules, OPEN)
    }
    .plan(contents)
}

#[test]
fn what_has_no_tag_stays_unless_it_is_old_and_signatures_go_with_their_subjects() {
    let (contents, [_, _, _, gone, child, signature, loose, below, signed]) = with_untagged();
    let sorted = |plan: &Plan| {
        let mut all = plan.manifests.clone();
        all.sort_unstable();
        all
    };
    let plan = planned_untagged(&contents, None);
    assert_eq!(sorted(&plan), [child, gone, signature]);
    assert_eq!(plan.frees(&contents), 111);
    let plan = planned_untagged(&contents, Some(10 * DAY));
    assert_eq!(sorted(&plan), [child, gone, signature]);
    let plan = planned_untagged(&contents, Some(8 * DAY));
    assert_eq!(
        sorted(&plan),
        [child, gone, signature, below, loose, signed]
    );
    assert_eq!(plan.frees(&contents), 222);
}

#[test]
fn a_young_index_without_a_tag_keeps_what_it_shares() {
    let (mut contents, [_, _, _, gone, child, signature, loose, below, _]) = with_untagged();
    let index = contents.with(&digest("young"), Kind::Index, 1, &[child, below]);
    contents.untagged.push(untagged_since(index, 1));
    let plan = planned_untagged(&contents, Some(8 * DAY));
    for stays in [index, child, below] {
        assert!(!plan.manifests.contains(&stays));
    }
    for goes in [gone, signature, loose] {
        assert!(plan.manifests.contains(&goes));
    }
    // What has no date is young.
    contents.untagged.last_mut().unwrap().since = None;
    let plan = planned_untagged(&contents, Some(8 * DAY));
    assert!(!plan.manifests.contains(&child));
}

#[test]
fn nothing_goes_where_what_has_no_tag_is_not_known() {
    let (mut contents, [_, _, _, _, _, _, loose, ..]) = with_untagged();
    let one = contents.untagged.iter_mut().find(|one| one.root == loose);
    one.unwrap().is_known = false;
    let plan = planned_untagged(&contents, None);
    let name = contents.node(loose).digest.to_string();
    assert_eq!(plan.refusal, Some(Refusal::Unread(name)));
    assert!(plan.manifests.is_empty() && !plan.deletes());
    let (mut contents, _) = with_untagged();
    let fault = Fault {
        kind: FaultKind::Denied,
        cause: Cause::default(),
    };
    contents.unlisted = Some(fault.clone());
    let plan = planned_untagged(&contents, Some(DAY));
    assert_eq!(plan.refusal, Some(Refusal::Unlisted(fault)));
    assert!(plan.manifests.is_empty() && !plan.deletes());
}

#[test]
fn what_has_just_changed_is_too_young_and_is_no_newer_for_that() {
    let mut contents = built(&[("a", 1), ("b", 2), ("c", 3)]);
    for tag in &mut contents.tags {
        tag.dates.pushed = tag.dates.created;
    }
    contents.tags[2].dates.changed = Some(now());
    let plan = planned(&contents, &newest(2), OPEN);
    assert_eq!(
        fate(&contents, &plan, "c"),
        Fate::Keep(Keep::TooYoung(OPEN.min_age))
    );
    assert_eq!(
        fate(&contents, &plan, "b"),
        Fate::Keep(Keep::Newest(NonZero::new(2).unwrap()))
    );
}
