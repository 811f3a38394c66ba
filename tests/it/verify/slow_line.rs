//! Connections that break in the middle of a layer, at depth full: what came is kept, and only data
//! that ends three times at the same byte is said to end there.

use crate::support::command::verify;
use crate::support::fake::Registry;
use crate::support::http::Break;
use crate::support::recipe::single;

const SIZE: usize = 200_000;

/// A registry with one image, whose only layer breaks off like this, and the layer's digest.
fn breaking(breaks: impl Fn(&Registry, &str)) -> (Registry, String) {
    let registry = Registry::start();
    let image = registry.image("app:1", &single().layers(1).layer_size(SIZE));
    let layer = image.layer(0, 0).to_owned();
    breaks(&registry, &layer);
    (registry, layer)
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let (registry, layer) = breaking(|registry, layer| {
        registry
            .on("GET", layer)
            .times(2)
            .breaks(Break::Close, 50_000);
    });
    let report = verify(&registry.reference("app:1"))
        .arguments(["--depth", "full"])
        .run()
        .passes();
    assert_eq!(report.verdict(&layer), "ok");
    let ranges: Vec<Option<String>> = registry
        .requests()
        .iter()
        .filter(|request| request.path.ends_with(&layer))
        .map(|request| request.header("range").map(str::to_owned))
        .collect();
    let from = |byte: usize| Some(format!("bytes={byte}-{}", SIZE - 1));
    assert_eq!(ranges, [None, from(50_000), from(100_000)]);
}

#[test]
fn a_download_that_gets_further_each_time_is_continued() {
    let (registry, layer) =
        breaking(|registry, layer| registry.on("GET", layer).breaks(Break::Close, 10_000));
    let report = verify(&registry.reference("app:1"))
        .arguments(["--depth", "full", "--max-backoff", "10ms"])
        .run();
    assert_eq!(report.passes().verdict(&layer), "ok");
}

#[test]
fn data_that_ends_twice_at_the_same_byte_ends_there() {
    let (registry, layer) = breaking(|registry, layer| {
        registry.on("GET", layer).alters(|request, reply| {
            let is_rest = request.header("range") == Some("bytes=50000-199999");
            reply.breaks_in_body(Break::Close, if is_rest { 0 } else { 50_000 })
        });
    });
    let report = verify(&registry.reference("app:1"))
        .arguments(["--depth", "full"])
        .run()
        .exits(1)
        .report();
    assert_eq!(report.verdict(&layer), "truncated");
}
