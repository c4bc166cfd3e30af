//! Digests of what may be secret or could be guessed: HMACs, under a key that is passed in.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use serde_json::{Map, Value};
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
        self.of_bytes(ordered(value).to_string().as_bytes())
    }

    fn of_bytes(&self, bytes: &[u8]) -> String {
        // HMAC pads a short key with zeros to its block size; done here, there is no length that could be wrong.
        let mut block = [0; 64];
        block.iter_mut().zip(&self.key).for_each(|(to, from)| *to = *from);
        let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into());
        mac.update(bytes);
        let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
        format!("hmac-sha256:{hex}")
    }
}

/// Keys in order. Not the canonical JSON of [`crate::canonical`], which has none for the largest whole numbers: those of
/// somebody else's objects are compared here, and never read back.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<_, _> =
                fields.iter().map(|(key, below)| (key.clone(), ordered(below))).collect();
            Value::Object(sorted.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(ordered).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
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
    fn a_mask_does_not_show_its_key() {
        assert_eq!(format!("{:?}", Mask::new([42; 32])), "Mask { .. }");
    }
}
