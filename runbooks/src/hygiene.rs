//! Characters that a reader cannot see, or that make him see something else.

/// Whether text may hold `c` where people read it: no control character (line breaks and tabs included), nothing
/// invisible, nothing that turns the direction of reading (Unicode TR 36; CVE-2021-42574).
pub fn is_plain(c: char) -> bool {
    !c.is_control() && !is_deceptive(c)
}

/// Whether `c` is invisible or turns the direction of reading.
pub(crate) fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_deceives_is_not_plain() {
        for c in
            ['\0', '\n', '\t', '\u{1b}', '\u{7f}', '\u{85}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{e0041}']
        {
            assert!(!is_plain(c), "{c:?}");
        }
        assert!("résumé 名前 #1 ($x)".chars().all(is_plain));
    }
}
