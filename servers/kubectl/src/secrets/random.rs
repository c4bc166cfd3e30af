//! New values: letters and digits, each as likely as any other, from the operating system's generator.

use k8s_openapi::ByteString;

use crate::numbers::ValueLength;

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// The largest multiple of 62 that a byte can be below: what is above would make some letters likelier.
const FAIR: u8 = 248;

/// The operating system gives no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub(super) struct NoRandomness;

/// A new value.
pub(super) fn value(length: ValueLength) -> Result<ByteString, NoRandomness> {
    let wanted = length.get() as usize;
    let (mut text, mut bytes) = (Vec::with_capacity(wanted), [0; 64]);
    while text.len() < wanted {
        getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
        let fair = bytes.iter().filter(|byte| **byte < FAIR);
        let letters = fair.filter_map(|byte| LETTERS.get(usize::from(byte % 62)).copied());
        text.extend(letters.take(wanted - text.len()));
    }
    Ok(ByteString(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn values_have_their_length_are_plain_and_differ() {
        let mut seen = BTreeSet::new();
        for length in [16, 32, 127, 128] {
            let ByteString(text) = value(ValueLength::try_from(length).unwrap()).unwrap();
            assert_eq!(i64::try_from(text.len()).unwrap(), length);
            assert!(text.iter().all(u8::is_ascii_alphanumeric));
            assert!(seen.insert(text));
        }
    }

    #[test]
    fn every_letter_comes_up_about_as_often_as_any_other() {
        let mut counts = [0_u32; 128];
        for _ in 0..500 {
            for byte in value(ValueLength::try_from(128).unwrap()).unwrap().0 {
                counts[usize::from(byte)] += 1;
            }
        }
        // 64,000 letters, about 1,032 of each: ten standard deviations are 320.
        for letter in LETTERS {
            let count = counts[usize::from(*letter)];
            assert!((700..1400).contains(&count), "{} came up {count} times", char::from(*letter));
        }
        // The remainders of all 256 bytes would favour the first eight: 10,000 instead of 8,258, where ten standard
        // deviations are 850.
        let first: u32 = LETTERS.iter().take(8).map(|letter| counts[usize::from(*letter)]).sum();
        assert!((7400..9100).contains(&first), "the first eight came up {first} times");
    }
}
