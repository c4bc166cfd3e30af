//! Published prompt injections, as text from a cluster would carry them; their sources are named in the file.

/// The corpus: a line each, escapes of the file resolved (a line may hold line breaks after that).
pub fn injections() -> Vec<String> {
    include_str!("../corpus/injections.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
        .map(unescaped)
        .collect()
}

/// `\u{…}` and `\n` become their characters; every other backslash stays.
fn unescaped(line: &str) -> String {
    let (mut text, mut rest) = (String::new(), line);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        text.push_str(before);
        let (read, left) = escaped(escape).unwrap_or(('\\', escape.get(1..).unwrap_or_default()));
        text.push(read);
        rest = left;
    }
    text + rest
}

fn escaped(text: &str) -> Option<(char, &str)> {
    if let Some(left) = text.strip_prefix("\\n") {
        return Some(('\n', left));
    }
    let (digits, left) = text.strip_prefix("\\u{")?.split_once('}')?;
    Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved_and_other_backslashes_stay() {
        assert_eq!(unescaped(r"a\u{202e}b\nc\ d\u{zz}"), "a\u{202e}b\nc\\ d\\u{zz}");
        assert!(injections().len() > 30);
    }
}
