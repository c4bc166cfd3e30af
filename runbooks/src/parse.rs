//! Text to [`File`], and what serde says of a fault to what a person can mend.

use serde_saphyr::Error;

use crate::file::File;
use crate::hygiene::is_deceptive;
use crate::report::{Report, Source, Span, nearest_or_all};

/// The most that a runbook file may hold, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Reads the file's shape: keys, kinds of values, nothing of what they mean.
pub(crate) fn parse(source: &Source) -> Result<File, Report> {
    if source.text().len() > MAX_BYTES {
        return Err(source.report(Span::default(), "the file holds more than 64 KiB", None));
    }
    refuse_deceptive(source)?;
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(source.text(), options).map_err(|error| explain(source, &error))
}

/// A file that reads otherwise than it is carried out would void every review.
fn refuse_deceptive(source: &Source) -> Result<(), Report> {
    let bad = |c: char| is_deceptive(c) || (c.is_control() && c != '\n' && c != '\r');
    match source.text().char_indices().find(|(_, c)| bad(*c)) {
        None => Ok(()),
        Some((start, c)) => Err(source.report(
            Span { start, len: c.len_utf8() },
            format!("the file holds an invisible or control character (U+{:04X})", u32::from(c)),
            Some("remove it: a reviewer would not see what is carried out".into()),
        )),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
fn explain(source: &Source, error: &Error) -> Report {
    let error = error.without_snippet();
    let at = error.location().map(Span::of).unwrap_or_default();
    let (message, hint) = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key `{field}`"), nearest_or_all(field, expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("unknown value `{variant}`"), nearest_or_all(variant, expected))
        }
        Error::SerdeMissingField { field, .. } => {
            (format!("missing key `{field}`"), Some("in the mapping that holds this line".into()))
        }
        Error::DuplicateMappingKey { key, .. } => {
            (format!("the key `{}` is given twice", key.as_deref().unwrap_or("?")), None)
        }
        Error::SerdeInvalidType { unexpected, expected, .. } => {
            (format!("expected {expected}, found {unexpected}"), None)
        }
        Error::MergeKeyNotAllowed { .. } => {
            ("merge keys (`<<`) are not allowed".to_owned(), Some("write the keys out".into()))
        }
        // The rest speaks for itself.
        other => (first_line(&other.to_string()), None),
    };
    source.report(at, message, hint)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("unreadable YAML").to_owned()
}
