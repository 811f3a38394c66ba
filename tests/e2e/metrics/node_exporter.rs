//! `node_exporter` shows the file of an audit beside its own metrics.

use super::program::Program;
use super::{FAILURES, REPOSITORY, audit, damaged, darken, value};
use crate::support::http::client::get;

#[test]
fn the_textfile_collector_shows_the_file() {
    let (registry, lost) = damaged();
    let exporter = Program::start("E2E_NODE_EXPORTER", "/metrics", |directory| {
        let folder = directory.join("textfile").display().to_string();
        [
            "--collector.disable-defaults",
            "--collector.textfile",
            &format!("--collector.textfile.directory={folder}"),
        ]
        .map(str::to_owned)
        .to_vec()
    });
    let file = exporter.path().join("textfile/pullproof.prom");
    let shown = |code| {
        let flags = ["--metrics-file", file.to_str().unwrap()];
        audit(&registry).arguments(flags).run().exits(code);
        get(&exporter.at("/metrics")).text()
    };
    let host = registry.host();
    let page = shown(1);
    assert!(page.contains("\nnode_textfile_scrape_error 0\n"), "{page}");
    assert_eq!(value(&page, FAILURES, &host), Some(1.0));
    assert_eq!(value(&page, REPOSITORY, &host), Some(1.0));
    darken(&registry);
    let page = shown(4);
    assert!(page.contains("\nnode_textfile_scrape_error 0\n"), "{page}");
    assert_eq!(value(&page, FAILURES, &host), Some(1.0));
    registry.forget_rules();
    registry.find(&lost);
    let page = shown(0);
    assert_eq!(value(&page, FAILURES, &host), Some(0.0));
    assert_eq!(value(&page, REPOSITORY, &host), None);
}
