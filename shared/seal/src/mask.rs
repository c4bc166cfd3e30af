//! Digests of what may be secret or could be guessed: HMACs, under a key that is passed in.

use hmac::{Hmac, Mac};
use serde::{Serialize, Serializer};
use serde_json::Value;
use sha2::Sha256;

/// Tells whether a value changed, without a way to guess it for those who do not hold the key. Neither shown nor copied.
pub struct Mask {
    key: [u8; 32],
}

/// Says that it is one, and nothing of the key.
impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mask").finish_non_exhaustive()
    }
}

impl Mask {
    /// A mask under this key.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// `hmac-sha256:` and 64 hexadecimal digits: the same for equal values, whatever the order of their keys.
    pub fn digest(&self, value: &Value) -> String {
        // Writing to memory does not fail; were it to, all of the value would still be under the mask.
        let text = serde_json::to_vec(&Ordered(value)).unwrap_or_else(|_| value.to_string().into_bytes());
        self.of_bytes(&text)
    }

    fn of_bytes(&self, bytes: &[u8]) -> String {
        // HMAC pads a short key with zeros to its block size; done here, there is no length that could be wrong.
        let mut block = [0; 64];
        block.iter_mut().zip(&self.key).for_each(|(to, from)| *to = *from);
        let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into());
        mac.update(bytes);
        let mut digest = "hmac-sha256:".to_owned();
        for byte in mac.finalize().into_bytes() {
            digest.extend(
                [byte >> 4, byte & 0xf].into_iter().filter_map(|half| char::from_digit(half.into(), 16)),
            );
        }
        digest
    }
}

/// A value with its keys in order. Not the canonical JSON of [`crate::canonical`], which has none for the largest whole
/// numbers: those of somebody else's objects are compared here, and never read back.
struct Ordered<'v>(&'v Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => {
                let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
                sorted.sort_unstable_by_key(|(key, _)| *key);
                to.collect_map(sorted.into_iter().map(|(key, below)| (key, Ordered(below))))
            }
            Value::Array(items) => to.collect_seq(items.iter().map(Ordered)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => self.0.serialize(to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_digest_needs_its_key() {
        // The first case of RFC 4231: its key is shorter, padded with zeros by HMAC itself.
        let mut key = [0; 32];
        key[..20].copy_from_slice(&[0x0b; 20]);
        let known = "hmac-sha256:b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(Mask::new(key).of_bytes(b"Hi There"), known);
        assert_ne!(Mask::new([1; 32]).of_bytes(b"Hi There"), known);
    }

    #[test]
    fn equal_values_have_equal_digests_under_one_key_only() {
        let mask = Mask::new([7; 32]);
        let one: Value = serde_json::from_str(r#"{"b": [{"y": 1, "x": null}], "a": "s"}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"a": "s", "b": [{"x": null, "y": 1}]}"#).unwrap();
        assert_eq!(mask.digest(&one), mask.digest(&other));
        assert_ne!(mask.digest(&one), Mask::new([8; 32]).digest(&one));
        assert_ne!(mask.digest(&one), mask.digest(&json!({"a": "s"})));
        assert_ne!(mask.digest(&json!(u64::MAX)), mask.digest(&json!(u64::MAX - 1)));
    }

    #[test]
    fn a_digest_is_of_the_json_with_its_keys_in_order() {
        let mask = Mask::new([7; 32]);
        let value =
            json!({"b": [{"\u{1f600}": 1.5, "\u{fb33}\"": null}, u64::MAX], "a": {"d": true, "c": "é\n"}});
        let text = "{\"a\":{\"c\":\"é\\n\",\"d\":true},\"b\":[{\"\u{fb33}\\\"\":null,\"\u{1f600}\":1.5},18446744073709551615]}";
        assert_eq!(mask.digest(&value), mask.of_bytes(text.as_bytes()), "kept digests stay what they were");
    }

    #[test]
    fn a_mask_does_not_show_its_key() {
        assert_eq!(format!("{:?}", Mask::new([42; 32])), "Mask { .. }");
    }
}
