//! What is wrong with a policy file, and where.

use std::fmt;

use miette::{Diagnostic, NamedSource, SourceSpan};

/// One thing that is wrong with one file. As a miette report it shows file, line, column, the line itself and a hint.
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
    pub fn at(file: &Text<'_>, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = place(file.text, offset);
        Self {
            file: file.name.to_owned(),
            line,
            column,
            message: message.into(),
            hint: None,
            whole: Box::new(NamedSource::new(file.name, file.text.to_owned())),
            span: SourceSpan::from(offset.min(file.text.len())),
        }
    }

    /// What Cedar says about a file or, where it gives no position, about what begins at `otherwise`.
    pub(crate) fn from_cedar(file: &Text<'_>, otherwise: usize, said: &dyn Diagnostic) -> Self {
        let label = said.labels().and_then(|mut labels| labels.next());
        let offset = label.as_ref().map_or(otherwise, miette::LabeledSpan::offset);
        let mut problem = Self::at(file, offset, chain(said));
        problem.hint = said.help().map(|help| help.to_string()).or_else(|| label?.label().map(str::to_owned));
        problem
    }

    /// What the YAML reader says about a file.
    pub fn from_yaml(file: &Text<'_>, said: &serde_saphyr::Error) -> Self {
        let said = said.without_snippet();
        let offset = said.location().and_then(|at| at.span().byte_offset()).unwrap_or(0);
        let told = said.to_string();
        let message = told.lines().next().unwrap_or("cannot be read").to_owned();
        Self::at(file, usize::try_from(offset).unwrap_or(0), message)
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The line of the file that it is about.
    pub fn source_line(&self) -> &str {
        let skip = usize::try_from(self.line.saturating_sub(1)).unwrap_or(0);
        self.whole.inner().lines().nth(skip).unwrap_or("")
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

/// A file: its name and what it holds.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it holds.
    pub text: &'a str,
}

impl<'a> Text<'a> {
    pub(crate) fn of(file: &'a (String, String)) -> Self {
        Self { name: &file.0, text: &file.1 }
    }

    /// Where `wanted` stands first as a word of its own; the beginning, when it does not.
    pub(crate) fn find(&self, wanted: &str) -> usize {
        let part_of_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
        let alone = |&(at, _): &(usize, &str)| {
            let before = self.text.get(..at).and_then(|text| text.chars().next_back());
            let after = self.text.get(at + wanted.len()..).and_then(|text| text.chars().next());
            !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
        };
        self.text.match_indices(wanted).find(alone).map_or(0, |(at, _)| at)
    }
}

/// Line and column, both from 1, of a byte offset.
pub(crate) fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

/// The known word that is nearest to `typed`, as a hint.
pub(crate) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(typed, word), word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 4)
        .min()
        .map(|(_, word)| format!("did you mean `{word}`?"))
}

fn chain(said: &dyn Diagnostic) -> String {
    let mut told = said.to_string();
    let mut cause = said.source();
    while let Some(deeper) = cause {
        let more = deeper.to_string();
        if !told.contains(&more) {
            told.push_str(": ");
            told.push_str(&more);
        }
        cause = deeper.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_one_and_in_characters() {
        assert_eq!(place("ab\ncd", 0), (1, 1));
        assert_eq!(place("ab\ncd", 4), (2, 2));
        assert_eq!(place("ä\nüx", 5), (2, 2));
        assert_eq!(place("ab", 99), (1, 3), "past the end is the end");
    }

    #[test]
    fn a_name_is_found_as_a_word() {
        let file = Text { name: "people.yaml", text: "alice-2: {}\nalice: {}" };
        assert_eq!(file.find("alice"), 12);
    }

    #[test]
    fn a_typo_names_its_nearest_word() {
        assert_eq!(nearest("agnets", ["agents", "sre"]).as_deref(), Some("did you mean `agents`?"));
        assert_eq!(nearest("zebra", ["agents", "sre"]), None);
    }
}
