//! What people and programs read: a page, with colour on a terminal, or one JSON value.

use std::io::Write;

use jiff::Timestamp;
use miette::{GraphicalReportHandler, GraphicalTheme};
use owo_colors::OwoColorize;
use runcord_model::text::visible;
use serde_json::Value;

use crate::failure::{Exit, Failure};

/// Who reads the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A person.
    Page,
    /// A program.
    Json,
}

/// What a command answers, for both readers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) exit: Exit,
    pub(crate) page: String,
    pub(crate) json: Value,
}

impl Answer {
    /// It was done, or holds.
    pub(crate) fn done(page: impl Into<String>, json: Value) -> Self {
        Self { exit: Exit::Done, page: page.into(), json }
    }

    /// The same answer with another end.
    #[must_use]
    pub(crate) fn ending(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

/// Shows what came of a command. Colour stays on terminals: what is written elsewhere has it removed.
pub(crate) fn show(format: Format, result: Result<Answer, Failure>) -> Exit {
    let exit = result.as_ref().map_or_else(Failure::exit, |answer| answer.exit);
    // A reader that has gone away takes nothing back of what was done: its broken pipe is no failure of ours.
    let _ = match (format, result) {
        (Format::Page, Ok(answer)) => writeln!(anstream::stdout(), "{}", answer.page.trim_end()),
        (Format::Page, Err(failure)) => writeln!(anstream::stderr(), "{}", failure_page(&failure).trim_end()),
        (Format::Json, Ok(answer)) => writeln!(anstream::stdout(), "{:#}", answer.json),
        (Format::Json, Err(failure)) => writeln!(anstream::stdout(), "{:#}", failure.to_json()),
    };
    exit
}

fn failure_page(failure: &Failure) -> String {
    let mut page = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode()).with_width(100);
    match handler.render_report(&mut page, failure) {
        Ok(()) => page,
        Err(_) => failure.to_string(),
    }
}

/// A page of a plan or a run with its titles made to stand out. Whatever could steer a terminal is written out.
pub(crate) fn painted(page: &str) -> String {
    let mut lines = page.lines();
    let first = lines.next().map(|line| visible(line, LINE).bold().to_string());
    let rest = lines.map(|line| {
        let shown = shown_line(line);
        if is_title(line) { shown.bold().to_string() } else { shown }
    });
    first.into_iter().chain(rest).collect::<Vec<_>>().join("\n")
}

/// The longest line of a page, in bytes.
const LINE: usize = 4_000;

fn shown_line(line: &str) -> String {
    if line.is_empty() { String::new() } else { visible(line, LINE) }
}

/// The page as it is shown, without paint: what an approver signs to have seen.
pub(crate) fn plain(page: &str) -> String {
    page.lines().map(shown_line).collect::<Vec<_>>().join("\n")
}

/// A title stands alone: a capital letter first, no indent, no colon or full stop.
fn is_title(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_uppercase()) && line.len() < 24 && !line.contains(['.', ':', ','])
}

/// Rows as columns, each as wide as its widest cell; two blanks between them. Paint takes no room.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(room(cell));
        }
    }
    let padded = |(cell, width): (&String, usize)| format!("{cell}{}", " ".repeat(width - room(cell)));
    let line = |row: &[String; N]| row.iter().zip(widths).map(padded).collect::<Vec<_>>().join("  ");
    rows.iter().map(|row| line(row).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn room(cell: &str) -> usize {
    anstream::adapter::strip_str(cell).to_string().chars().count()
}

/// A time for people: UTC, to the second.
pub(crate) fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Paint for a word that says how something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    Bad,
    Quiet,
}

/// The word in its colour.
pub(crate) fn word(mood: Mood, text: &str) -> String {
    match mood {
        Mood::Good => text.green().to_string(),
        Mood::Bad => text.red().bold().to_string(),
        Mood::Quiet => text.dimmed().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_end_without_blanks() {
        let rows = [["a".to_owned(), "b".to_owned()], ["longer".to_owned(), String::new()]];
        assert_eq!(columns(&rows), "a       b\nlonger");
    }

    #[test]
    fn a_page_cannot_steer_the_terminal() {
        let page = "drain node n7\n\nit claims  all well \u{1b}[2J\u{202e}\n";
        assert!(!plain(page).contains(['\u{1b}', '\u{202e}']), "{}", plain(page));
        assert!(plain(page).contains("all well"));
        assert!(!painted(page).contains("\u{1b}[2J"));
    }

    #[test]
    fn titles_are_told_from_sentences() {
        assert!(is_title("Blast radius"));
        assert!(!is_title("Lost at once: 2 ready pods."));
        assert!(!is_title("  cordon"));
    }
}
