//! Woodpecker's answers: lists and logs always stay within bounds, and a log is the same however it
//! is cut into pieces.

use crate::rebuild::woodpecker::log::Tail;
use crate::rebuild::woodpecker::{List, Pipeline, Repository};

/// How many lines are kept here.
const LINES: usize = 3;

/// Time is linear; a list holds at most 1000 entries, a log the lines that were asked for, of 1001
/// characters each.
pub fn check(data: &[u8]) {
    let lines = tail(data, data.len().max(1));
    assert!(lines.len() <= LINES, "{} lines", lines.len());
    assert!(
        lines.iter().all(|line| line.chars().count() <= 1001),
        "a line is too long"
    );
    assert!(
        lines.iter().all(|line| !line.contains(['\n', '\r'])),
        "{lines:?}"
    );
    let size = 1 + usize::from(data.first().copied().unwrap_or_default() % 8);
    assert_eq!(tail(data, size), lines, "in pieces of {size}");
    if let Ok(pipeline) = serde_json::from_slice::<Pipeline>(data) {
        bounded(&pipeline, data.len());
    }
    if let Ok(List(pipelines)) = serde_json::from_slice::<List<Pipeline>>(data) {
        assert!(pipelines.len() <= 1000, "{} pipelines", pipelines.len());
        for pipeline in &pipelines {
            bounded(pipeline, data.len());
        }
    }
    if let Ok(repository) = serde_json::from_slice::<Repository>(data) {
        assert!(repository.full_name.len() + repository.default_branch.len() <= data.len());
        assert!(repository.cancel_previous_pipeline_events.len() <= 1000);
    }
}

fn tail(data: &[u8], size: usize) -> Vec<String> {
    let mut tail = Tail::new(LINES);
    data.chunks(size).for_each(|piece| tail.push(piece));
    assert_eq!(tail.is_array(), data.contains(&b'['));
    tail.into_lines()
}

fn bounded(pipeline: &Pipeline, length: usize) {
    assert!(pipeline.workflows.len() <= 1000 && pipeline.errors.len() <= 1000);
    assert!(pipeline.objections().len() <= pipeline.errors.len());
    assert!(
        pipeline
            .canceled_by()
            .is_none_or(|cause| cause.len() <= length + 64)
    );
    let status = pipeline.status.as_str();
    assert!(!pipeline.failed_to_start() || status == "error");
    assert!(status != "success" || pipeline.is_over());
    let texts = [&pipeline.event, &pipeline.commit, &pipeline.branch]
        .map(String::len)
        .iter()
        .sum::<usize>();
    let variables: usize = pipeline
        .variables
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    assert!(
        texts + variables + status.len() <= length + "created".len(),
        "more came out than went in"
    );
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Something that is of another type than expected.
    fn odd() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "[a-z]{0,4}".prop_map(Value::from),
            Just(json!([[]])),
            Just(json!({}))
        ]
    }

    proptest! {
        #[test]
        fn a_detail_of_another_type_hides_nothing_else(
            number in 1..u64::MAX,
            odd in odd(),
            name in prop::sample::select(
                vec!["errors", "variables", "workflows", "cancel_info", "branch", "x"],
            ),
        ) {
            let text = json!({ "number": number, "status": "success", name: odd }).to_string();
            let pipeline: Pipeline = serde_json::from_str(&text).unwrap();
            prop_assert_eq!((pipeline.number, pipeline.status.as_str()), (number, "success"));
            check(text.as_bytes());
        }

        #[test]
        fn the_last_lines_of_a_log_are_the_last(
            lines in proptest::collection::vec("[ -~é]{0,20}", 0..8),
        ) {
            let entry = |line: &String| json!({ "data": BASE64_STANDARD.encode(line), "type": 0 });
            let entries: Vec<Value> = lines.iter().map(entry).collect();
            let text = json!(entries).to_string();
            prop_assert_eq!(tail(text.as_bytes(), 5), &lines[lines.len().saturating_sub(LINES)..]);
        }
    }
}
