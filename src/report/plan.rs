//! A plan, in words: what is put back, from where, and what is lost.

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::SystemTime;

use oci_spec::image::Digest;

use super::sentence;
use super::text::{Paint, Style};
use crate::oci::platform::Platform;
use crate::repair::{Action, Failure, Loss, Provenance, Step};
use crate::text::escape;
use crate::text::human::{self, count};

/// How many digits of a digest a person compares.
const DIGITS: usize = 12;

/// The plan of a repair.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What is to be done, in this order; what is lost stands last.
    pub steps: Vec<Step>,
    /// Whether it was done, and not only made.
    pub is_applied: bool,
}

impl Plan {
    /// How many steps were done.
    #[must_use]
    pub fn done(&self) -> usize {
        let is_done = |step: &&Step| matches!(step.end, Some(Ok(())));
        self.steps.iter().filter(is_done).count()
    }

    /// How many steps failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        let has_failed = |step: &&Step| matches!(step.end, Some(Err(_)));
        self.steps.iter().filter(has_failed).count()
    }

    /// How many digests stay lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        let possible = self.possible();
        self.steps.len() - possible
    }

    /// How many steps there are to do.
    #[must_use]
    pub fn possible(&self) -> usize {
        let is_possible = |step: &&Step| step.action.is_possible();
        self.steps.iter().filter(is_possible).count()
    }
}

/// Writes a plan: a line for each step below its image, and what it comes to.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write(
    plan: &Plan,
    now: SystemTime,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut rest: Vec<&Step> = plan.steps.iter().collect();
    while let Some(first) = rest.first() {
        let image = first.images.first().cloned();
        let (own, others): (Vec<&Step>, Vec<&Step>) = rest
            .into_iter()
            .partition(|step| image.as_ref().is_none_or(|one| step.images.contains(one)));
        rest = others;
        writeln!(out, "{}", title(&own))?;
        let columns = Columns::of(&own);
        for step in own {
            write_step(step, &columns, now, style, out)?;
        }
    }
    writeln!(out, "{}", closing(plan))
}

/// `team/app:1.4 and 2 more images: 4 digests missing or damaged`.
fn title(steps: &[&Step]) -> String {
    let images = steps.first().map_or(&[][..], |first| &first.images);
    let name = images.first().map(ToString::to_string).unwrap_or_default();
    let more = match images.len() {
        0 | 1 => String::new(),
        all => format!(" and {}", count(all - 1, "more image")),
    };
    let digests: HashSet<&Digest> = steps.iter().map(|step| &step.digest).collect();
    let digests = count(digests.len(), "digest");
    format!(
        "{}{more}: {digests} missing or damaged",
        escape::line(&name)
    )
}

/// The columns of the steps of one image, each as wide as its widest cell.
struct Columns {
    kind: usize,
    platform: usize,
    size: usize,
}

impl Columns {
    fn of(steps: &[&Step]) -> Self {
        let widest = |cell: fn(&Step) -> String| {
            let widths = steps.iter().map(|step| cell(step).chars().count());
            widths.max().unwrap_or(0)
        };
        Self {
            kind: widest(|step| step.kind.as_str().to_owned()),
            platform: widest(platform),
            size: widest(size),
        }
    }

    fn line(&self, step: &Step, now: SystemTime) -> String {
        let cells = [
            (step.action.as_str().to_owned(), "replace".len(), false),
            (step.kind.as_str().to_owned(), self.kind, false),
            (short(step), 0, false),
            (size(step), self.size, true),
            (platform(step), self.platform, false),
        ];
        let mut line = String::new();
        for (text, width, is_number) in cells {
            let room = width.saturating_sub(text.chars().count());
            let (before, after) = if is_number { (room, 0) } else { (0, room) };
            if width > 0 || !text.is_empty() {
                line.extend([&" ".repeat(before), &text, &" ".repeat(after), "  "]);
            }
        }
        line.push_str(&escape::line(&escape::shortened(&reason(step, now))));
        line
    }
}

fn size(step: &Step) -> String {
    step.size.map(human::bytes).unwrap_or_default()
}

fn platform(step: &Step) -> String {
    let platform = step.platform.as_ref().filter(|one| !one.is_unknown());
    let platform = platform.map(Platform::to_string).unwrap_or_default();
    escape::line(&platform)
}

fn write_step(
    step: &Step,
    columns: &Columns,
    now: SystemTime,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (mark, paint) = match (&step.action, &step.end) {
        (Action::Lost(_), _) | (_, Some(Err(_))) => ("✗", Paint::Bad),
        (_, Some(Ok(()))) => ("✓", Paint::Good),
        (_, None) => (" ", Paint::Plain),
    };
    let line = format!("{mark} {}", columns.line(step, now));
    writeln!(out, "{}", style.paint(paint, line.trim_end()))?;
    match step.action {
        // What has to be looked for by hand is shown whole.
        Action::Lost(_) => writeln!(out, "      {}", step.digest),
        _ => Ok(()),
    }
}

fn short(step: &Step) -> String {
    let hex = step.digest.digest();
    let hex = hex.get(..DIGITS).unwrap_or(hex);
    format!("{}:{hex}", step.digest.algorithm())
}

/// Where it comes from, why it is lost, or why that failed; as a fragment without secrets.
#[must_use]
pub(crate) fn reason(step: &Step, now: SystemTime) -> String {
    let from = match &step.action {
        Action::Mount(from) => format!("from {from}"),
        Action::Upload(from) | Action::Put(from) | Action::Replace(from) => provenance(from, now),
        Action::Tag(tag) => format!("the tag {tag} is gone"),
        Action::Link => "its bytes are on the registry's disk".to_owned(),
        Action::Lost(loss) => loss_words(loss).to_owned(),
    };
    match &step.end {
        Some(Err(failure)) => format!("{from}: failed, {}", failure_words(failure)),
        _ => from,
    }
}

fn provenance(from: &Provenance, now: SystemTime) -> String {
    match from {
        Provenance::Remembered(Some(since)) => {
            let ago = now.duration_since(*since).unwrap_or_default();
            format!("remembered {} ago", human::age(ago))
        }
        Provenance::Remembered(None) => "remembered".to_owned(),
        Provenance::Repository(repository) => format!("from {repository}"),
        Provenance::File(name) => format!("from {name}"),
        Provenance::Storage => "from the registry's disk".to_owned(),
    }
}

fn loss_words(loss: &Loss) -> &'static str {
    match loss {
        Loss::Nowhere => "found nowhere",
        Loss::BelowIt => "something below it is lost",
        Loss::NotKnown => "not known: a source could not be asked",
        Loss::NotPlanned => "not in the plan that was given",
    }
}

fn failure_words(failure: &Failure) -> String {
    match failure {
        Failure::Registry(cause) => sentence::cause(cause),
        Failure::TagIsBack => "somebody has pushed the tag meanwhile".to_owned(),
        Failure::Source(cause) => {
            let why = sentence::cause(cause);
            if why.is_empty() {
                "its source delivers something else".to_owned()
            } else {
                format!("its source does not deliver it: {why}")
            }
        }
        Failure::Disk(why) => why.clone(),
        Failure::BelowIt => "what is below it could not be put back".to_owned(),
        Failure::NotKept => "it was taken, and is as broken as before".to_owned(),
        Failure::Remembered => "it is on the disk, and the registry answers as before".to_owned(),
        Failure::Stopped => "the run ended before".to_owned(),
    }
}

/// What the plan comes to.
#[must_use]
pub(crate) fn closing(plan: &Plan) -> String {
    let rest = rest(plan);
    match (plan.is_applied, plan.possible()) {
        (_, 0) if plan.steps.is_empty() => "plan: nothing is missing or damaged".to_owned(),
        (false, 0) => format!("plan: nothing can be put back{rest}"),
        (false, possible) => format!(
            "plan: nothing was changed. {} can be put back with --apply{rest}",
            count(possible, "digest")
        ),
        (true, _) => {
            let failed = match plan.failed() {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            };
            let done = match plan.done() {
                0 => "nothing".to_owned(),
                done => count(done, "digest"),
            };
            format!("repair: {done} put back{failed}{rest}")
        }
    }
}

/// What stays as it is, and what helps there.
fn rest(plan: &Plan) -> String {
    let number = |is_it: fn(&Loss) -> bool| {
        let losses = plan.steps.iter().filter_map(|step| match &step.action {
            Action::Lost(loss) => Some(loss),
            _ => None,
        });
        losses.filter(|loss| is_it(loss)).count()
    };
    let be = |number| if number == 1 { "is" } else { "are" };
    let mut rest = String::new();
    let lost = number(|loss| matches!(loss, Loss::Nowhere | Loss::BelowIt));
    if lost > 0 {
        let digests = count(lost, "digest");
        rest += &format!("; {digests} {} lost: rebuild what needs it", be(lost));
    }
    let unknown = number(|loss| *loss == Loss::NotKnown);
    if unknown > 0 {
        let digests = count(unknown, "digest");
        let be = be(unknown);
        rest += &format!("; {digests} {be} undecided: run it again when every source answers");
    }
    let left_out = number(|loss| *loss == Loss::NotPlanned);
    if left_out > 0 {
        let digests = count(left_out, "digest");
        rest += &format!(
            "; {digests} {} not in the plan: make a new one",
            be(left_out)
        );
    }
    rest
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::oci::kind::Kind;
    use crate::report::example::digest;

    fn step(name: u8, kind: Kind, action: Action) -> Step {
        let image = |tag: &str| format!("registry.example/ci:{tag}").parse().unwrap();
        let images: Vec<crate::oci::reference::Reference> = vec![image("1"), image("2")];
        Step {
            repository: images[0].repository.clone(),
            images,
            digest: digest(name),
            kind,
            platform: None,
            size: Some(21_000_000),
            action,
            end: None,
        }
    }

    fn text(plan: &Plan, colour: bool) -> String {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let mut out = Vec::new();
        let style = Style {
            colour,
            ..Style::default()
        };
        write(plan, now, style, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn plan() -> Plan {
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(820_000);
        let remembered = Action::Put(Provenance::Remembered(Some(since)));
        let mut manifest = step(0x20, Kind::Manifest, remembered);
        manifest.platform = Some("linux/amd64".parse().unwrap());
        manifest.size = Some(1000);
        let from = manifest.repository.clone();
        Plan {
            steps: vec![
                step(0x22, Kind::Layer, Action::Mount(from)),
                manifest,
                step(0x23, Kind::Layer, Action::Lost(Loss::Nowhere)),
                step(0x24, Kind::Attestation, Action::Lost(Loss::NotKnown)),
            ],
            is_applied: false,
        }
    }

    #[test]
    fn a_plan_is_a_line_for_each_digest_and_what_is_lost_is_whole() {
        let lost = "23".repeat(32);
        let unknown = "24".repeat(32);
        let expected = format!(
            "\
registry.example/ci:1 and 1 more image: 4 digests missing or damaged
  mount    layer        sha256:222222222222  21 MB               from registry.example/ci
  put      manifest     sha256:202020202020   1 kB  linux/amd64  remembered 2 days ago
✗ lost     layer        sha256:232323232323  21 MB               found nowhere
      sha256:{lost}
✗ lost     attestation  sha256:242424242424  21 MB               not known: a source could not be asked
      sha256:{unknown}
plan: nothing was changed. 2 digests can be put back with --apply; 1 digest is lost: rebuild what needs it; 1 digest is undecided: run it again when every source answers
"
        );
        assert_eq!(text(&plan(), false), expected);
    }

    #[test]
    fn an_applied_plan_says_what_was_done() {
        let mut plan = plan();
        plan.is_applied = true;
        plan.steps[0].end = Some(Ok(()));
        plan.steps[1].end = Some(Err(Failure::BelowIt));
        plan.steps.truncate(3);
        let colours = text(&plan, true);
        assert!(colours.contains("\u{1b}[1;32m✓ mount"), "{colours}");
        assert!(colours.contains("\u{1b}[1;31m✗ put"), "{colours}");
        let text = text(&plan, false);
        let end = "repair: 1 digest put back, 1 failed; 1 digest is lost: rebuild what needs it\n";
        assert!(text.ends_with(end), "{text}");
        assert!(
            text.contains("2 days ago: failed, what is below it could not be put back"),
            "{text}"
        );
    }

    #[test]
    fn what_a_registry_says_commands_nothing() {
        let hostile = "a\u{1b}[2J\n::error::##[group]".to_owned();
        let mut plan = plan();
        plan.steps[0].end = Some(Err(Failure::Disk(hostile.clone())));
        plan.steps[1].action = Action::Upload(Provenance::File(hostile));
        let text = text(&plan, false);
        assert!(!text.contains('\u{1b}') && !text.contains("##["), "{text}");
        assert_eq!(
            text.lines().filter(|line| line.starts_with("::")).count(),
            0
        );
    }
}
