//! What differs from run to run, made equal: ports, times, ages.

/// A text in which these ports are 5000 and every time that a request or a run took is the same.
pub(super) fn normal(text: &str, port: u16) -> String {
    let text = text.replace(&format!(":{port}"), ":5000");
    let mut lines: Vec<String> = text.lines().map(line).collect();
    lines.push(String::new());
    lines.join("\n")
}

/// A line with equal times behind `in`, `retrying in` and `built`.
fn line(text: &str) -> String {
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for place in 1..words.len().saturating_sub(1) {
        let is_number = words[place].parse::<f64>().is_ok();
        let unit = words[place + 1]
            .trim_matches([',', ';', '.', ')', ':'])
            .to_owned();
        let is_time = ["ms", "s", "min", "days", "months", "years"].contains(&unit.as_str());
        let is_measured = ["in", "built"].contains(&words[place - 1].as_str());
        if is_number && is_time && is_measured {
            let end = words[place + 1].replace(&unit, "");
            "N".clone_into(&mut words[place]);
            words[place + 1] = format!("{}{end}", if unit == "ms" { "s" } else { &unit });
        }
    }
    words.join(" ")
}

#[test]
fn only_measured_times_are_made_equal() {
    assert_eq!(
        normal(
            "a:41234: 3 requests in 12.5 ms, no answer within 6 s",
            41234
        ),
        "a:5000: 3 requests in N s, no answer within 6 s\n"
    );
    assert_eq!(
        normal("built 2 years ago; retrying in 31 s (attempt 1 of 2)", 1),
        "built N years ago; retrying in N s (attempt 1 of 2)\n"
    );
}
