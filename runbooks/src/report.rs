//! What is wrong with a runbook file: where, the line itself, and how to mend it.

use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};

/// One fault of a runbook file. `Display` is the message alone; [`Report::page`] is the whole for a terminal.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct Report {
    message: String,
    #[source_code]
    text: Arc<NamedSource<String>>,
    #[label("here")]
    span: SourceSpan,
    #[help]
    hint: Option<String>,
}

impl Report {
    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to mend it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        self.text.name()
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        self.before().rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1
    }

    /// The line itself.
    pub fn source_line(&self) -> &str {
        self.text.inner().lines().nth(self.line() - 1).unwrap_or("")
    }

    /// Message, place, line and hint, without colour: what a person reads in a terminal.
    pub fn page(&self) -> String {
        let (number, column, line) = (self.line().to_string(), self.column(), self.source_line());
        let gutter = " ".repeat(number.len());
        let room = line.chars().count().saturating_sub(column - 1).max(1);
        let marks = "^".repeat(self.span_chars().clamp(1, room));
        let mut page = format!("error: {}\n{gutter}--> {}:{number}:{column}\n", self.message, self.file());
        page.push_str(&format!(
            "{gutter} |\n{number} | {line}\n{gutter} | {}{marks}\n",
            " ".repeat(column - 1)
        ));
        if let Some(hint) = &self.hint {
            page.push_str(&format!("{gutter} = hint: {hint}\n"));
        }
        page
    }

    fn before(&self) -> &str {
        self.text.inner().get(..self.span.offset()).unwrap_or("")
    }

    fn span_chars(&self) -> usize {
        let end = self.span.offset().saturating_add(self.span.len());
        self.text.inner().get(self.span.offset()..end).map_or(1, |text| text.chars().count())
    }
}

/// A stretch of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) len: usize,
}

impl Span {
    pub(crate) fn of(location: serde_saphyr::Location) -> Self {
        let span = location.span();
        let number = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        Self { start: number(span.byte_offset()), len: number(span.byte_len()) }
    }
}

/// A file's name and text, for reports.
#[derive(Debug, Clone)]
pub(crate) struct Source(Arc<NamedSource<String>>);

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Self(Arc::new(NamedSource::new(name, text.to_owned())))
    }

    pub(crate) fn text(&self) -> &str {
        self.0.inner()
    }

    pub(crate) fn report(&self, at: Span, message: impl fmt::Display, hint: Option<String>) -> Report {
        let start = at.start.min(self.text().len());
        Report {
            message: message.to_string(),
            text: Arc::clone(&self.0),
            span: SourceSpan::from((start, at.len.min(self.text().len() - start))),
            hint,
        }
    }

    /// The place of `len` bytes at `offset` in the scalar `value` that was written at `at`. A scalar that is
    /// folded or escaped does not stand in the file as it reads: then the whole of it is the place.
    pub(crate) fn within(&self, at: Span, value: &str, offset: usize, len: usize) -> Span {
        let written = self.text().get(at.start..at.start.saturating_add(at.len)).unwrap_or("");
        match written.find(value) {
            Some(found) if !value.is_empty() => Span { start: at.start + found + offset, len },
            Some(_) | None => at,
        }
    }
}

/// `did you mean …` for the nearest of the known names, where one is near.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|near| format!("did you mean `{near}`?"))
}

/// `did you mean …`, or else all the names there are.
pub(crate) fn nearest_or_all(name: &str, known: &[&str]) -> Option<String> {
    did_you_mean(name, known.iter().copied()).or_else(|| match known {
        [] => None,
        names => Some(format!("known: {}", names.join(", "))),
    })
}

fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_place_line_and_hint() {
        let source = Source::new("a.yaml", "kind: Runbook\nspek: {}\n");
        let report =
            source.report(Span { start: 14, len: 4 }, "unknown key `spek`", did_you_mean("spek", ["spec"]));
        assert_eq!((report.line(), report.column()), (2, 1));
        assert_eq!(
            report.page(),
            "error: unknown key `spek`\n --> a.yaml:2:1\n  |\n2 | spek: {}\n  | ^^^^\n  = hint: did you mean `spec`?\n"
        );
    }

    #[test]
    fn only_a_near_name_is_offered() {
        assert_eq!(did_you_mean("nodez", ["nodes", "node"]), Some("did you mean `nodes`?".into()));
        assert_eq!(did_you_mean("banana", ["nodes", "node"]), None);
        assert_eq!(nearest_or_all("banana", &["nodes", "node"]), Some("known: nodes, node".into()));
    }
}
