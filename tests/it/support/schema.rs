//! Reports against their JSON schema.

use super::command::Finished;

/// Requires a report to follow the schema.
#[track_caller]
pub(crate) fn assert_follows_the_schema(finished: &Finished) {
    let schema = include_str!("../../../schema/report-1.schema.json");
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    let schema = serde_json::from_str(schema).unwrap();
    compiler.add_resource("schema.json", schema).unwrap();
    let schema = compiler.compile("schema.json", &mut schemas).unwrap();
    let report = finished.report();
    if let Err(error) = schemas.validate(&report.0, schema) {
        panic!("{error}: {:#}", report.0);
    }
}
