//! Asking the person at the terminal.

use std::io::{BufRead, IsTerminal, Write};

use crate::failure::Failure;

/// Whether somebody is there to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// Standard input and standard error are a terminal.
    Present,
    /// They are not: nothing can be asked.
    Absent,
}

/// Whether somebody is there to answer.
pub(crate) fn terminal() -> Terminal {
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        Terminal::Present
    } else {
        Terminal::Absent
    }
}

/// Whether the person said so beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// With `--yes`.
    Given,
    /// It has to be asked for.
    ToAsk,
}

impl From<bool> for Consent {
    fn from(yes: bool) -> Self {
        if yes { Self::Given } else { Self::ToAsk }
    }
}

/// Shows a text to the person, beside what the command answers.
pub(crate) fn tell(text: &str) {
    // A closed standard error is no reason to stop: what matters is asked for, and an unanswered question refuses.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Asks a question and returns the answer, trimmed.
///
/// # Errors
/// Nobody is there to answer.
pub(crate) fn ask(question: &str) -> Result<String, Failure> {
    if terminal() == Terminal::Absent {
        return Err(Failure::usage(
            "this needs an answer, and there is no terminal",
            "run it in a terminal, or see its --help for the option that answers",
        ));
    }
    let unread = |error| Failure::surroundings("the answer could not be read", "run it again").because(error);
    let mut out = anstream::stderr();
    write!(out, "{question} ").and_then(|()| out.flush()).map_err(unread)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(unread)?;
    Ok(answer.trim().to_owned())
}

/// Goes on only when the answer is one of `wanted`.
///
/// # Errors
/// Another answer, or nobody to give one; then nothing was done.
pub(crate) fn insist(consent: Consent, question: &str, wanted: &[&str]) -> Result<(), Failure> {
    match consent {
        Consent::Given => Ok(()),
        Consent::ToAsk if wanted.contains(&ask(question)?.as_str()) => Ok(()),
        Consent::ToAsk => Err(Failure::refused(
            "not confirmed; nothing was signed and nothing changed",
            "run it again when you are sure",
        )),
    }
}
