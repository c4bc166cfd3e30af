//! Values that are secret because of the name they are given to: `password=`, `"token":`, `--api-key `,
//! `name: DB_PASSWORD` beside `value:`; in plain text, JSON (also inside JSON), YAML, XML and query strings.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// Words that make a name a secret's. Any ending may follow, but for those in [`HARMLESS`].
const WORDS: &str = r"(?:password|passwd|passphrase|passcode|pwd|secret|token|credential|api[_\-. ]?key|access[_\-.]?key|account[_\-.]?key|private[_\-.]?key|client[_\-.]?key|signing[_\-.]?key|encryption[_\-.]?key|master[_\-.]?key|dockerconfigjson|dockercfg|session[_\-]?id|signature)";

/// Short words that count only as the whole end of a name.
const SHORT: &str = r#"(?:pass|_auth|["']auth|[?&;]sig)"#;

/// Names with these endings hold where a secret is, not what it is.
const HARMLESS: [&str; 4] = ["name", "ref", "file", "path"];

/// How far an unquoted value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// To the next space, quote, `&` or `<`.
    Word,
    /// To the end of the line.
    Line,
    /// To the end of the line or the next quote.
    Header,
}

/// Each pattern ends where a value begins; its group `k` is the name.
static PATTERNS: LazyLock<Option<Vec<(Regex, Extent)>>> = LazyLock::new(|| {
    let key = format!(r"(?P<k>(?i-u:{WORDS}[a-z0-9_.\-]*|{SHORT}))");
    let quote = r#"\\*["']?"#;
    let is = r"(?:[ \t]*(?:=>|:=|==|[:=])[ \t]*|(?i-u:%3[ad])|>)";
    let space = r"[ \t\r\n]*";
    [
        (format!("{key}{quote}{is}"), Extent::Word),
        (format!(r#"(?m)^[ \t]*(?:- +)?["']?[A-Za-z0-9_.\-]*{key}["']?[ \t]*:[ \t]+"#), Extent::Line),
        (format!(r"--[A-Za-z0-9_\-]*{key}[ \t]+"), Extent::Word),
        (format!(r"{key}{quote}{space},?{space}{quote}(?i-u:value){quote}{is}"), Extent::Word),
        (format!(r"(?P<k>(?i-u:authorization|cookie)){quote}{is}"), Extent::Header),
    ]
    .into_iter()
    .map(|(pattern, extent)| Regex::new(&pattern).ok().map(|regex| (regex, extent)))
    .collect()
});

/// The secret values in `text`, in no order; nothing when the patterns are broken.
pub(super) fn values(text: &str) -> Option<Vec<Range<usize>>> {
    let mut found = Vec::new();
    for (pattern, extent) in PATTERNS.as_ref()? {
        let mut bare_end = 0;
        for captures in pattern.captures_iter(text) {
            let (Some(all), Some(key)) = (captures.get(0), captures.name("k")) else { continue };
            let name = key.as_str().to_ascii_lowercase();
            if HARMLESS.iter().any(|ending| name.ends_with(ending)) {
                continue;
            }
            found.push(value(text, all.end(), *extent, &mut bare_end));
        }
    }
    found.retain(|part| !matches!(text.get(part.clone()), Some("true" | "false" | "null")));
    Some(found)
}

/// The value that begins at `start`. `bare_end` is where the last unquoted one ended: a second one inside it
/// ends there too, and is not read again, which keeps the whole linear.
fn value(text: &str, start: usize, extent: Extent, bare_end: &mut usize) -> Range<usize> {
    let rest = text.get(start..).unwrap_or_default();
    let backslashes = rest.bytes().take_while(|b| *b == b'\\').count();
    if let Some(quote @ (b'"' | b'\'')) = rest.as_bytes().get(backslashes) {
        let inside = start + backslashes + 1;
        return inside..inside + quoted(text.get(inside..).unwrap_or_default(), *quote, backslashes);
    }
    if start < *bare_end {
        return start..*bare_end;
    }
    let length = block(text, start).unwrap_or_else(|| bare(rest, extent));
    *bare_end = start + length;
    start..*bare_end
}

/// The length up to the closing quote, in a string whose quotes carry `level` backslashes (0 in JSON, 1 in
/// JSON inside JSON), or to the end of the line.
fn quoted(text: &str, quote: u8, level: usize) -> usize {
    let mut backslashes = 0;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\n' => return at,
            b'\\' => backslashes += 1,
            // YAML doubles a single quote.
            b'\'' if quote == byte && at > 0 && bytes.next_if(|(_, next)| *next == byte).is_some() => {
                backslashes = 0
            }
            _ if byte == quote && (backslashes / (level + 1)).is_multiple_of(2) => return at,
            _ => backslashes = 0,
        }
    }
    text.len()
}

/// The length of a YAML block (`|` or `>` and the lines below that are indented more than the key), if the
/// value is one.
fn block(text: &str, start: usize) -> Option<usize> {
    let header = text.get(start..)?.strip_prefix(['|', '>'])?;
    let below =
        header.trim_start_matches(|c: char| c.is_ascii_digit() || "+- \t".contains(c)).strip_prefix('\n')?;
    let line = text.get(..start)?.rsplit('\n').next()?;
    let indent = line.bytes().take_while(|b| *b == b' ').count();
    let deeper =
        |line: &&str| line.trim().is_empty() || line.bytes().take_while(|b| *b == b' ').count() > indent;
    let length: usize = below.split_inclusive('\n').take_while(deeper).map(str::len).sum();
    Some(text.len() - start - below.len() + length)
}

fn bare(rest: &str, extent: Extent) -> usize {
    let ends = |c: char| match extent {
        Extent::Word => matches!(c, ' ' | '\t' | '\n' | '&' | '"' | '\'' | '<'),
        Extent::Line => c == '\n',
        Extent::Header => matches!(c, '\n' | '"' | '\''),
    };
    rest.find(ends).unwrap_or(rest.len())
}
