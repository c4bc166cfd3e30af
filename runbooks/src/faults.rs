//! Collects reports, so that a person sees all faults of a file at once.

use std::fmt;

use crate::report::{Report, Source, Span};

/// The faults found so far.
#[derive(Debug)]
pub(crate) struct Faults<'s> {
    pub(crate) source: &'s Source,
    reports: Vec<Report>,
}

impl<'s> Faults<'s> {
    pub(crate) fn new(source: &'s Source) -> Self {
        Self { source, reports: Vec::new() }
    }

    pub(crate) fn add(&mut self, at: Span, message: impl fmt::Display, hint: Option<String>) {
        self.reports.push(self.source.report(at, message, hint));
    }

    pub(crate) fn count(&self) -> usize {
        self.reports.len()
    }

    /// `value` if there is no fault, else the faults in the order of the file.
    pub(crate) fn or<T>(mut self, value: Option<T>) -> Result<T, Vec<Report>> {
        self.reports.sort_by_key(|report| (report.line(), report.column()));
        match value {
            Some(value) if self.reports.is_empty() => Ok(value),
            Some(_) | None => Err(self.reports),
        }
    }
}
