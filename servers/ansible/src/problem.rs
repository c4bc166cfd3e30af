//! What is wrong with `playbooks.yaml`, and where: in the form in which the other policy files say it.

use std::fmt;

use miette::{Diagnostic, NamedSource, SourceSpan};

/// One thing that is wrong with the file. As a miette report it shows file, line, column, the line itself and a hint.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// How to mend it, where that is known.
    pub hint: Option<String>,
    whole: Box<NamedSource<String>>,
    span: SourceSpan,
}

impl Problem {
    /// A problem at a byte offset of a file.
    pub(crate) fn at(file: &str, text: &str, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = place(text, offset);
        Self {
            file: file.to_owned(),
            line,
            column,
            message: message.into(),
            hint: None,
            whole: Box::new(NamedSource::new(file, text.to_owned())),
            span: SourceSpan::from(offset.min(text.len())),
        }
    }

    /// What the YAML reader says about a file.
    pub(crate) fn from_yaml(file: &str, text: &str, said: &serde_saphyr::Error) -> Self {
        let said = said.without_snippet();
        let offset = said.location().and_then(|at| at.span().byte_offset()).unwrap_or(0);
        let told = said.to_string();
        let message = told.lines().next().unwrap_or("cannot be read").to_owned();
        Self::at(file, text, usize::try_from(offset).unwrap_or(0), message)
    }

    /// The same with a hint.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&*self.whole)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(miette::LabeledSpan::new_with_span(
            Some("here".to_owned()),
            self.span,
        ))))
    }
}

/// Line and column, both from 1, of a byte offset.
fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}
