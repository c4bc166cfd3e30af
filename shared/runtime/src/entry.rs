//! One runbook of the loaded set.

use miette::Report;
use runcord_model::RunbookRef;
use runcord_runbooks::{Checker, Runbook};

/// One runbook with the name of its file.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The runbook.
    pub runbook: Runbook,
    /// The name of its file.
    pub file: String,
}

impl Entry {
    /// The runbook by name, version and digest.
    pub fn reference(&self) -> RunbookRef {
        self.runbook.reference()
    }
}

/// One runbook from its text, or none when it is another server's.
///
/// # Errors
/// Every problem found in it.
pub fn one(file: &str, text: &str, checker: &Checker<'_>) -> Result<Option<Entry>, Vec<Report>> {
    let parsed = runcord_runbooks::Runbook::parse(file, text).map_err(|report| vec![report.into()])?;
    if parsed.server() != checker.server() {
        return Ok(None);
    }
    let runbook = parsed
        .check_by(checker, runcord_seal::digest(text.as_bytes()))
        .map_err(|reports| reports.into_iter().map(Report::from).collect::<Vec<_>>())?;
    Ok(Some(Entry { runbook, file: file.to_owned() }))
}
