//! Random registries, random rules, and pushes that happen at any request of a prune.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZero;
use std::time::{Duration, SystemTime};

use oci_spec::image::Digest;
use proptest::prelude::*;
use wildmatch::WildMatch;

use super::model::{Habits, Model, Push};
use crate::layout::LayoutWriter;
use crate::oci::client::Clients;
use crate::oci::reference::{Reference, Repository, cosign_tags, digest_in_tag, referrers_tag};
use crate::prune::apply::{End, Ends, Failure, Hands, Stays, put_back};
use crate::prune::contents::{Contents, Health, Tag};
use crate::prune::loose;
use crate::prune::plan::{Fate, Plan, Planner};
use crate::prune::rules::{Brakes, Rules};
use crate::walk::cause::Cause;
use crate::walk::checked::Checked;
use crate::walk::rules::{Concern, Depth};
use crate::walk::source::Catalog as _;
use crate::walk::walk;

/// How a registry comes about.
#[derive(Clone, Debug)]
struct Recipe {
    images: u32,
    /// The children of each index: images, and indexes before it.
    indexes: Vec<Vec<prop::sample::Index>>,
    /// What is tagged, and how old it is.
    tags: Vec<(prop::sample::Index, u64)>,
    /// What has a referrer, and whether that has a tag of its own.
    referrers: Vec<(prop::sample::Index, bool)>,
    /// What has a tag made of its digest, as a signature does.
    signed: Vec<prop::sample::Index>,
    newest: usize,
    keeps: Vec<usize>,
    /// Whether what refers to an image is listed under a tag, too.
    has_lists: bool,
    /// What is there without a tag.
    loose: Vec<prop::sample::Index>,
    /// How the tags begin that the run is not about.
    left_out: &'static str,
    habits: Habits,
    /// What the registry does not delete.
    refused: Vec<prop::sample::Index>,
    /// Whether it wants to be asked twice.
    throttles: bool,
    pushes: Vec<(usize, usize, usize, prop::sample::Index)>,
}

fn recipe(pushes: usize) -> impl Strategy<Value = Recipe> {
    let any_index = any::<prop::sample::Index>;
    (
        (
            2..6_u32,
            prop::collection::vec(prop::collection::vec(any_index(), 1..4), 1..5),
            prop::collection::vec(any_index(), 0..3),
        ),
        prop::collection::vec((any_index(), 0..5_u64), 2..9),
        prop::collection::vec((any_index(), any::<bool>()), 0..3),
        prop::collection::vec(any_index(), 0..3),
        (
            1..4_usize,
            prop::collection::vec(0..9_usize, 0..2),
            any::<bool>(),
            prop::sample::select(vec!["none", "none", "sha256-", "t1", "r"]),
            any::<bool>(),
        ),
        prop::sample::select(Habits::ALL.to_vec()),
        prop::collection::vec(
            (0..120_usize, 0..12_usize, 0..12_usize, any_index()),
            0..=pushes,
        ),
    )
        .prop_map(
            |(content, tags, referrers, signed, rules, habits, pushes)| Recipe {
                images: content.0,
                indexes: content.1,
                loose: content.2,
                tags,
                referrers,
                signed,
                newest: rules.0,
                keeps: rules.1,
                has_lists: rules.2,
                left_out: rules.3,
                habits,
                refused: Vec::new(),
                throttles: rules.4,
                pushes,
            },
        )
}

/// A prune of a registry in memory, from the first look to the last.
struct Run {
    model: Model,
    before: BTreeMap<String, Digest>,
    /// The manifests that were there.
    there: HashSet<Digest>,
    contents: Contents,
    plan: Plan,
    saved: HashSet<Digest>,
    /// What was put back.
    back: Vec<Digest>,
    ends: Ends,
}

/// The registry of a recipe, what may be tagged there, and how old each tag is.
fn registry(recipe: &Recipe) -> (Model, Vec<Digest>, BTreeMap<String, u64>) {
    let mut model = Model::new(recipe.habits);
    let mut roots: Vec<Digest> = (0..recipe.images)
        .map(|seed| model.image(seed, None))
        .collect();
    for children in &recipe.indexes {
        let mut chosen: Vec<Digest> = Vec::new();
        for child in children {
            let child = child.get(&roots).clone();
            if !chosen.contains(&child) {
                chosen.push(child);
            }
        }
        let index = model.index(&chosen);
        if !roots.contains(&index) {
            roots.push(index);
        }
    }
    // Where children are guarded, what an index without a tag lists cannot be deleted.
    for root in recipe
        .loose
        .iter()
        .filter(|_| !recipe.habits.guards_children)
    {
        model.push("", root.get(&roots));
    }
    let mut ages = BTreeMap::new();
    for (number, (root, age)) in recipe.tags.iter().enumerate() {
        model.push(&format!("t{number}"), root.get(&roots));
        ages.insert(format!("t{number}"), *age);
    }
    let mut seed = 1000;
    let mut lists: BTreeMap<String, Vec<Digest>> = BTreeMap::new();
    for (number, (subject, has_tag)) in recipe.referrers.iter().enumerate() {
        let subject = subject.get(&roots).clone();
        seed += 1;
        let referrer = model.image(seed, Some(&subject));
        let list = lists.entry(referrers_tag(&subject)).or_default();
        list.push(referrer.clone());
        model.push(
            &if *has_tag {
                format!("r{number}")
            } else {
                String::new()
            },
            &referrer,
        );
    }
    if recipe.has_lists {
        for (tag, referrers) in lists {
            let list = model.index(&referrers);
            model.push(&tag, &list);
        }
    }
    for subject in &recipe.signed {
        seed += 1;
        let signature = model.image(seed, None);
        let [tag, ..] = cosign_tags(subject.get(&roots));
        model.push(&tag, &signature);
    }
    (model, roots, ages)
}

fn planner<'a>(rules: &'a Rules, covers: &'a dyn Fn(&str) -> bool) -> Planner<'a> {
    Planner {
        rules,
        sweeps: false,
        untagged: None,
        brakes: Brakes {
            min_age: Duration::ZERO,
            max_deleted: 100,
            may_lose_all_tags: false,
        },
        now: now(),
        covers,
        permits: &|_, _| true,
    }
}

fn keep(patterns: &[&str]) -> Rules {
    Rules {
        keep: patterns.iter().map(|text| WildMatch::new(text)).collect(),
        ..Rules::default()
    }
}

/// A registry, and the rules that it is walked by.
struct Site<'m> {
    model: &'m Model,
    repository: Repository,
    rules: crate::walk::rules::Rules,
}

impl<'m> Site<'m> {
    fn new(model: &'m Model) -> Self {
        Self {
            model,
            repository: Model::repository(),
            rules: walk_rules(),
        }
    }

    fn hands(&self) -> Hands<'_, Model, Model, Model> {
        Hands {
            repository: &self.repository,
            source: self.model,
            catalog: self.model,
            remover: self.model,
            rules: &self.rules,
            is_stopped: &|| false,
        }
    }
}

async fn run(recipe: &Recipe) -> Run {
    let (model, roots, ages) = registry(recipe);
    let before = model.has_tags();
    let there = model.has_manifests();
    let contents = walked(&model, &ages).await;
    let pushes = recipe.pushes.iter().map(|(at, takes, tag, root)| {
        let tag = if *tag < 9 {
            format!("t{tag}")
        } else {
            format!("new{tag}")
        };
        Push::new(*at, *takes, tag, root.get(&roots).clone())
    });
    model.later(pushes.collect());
    let rules = Rules {
        keep: recipe
            .keeps
            .iter()
            .map(|tag| WildMatch::new(&format!("t{tag}")))
            .collect(),
        newest: NonZero::new(recipe.newest),
        younger: None,
    };
    let plan = planner(&rules, &|tag| !tag.starts_with(recipe.left_out)).plan(&contents);
    for digest in &recipe.refused {
        let known: Vec<Digest> = there.iter().cloned().collect();
        model.refuse(digest.get(&known));
    }
    if recipe.throttles {
        model.throttle();
    }
    let (site, mut ends) = (Site::new(&model), Ends::default());
    let hands = site.hands();
    let saved = hands.save(&contents, &plan, None, &mut ends).await;
    hands.delete(&contents, &plan, &saved, &mut ends).await;
    let lost = hands.look_after(&contents, &plan, &mut ends).await.unwrap();
    let back = put_back(
        &site.repository,
        &contents,
        &plan,
        &[],
        &lost,
        &saved,
        &model,
    )
    .await;
    for (digest, manifest) in &saved {
        assert_eq!(manifest.bytes, model.known[digest.as_ref()]);
    }
    Run {
        saved: saved.into_keys().collect(),
        back,
        model,
        before,
        there,
        contents,
        plan,
        ends,
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 56)
}

fn walk_rules() -> crate::walk::rules::Rules {
    crate::walk::rules::Rules {
        depth: Depth::Manifests,
        referrers: Concern::Warn,
        accept_artifacts: true,
        ..Default::default()
    }
}

async fn walked(model: &Model, ages: &BTreeMap<String, u64>) -> Contents {
    let repository = Model::repository();
    let names = model.tags(&repository).await.answer.unwrap().names;
    let references = names.into_iter().map(|tag| Reference {
        repository: repository.clone(),
        tag: Some(tag),
        digest: None,
    });
    let references: Vec<Reference> = references.collect();
    let never = std::future::pending::<Cause>();
    let checked = walk(
        model,
        &repository,
        &references,
        &walk_rules(),
        never,
        |_, _| (),
    )
    .await;
    let mut contents = Contents::default();
    contents.add(&checked, Clients::CONTAINERD, |_| None);
    let known = [std::slice::from_ref(&checked)];
    for checked in &loose::subjects(model, &repository, &known, &walk_rules()).await {
        contents.add_subjects(checked, Clients::CONTAINERD);
    }
    for tag in &mut contents.tags {
        let age = ages.get(&tag.name).copied().unwrap_or(9);
        tag.dates.created = Some(now() - Duration::from_hours(24 * (age + 1)));
    }
    contents
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true);
    runtime.build().unwrap().block_on(work)
}

impl Run {
    /// Whether a tag that was there when the run ended has all that it ever had, and so has what it
    /// belongs to.
    fn require_whole_tags(&self) {
        for (tag, root) in self.model.listed() {
            for digest in self.needs(&tag, &root) {
                assert!(self.model.has(&digest), "{tag} lacks {digest} of {root}");
            }
        }
    }

    /// Whether a tag led to something before.
    fn leads(&self, digest: &Digest) -> bool {
        let mut roots = self.before.values();
        roots.any(|root| self.model.closure(root).contains(digest))
    }

    /// What a tag leads to, and what it belongs to if that was there: what its name says only where
    /// no other tag led to that, because such a tag does not hold an image.
    fn needs(&self, tag: &str, root: &Digest) -> HashSet<Digest> {
        let mut needs = HashSet::new();
        let mut open = vec![root.clone()];
        let was_there = |digest: &Digest| self.there.contains(digest);
        let named = digest_in_tag(tag).filter(was_there);
        open.extend(named.filter(|digest| !self.leads(digest)));
        // What should have gone and did not goes after what it belongs to.
        let end = self.ends.tags.get(tag);
        let has_failed = end.is_some_and(|end| *end != End::Stays(Stays::Moved));
        while let Some(root) = open.pop() {
            for digest in self.model.closure(&root) {
                if needs.insert(digest.clone()) && !has_failed {
                    open.extend(self.model.subject(&digest).filter(was_there));
                }
            }
        }
        needs
    }

    /// Whether what a tag leads to has the signatures that it had, unless it was gone in between.
    fn require_signatures(&self) {
        let now = self.model.has_tags();
        for (tag, root) in self.model.listed() {
            for digest in self.model.closure(&root) {
                if self.model.has_deleted(&digest) {
                    continue;
                }
                for signature in cosign_tags(&digest) {
                    let was_there = self.before.contains_key(&signature);
                    assert!(
                        !was_there || now.contains_key(&signature),
                        "{tag}: {signature}"
                    );
                }
            }
        }
    }

    /// Whether what is there has what referred to it, unless it was gone in between.
    fn require_referrers(&self) {
        for referrer in &self.there {
            let Some(subject) = self.model.subject(referrer) else {
                continue;
            };
            let had_a_tag = self.leads(&subject);
            let was_gone = self.model.has_deleted(&subject);
            let is_needed = self
                .model
                .listed()
                .values()
                .any(|root| self.model.closure(root).contains(&subject));
            if is_needed && had_a_tag && !was_gone && self.contents.manifest(referrer).is_some() {
                assert!(self.model.has(referrer), "{referrer} of {subject}");
            }
        }
    }

    fn kept(&self) -> impl Iterator<Item = &str> {
        let all = self.contents.tags.iter().zip(&self.plan.tags);
        all.filter(|(_, fate)| matches!(fate, Fate::Keep(_)))
            .map(|(tag, _)| tag.name.as_str())
    }
}

/// A tag whose digest has another tag goes alone; the backup has it all the same.
#[tokio::test]
async fn a_tag_that_goes_alone_is_in_the_backup() {
    let mut model = Model::new(Habits::DISTRIBUTION_3);
    let image = model.image(1, None);
    for tag in ["kept", "old"] {
        model.push(tag, &image);
    }
    let contents = walked(&model, &BTreeMap::new()).await;
    let plan = planner(&keep(&["kept"]), &|_| true).plan(&contents);
    let (site, mut ends) = (Site::new(&model), Ends::default());
    let name = format!("pullproof-{}-tag-alone", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let mut backup = LayoutWriter::open(&folder).unwrap();
    let saved = site
        .hands()
        .save(&contents, &plan, Some(&mut backup), &mut ends)
        .await;
    // It stays, so it is none of those that are to be deleted.
    assert!(saved.is_empty());
    let index = std::fs::read_to_string(folder.join("index.json")).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    let listed = ["old", "kept"].map(|tag| format!("{}:{tag}", site.repository));
    let listed = listed.map(|name| index.contains(&name));
    assert_eq!(listed, [true, false], "{index}");
}

/// A look that could not read what somebody has pushed does not count as one.
#[tokio::test]
async fn what_was_pushed_and_could_not_be_read_is_read_by_the_next_look() {
    let mut model = Model::new(Habits::DISTRIBUTION_3);
    let [kept, one, child] = [1, 2, 3].map(|seed| model.image(seed, None));
    let two = model.index(std::slice::from_ref(&child));
    let new = model.index(&[child.clone(), kept.clone()]);
    for (tag, root) in [("kept", &kept), ("v1", &one), ("v2", &two)] {
        model.push(tag, root);
    }
    let contents = walked(&model, &BTreeMap::new()).await;
    let plan = planner(&keep(&["kept"]), &|_| true).plan(&contents);
    let (site, mut ends) = (Site::new(&model), Ends::default());
    let hands = site.hands();
    let saved = hands.save(&contents, &plan, None, &mut ends).await;
    model.push("new", &new);
    model.fail_once(&new);
    model.refuse(&child);
    hands.delete(&contents, &plan, &saved, &mut ends).await;
    assert!(matches!(
        ends.tags["v1"],
        End::Failed(Failure::NotLooked(_))
    ));
    assert_eq!(ends.tags["v2"], End::Deleted);
    // It was not even asked to go.
    assert_eq!(ends.manifests[&child], End::Stays(Stays::Needed));
}

/// What a walk could not read of a tag that goes is read when somebody else tags it.
#[tokio::test]
async fn what_was_not_read_before_is_read_when_it_is_tagged_again() {
    let mut model = Model::new(Habits::DISTRIBUTION_3);
    let [kept, child, own] = [1, 2, 3].map(|seed| model.image(seed, None));
    let unread = model.index(std::slice::from_ref(&child));
    let other = model.index(&[child.clone(), own]);
    let outer = model.index(std::slice::from_ref(&unread));
    for (tag, root) in [("kept", &kept), ("v1", &outer), ("v2", &other)] {
        model.push(tag, root);
    }
    model.lose(&unread);
    let contents = walked(&model, &BTreeMap::new()).await;
    assert!(!contents.node(contents.manifest(&unread).unwrap()).is_read);
    let plan = planner(&keep(&["kept"]), &|_| true).plan(&contents);
    let (site, mut ends) = (Site::new(&model), Ends::default());
    let hands = site.hands();
    let saved = hands.save(&contents, &plan, None, &mut ends).await;
    model.push("new", &unread);
    hands.delete(&contents, &plan, &saved, &mut ends).await;
    assert_eq!(ends.manifests[&child], End::Stays(Stays::Needed));
    assert!(model.has(&child) && !model.has(&other));
}

/// A repository with a tag that stays and another one that goes.
fn two_tags() -> (Model, Digest) {
    let mut model = Model::new(Habits::DISTRIBUTION_3);
    let [kept, child] = [1, 2].map(|seed| model.image(seed, None));
    let old = model.index(std::slice::from_ref(&child));
    for (tag, root) in [("kept", &kept), ("old", &old)] {
        model.push(tag, root);
    }
    (model, child)
}

#[tokio::test]
async fn where_a_tag_stays_a_list_that_is_not_there_is_no_look() {
    for is_last in [false, true] {
        let (model, child) = two_tags();
        let contents = walked(&model, &BTreeMap::new()).await;
        let plan = planner(&keep(&["kept"]), &|_| true).plan(&contents);
        let (site, mut ends) = (Site::new(&model), Ends::default());
        let hands = site.hands();
        let saved = hands.save(&contents, &plan, None, &mut ends).await;
        if !is_last {
            model.lose_list();
        }
        hands.delete(&contents, &plan, &saved, &mut ends).await;
        assert_eq!(model.has(&child), !is_last);
        model.lose_list();
        let cause = hands.look_after(&contents, &plan, &mut ends).await;
        ends.doubt(&cause.unwrap_err());
        for end in ends.tags.values().chain(ends.manifests.values()) {
            assert!(matches!(end, End::Failed(Failure::NotLooked(_))), "{end:?}");
        }
    }
}

#[tokio::test]
async fn what_is_not_broken_any_more_is_not_swept_out() {
    for is_back in [false, true] {
        let (model, child) = two_tags();
        model.lose(&child);
        let mut contents = walked(&model, &BTreeMap::new()).await;
        let is_broken = |tag: &&mut Tag| tag.health == Health::Broken;
        assert_eq!(contents.tags.iter_mut().filter(is_broken).count(), 1);
        let rules = Rules::default();
        let planner = Planner {
            sweeps: true,
            ..planner(&rules, &|_| true)
        };
        let plan = planner.plan(&contents);
        let (site, mut ends) = (Site::new(&model), Ends::default());
        let hands = site.hands();
        let saved = hands.save(&contents, &plan, None, &mut ends).await;
        if is_back {
            let old = model.has_tags()["old"].clone();
            model.push("old", &old);
        }
        hands.delete(&contents, &plan, &saved, &mut ends).await;
        let expected = if is_back {
            End::Stays(Stays::NotBroken)
        } else {
            End::Deleted
        };
        assert_eq!(ends.tags["old"], expected);
        assert_eq!(model.has(&child), is_back);
    }
}

/// Below what is not there nothing is walked.
#[tokio::test]
async fn what_is_put_back_is_put_back_with_all_below_it() {
    let mut model = Model::new(Habits::DISTRIBUTION_3);
    let [kept, child, other] = [1, 2, 3].map(|seed| model.image(seed, None));
    let inner = model.index(std::slice::from_ref(&child));
    let new = model.index(&[inner.clone(), kept.clone()]);
    for (tag, root) in [("kept", &kept), ("old", &inner), ("older", &other)] {
        model.push(tag, root);
    }
    let contents = walked(&model, &BTreeMap::new()).await;
    let plan = planner(&keep(&["kept"]), &|_| true).plan(&contents);
    let (site, mut ends) = (Site::new(&model), Ends::default());
    let hands = site.hands();
    let saved = hands.save(&contents, &plan, None, &mut ends).await;
    hands.delete(&contents, &plan, &saved, &mut ends).await;
    model.write_tag("new", &new);
    let lost = hands.look_after(&contents, &plan, &mut ends).await;
    let lost = lost.unwrap();
    assert_eq!(lost, [inner.clone(), child.clone()].into());
    let back = put_back(
        &site.repository,
        &contents,
        &plan,
        &[],
        &lost,
        &saved,
        &model,
    )
    .await;
    assert_eq!(back, [child, inner]);
}

/// What is there without a tag, and has a child that a tag has, too.
struct Untagged {
    model: Model,
    index: Digest,
    shared: Digest,
    gone: Digest,
}

fn untagged() -> Untagged {
    let mut model = Model::new(Habits::DISTRIBUTION_3);
    let [shared, own, kept] = [1, 2, 3].map(|seed| model.image(seed, None));
    let index = model.index(&[shared.clone(), own]);
    let gone = model.index(std::slice::from_ref(&shared));
    for (tag, root) in [("kept", &kept), ("gone", &gone), ("", &index)] {
        model.push(tag, root);
    }
    Untagged {
        model,
        index,
        shared,
        gone,
    }
}

fn goes(contents: &Contents, patterns: &[&str]) -> HashSet<Digest> {
    let plan = planner(&keep(patterns), &|_| true).plan(contents);
    plan.digests(contents).into_iter().cloned().collect()
}

#[tokio::test]
async fn what_a_signature_belongs_to_stays_whole_without_a_tag() {
    let mut signed = untagged();
    let signature = signed.model.image(4, None);
    let [tag, ..] = cosign_tags(&signed.index);
    signed.model.push(&tag, &signature);
    let contents = walked(&signed.model, &BTreeMap::new()).await;
    assert_eq!(goes(&contents, &["kept"]), [signed.gone].into());
    let pinned = contents.pinned.iter();
    let pinned: Vec<_> = pinned.map(|one| &contents.node(*one).digest).collect();
    assert_eq!((pinned, &contents.unread), (vec![&signed.index], &None));
}

#[tokio::test]
async fn what_a_referrer_belongs_to_stays_whole_as_long_as_the_referrer_does() {
    let mut untagged = untagged();
    let sbom = untagged.model.image(4, Some(&untagged.index));
    untagged.model.push("sbom", &sbom);
    let contents = walked(&untagged.model, &BTreeMap::new()).await;
    assert_eq!(contents.pinned, [0; 0]);
    let Untagged { shared, gone, .. } = untagged;
    assert_eq!(goes(&contents, &["kept", "sbom"]), [gone.clone()].into());
    let all = [gone, shared, sbom];
    assert_eq!(goes(&contents, &["kept"]), all.into());
}

#[tokio::test]
async fn a_signature_of_what_is_gone_stays() {
    let mut untagged = untagged();
    let signature = untagged.model.image(4, None);
    let nothing = untagged.model.image(5, None);
    let [tag, ..] = cosign_tags(&nothing);
    untagged.model.push(&tag, &signature);
    let contents = walked(&untagged.model, &BTreeMap::new()).await;
    assert_eq!(
        (contents.manifest(&nothing), &contents.unread),
        (None, &None)
    );
    assert!(!goes(&contents, &["kept"]).contains(&signature));
}

#[tokio::test]
async fn what_stays_without_a_tag_and_has_not_been_read_is_noted() {
    let Untagged { model, index, .. } = untagged();
    let repository = Model::repository();
    let reference = Reference {
        repository: repository.clone(),
        tag: None,
        digest: Some(index.clone()),
    };
    let (references, rules) = ([reference], walk_rules());
    let ended = std::future::ready(Cause::default());
    let ended = walk(&model, &repository, &references, &rules, ended, |_, _| ()).await;
    let [read] = &loose::walked(&model, &repository, vec![index.clone()], &rules).await[..] else {
        panic!("it is one walk");
    };
    let in_use = |checked: &Checked| {
        let mut contents = Contents::default();
        contents.add(checked, Clients::CONTAINERD, |_| None);
        contents.unread
    };
    let named = |checked: &Checked| {
        let mut contents = Contents::default();
        contents.add_subjects(checked, Clients::CONTAINERD);
        contents.unread
    };
    let unread = Some(index.clone());
    assert_eq!([in_use(&ended), named(&ended)], [unread.clone(), unread]);
    assert_eq!([in_use(read), named(read)], [None, None]);
    // Whichever of two walks has read it.
    for walks in [[&ended, read], [read, &ended]] {
        let mut contents = Contents::default();
        for checked in walks {
            contents.add(checked, Clients::CONTAINERD, |_| None);
        }
        let root = contents.manifest(&index).unwrap();
        assert!(contents.node(root).is_read);
    }
}

#[tokio::test]
async fn what_a_registry_lists_without_a_tag_is_known_with_its_date() {
    let mut model = Model::new(Habits::DISTRIBUTION_3);
    let [child, other, gone, unlisted] = [1, 2, 3, 4].map(|seed| model.image(seed, None));
    let index = model.index(std::slice::from_ref(&child));
    model.push("kept", &index);
    for root in [&other, &unlisted] {
        model.push("", root);
    }
    let mut contents = walked(&model, &BTreeMap::new()).await;
    let all = [&child, &other, &gone, &unlisted]
        .map(Clone::clone)
        .to_vec();
    let listed = [&child, &other, &gone].map(|digest| (digest, Some(now())));
    let listed = listed.into();
    let (repository, rules) = (Model::repository(), walk_rules());
    for checked in loose::walked(&model, &repository, all, &rules).await {
        contents.add_untagged(&checked, Clients::CONTAINERD, &listed);
    }
    let found = contents.untagged.iter();
    let found: Vec<_> = found
        .map(|one| (&contents.node(one.root).digest, one.since, one.is_known))
        .collect();
    assert_eq!(found, [(&other, Some(now()), true)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn whoever_pushes_meanwhile_every_tag_has_all_that_it_had(recipe in recipe(4)) {
        let run = block_on(run(&recipe));
        run.require_whole_tags();
        run.require_signatures();
        run.require_referrers();
        prop_assert!(run.model.deletions_without_a_look() <= 1);
    }

    #[test]
    fn what_stays_because_it_cannot_be_deleted_stays_whole(
        mut recipe in recipe(2),
        refused in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        lists_referrers: bool,
    ) {
        let pushes = std::mem::take(&mut recipe.pushes);
        recipe.refused = refused;
        recipe.habits.lists_referrers = lists_referrers;
        let run = block_on(run(&recipe));
        run.require_whole_tags();
        run.require_signatures();
        run.require_referrers();
        prop_assert_eq!(&run.back, &[]);
        recipe.pushes = pushes;
        let run = block_on(self::run(&recipe));
        run.require_whole_tags();
        run.require_signatures();
    }

    #[test]
    fn what_only_deleted_tags_lead_to_is_deleted_and_saved(recipe in recipe(0)) {
        let run = block_on(run(&recipe));
        run.require_whole_tags();
        let now = run.model.has_tags();
        let mut needed: HashSet<Digest> = HashSet::new();
        for tag in run.kept() {
            prop_assert_eq!(now.get(tag), run.before.get(tag), "{} stays", tag);
            needed.extend(run.needs(tag, &run.before[tag]));
        }
        for (tag, root) in &run.before {
            if run.ends.tags.get(tag) != Some(&End::Deleted) {
                prop_assert!(now.contains_key(tag), "{} is still there", tag);
                needed.extend(run.needs(tag, root));
                continue;
            }
            prop_assert!(!now.contains_key(tag), "{} is gone", tag);
        }
        for place in &run.plan.manifests {
            let digest = &run.contents.node(*place).digest;
            prop_assert!(!needed.contains(digest));
            let end = run.ends.manifests.get(digest);
            prop_assert_eq!(end, Some(&End::Deleted));
            prop_assert!(!run.model.has(digest) && run.saved.contains(digest));
        }
        // Whatever a deleted tag led to is gone, unless something that stays needs it.
        for (tag, root) in &run.before {
            if run.ends.tags.get(tag) == Some(&End::Deleted) {
                for digest in run.model.closure(root) {
                    let place = run.contents.manifest(&digest).unwrap();
                    prop_assert_eq!(run.model.has(&digest), run.plan.needed[place], "{}", tag);
                }
            }
        }
    }

    #[test]
    fn a_registry_that_deletes_nothing_is_found_out(mut recipe in recipe(0)) {
        recipe.habits.lies = true;
        recipe.habits.deletes_tags = true;
        let run = block_on(run(&recipe));
        prop_assert_eq!(&run.model.has_tags(), &run.before);
        for (tag, end) in &run.ends.tags {
            prop_assert_eq!(end, &End::Failed(Failure::NotTaken), "{}", tag);
        }
        for end in run.ends.manifests.values() {
            prop_assert_eq!(end, &End::Failed(Failure::NotTaken));
        }
    }
}
