//! Which characters a reader cannot see, or cannot trust to stay where they are.

/// What must be written out: controls, everything that Unicode says may be ignored when drawn (zero-width,
/// bidirectional, tags, variation selectors, fillers), other format characters, line separators, and
/// noncharacters. Newline and tab are for the caller to decide.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_control() || is_format_or_ignorable(c) || u32::from(c) & 0xFFFE == 0xFFFE
}

/// What splits a word for no reader: it is left out before secrets are looked for.
pub(super) fn is_format_or_ignorable(c: char) -> bool {
    // Default_Ignorable_Code_Point and general category Cf of Unicode 17, with their unassigned neighbours;
    // U+2028 and U+2029 (which some viewers take for newlines), and the blank Braille pattern.
    matches!(u32::from(c),
        0x00AD | 0x034F | 0x0600..=0x0605 | 0x061C | 0x06DD | 0x070F | 0x0890..=0x0891 | 0x08E2
        | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x2028..=0x202E
        | 0x2060..=0x206F | 0x2800 | 0x3164 | 0xFDD0..=0xFDEF | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0
        | 0xFFF0..=0xFFFB | 0x110BD | 0x110CD | 0x13430..=0x1345F | 0x1BCA0..=0x1BCAF | 0x1D173..=0x1D17A
        | 0xE0000..=0xE0FFF)
}
