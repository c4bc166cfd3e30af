//! Jinja taken apart as its own lexer does it: the expressions and statements of a text, as tokens.
//!
//! What stands in a comment or in a raw block is no code, and where one begins and ends is told exactly as Jinja tells it:
//! otherwise code could hide in what is taken for a comment. What cannot be taken apart is an error, never passed over.
//! <https://github.com/pallets/jinja/blob/3.1.6/src/jinja2/lexer.py>

/// Something that is not Jinja, or that this lexer does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotJinja {
    /// The byte at which it begins.
    pub(crate) at: usize,
}

/// A word of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'t> {
    Name(&'t str),
    /// A text in quotes, as it is written between them.
    Text(&'t str),
    Number,
    /// An operator, letter by letter, but for those of two letters.
    Sign(&'t str),
}

/// What stands between the delimiters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code<'t> {
    /// The byte at which it begins.
    pub(crate) at: usize,
    pub(crate) form: Form,
    pub(crate) tokens: Vec<Token<'t>>,
}

/// Whether a value comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `{{ … }}`, or a bare expression.
    Expression,
    /// `{% … %}`.
    Statement,
}

/// Whether there is any Jinja in a text.
pub(crate) fn is_in(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|begin| text.contains(begin))
}

/// The code of a text.
pub(crate) fn codes(text: &str) -> Result<Vec<Code<'_>>, NotJinja> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(begin) = next_delimiter(text, at) {
        let inside = begin + 2;
        let rest = text.get(begin..).unwrap_or_default();
        if rest.starts_with("{#") {
            let end = text.get(inside..).and_then(|rest| rest.find("#}")).ok_or(NotJinja { at: begin })?;
            at = inside + end + 2;
        } else if let Some(body) = after_word(rest, "raw") {
            at = end_of_raw(text, begin + body).ok_or(NotJinja { at: begin })?;
        } else {
            let (form, end, trims): (_, _, &[char]) = match rest.starts_with("{{") {
                true => (Form::Expression, "}}", &['-']),
                false => (Form::Statement, "%}", &['-', '+']),
            };
            let trimmed = text.get(inside..).is_some_and(|rest| rest.starts_with(trims));
            let (tokens, behind) = tokens(text, inside + usize::from(trimmed), Some(end))?;
            found.push(Code { at: begin, form, tokens });
            at = behind;
        }
    }
    Ok(found)
}

/// A bare expression, such as that of `when`.
pub(crate) fn expression(text: &str) -> Result<Code<'_>, NotJinja> {
    let (tokens, _) = tokens(text, 0, None)?;
    Ok(Code { at: 0, form: Form::Expression, tokens })
}

fn next_delimiter(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    ["{{", "{%", "{#"].iter().filter_map(|begin| rest.find(begin)).min().map(|at| from + at)
}

/// Where a block that holds only `word` ends, if the text begins with it: `{%- raw -%}`.
fn after_word(text: &str, word: &str) -> Option<usize> {
    let rest = text.strip_prefix("{%")?;
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest).trim_start();
    let rest = rest.strip_prefix(word)?.trim_start();
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest).strip_prefix("%}")?;
    Some(text.len() - rest.len())
}

fn end_of_raw(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.match_indices("{%")
        .find_map(|(at, _)| after_word(rest.get(at..)?, "endraw").map(|length| from + at + length))
}

/// The tokens from a byte on to the end of the code, and where that is. Within brackets the end is none: `{{ {}}}`.
fn tokens<'t>(text: &'t str, from: usize, end: Option<&str>) -> Result<(Vec<Token<'t>>, usize), NotJinja> {
    let mut found = Vec::new();
    let mut open: Vec<char> = Vec::new();
    let mut at = from;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(letter) = rest.chars().next() else {
            return match end {
                None if open.is_empty() => Ok((found, at)),
                None | Some(_) => Err(NotJinja { at: from }),
            };
        };
        if let Some(length) = end.filter(|_| open.is_empty()).and_then(|end| end_here(rest, end)) {
            return Ok((found, at + length));
        }
        let (token, length) = token(rest, letter).ok_or(NotJinja { at })?;
        balance(&mut open, letter, token).ok_or(NotJinja { at })?;
        found.extend(token);
        at += length;
    }
}

/// How long the end is, if the text begins with it: `}}` or `-}}`.
fn end_here(text: &str, end: &str) -> Option<usize> {
    let trimmed = text.strip_prefix(['-', '+']).filter(|rest| rest.starts_with(end)).unwrap_or(text);
    trimmed.starts_with(end).then_some(text.len() - trimmed.len() + end.len())
}

fn balance(open: &mut Vec<char>, letter: char, token: Option<Token<'_>>) -> Option<()> {
    if !matches!(token, Some(Token::Sign(_))) {
        return Some(());
    }
    match letter {
        '(' => open.push(')'),
        '[' => open.push(']'),
        '{' => open.push('}'),
        ')' | ']' | '}' => return (open.pop()? == letter).then_some(()),
        _ => {}
    }
    Some(())
}

/// The first token of a text, none for white space, and how long it is.
fn token(text: &str, letter: char) -> Option<(Option<Token<'_>>, usize)> {
    if letter.is_whitespace() {
        return Some((None, letter.len_utf8()));
    }
    if letter == '\'' || letter == '"' {
        let (inner, length) = quoted(text, letter)?;
        return Some((Some(Token::Text(inner)), length));
    }
    if letter.is_alphabetic() || letter == '_' {
        let length = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        return Some((Some(Token::Name(text.get(..length)?)), length));
    }
    if letter.is_ascii_digit() {
        return Some((Some(Token::Number), number(text)));
    }
    let is_pair = ["//", "**", "==", "!=", ">=", "<="].iter().any(|pair| text.starts_with(pair));
    let length = match is_pair {
        true => 2,
        false if "+-/*%~[](){}><=.:|,".contains(letter) => 1,
        false => return None,
    };
    Some((Some(Token::Sign(text.get(..length)?)), length))
}

/// A number: digits, and a dot only before another digit, so that `1.real` is an attribute.
fn number(text: &str) -> usize {
    let digits =
        |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let whole = digits(text);
    match text.get(whole..).and_then(|rest| rest.strip_prefix('.')) {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => whole + 1 + digits(rest),
        Some(_) | None => whole,
    }
}

/// A text in quotes: what is between them, and how long it is with them.
fn quoted(text: &str, quote: char) -> Option<(&str, usize)> {
    let inner = text.get(1..)?;
    let mut letters = inner.char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' {
            letters.next()?;
        } else if letter == quote {
            return Some((inner.get(..at)?, at + 2));
        }
    }
    None
}
