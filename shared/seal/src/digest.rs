//! Digests: SHA-256 of bytes, of canonical JSON and of sets of files. For what could be guessed see [`crate::Mask`].

use runcord_model::Digest;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{NotCanonical, canonical};

/// The digest of these bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// The digest of the value's canonical JSON.
pub fn digest_of(value: &impl Serialize) -> Result<Digest, NotCanonical> {
    Ok(digest(&canonical(value)?))
}

/// The digest of a set of named files. The order given does not matter; every name and content is preceded
/// by its length, so that nothing can move from one to the other.
pub fn digest_tree(files: &[(&str, &[u8])]) -> Digest {
    let mut sorted = files.to_vec();
    sorted.sort_unstable();
    let mut hash = Sha256::new();
    hash.update(b"runcord tree 1\n");
    hash.update((sorted.len() as u64).to_be_bytes());
    for part in sorted.iter().flat_map(|(name, content)| [name.as_bytes(), content]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Digest::from_bytes(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_well_known_one() {
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(b"").as_str(), known);
    }

    #[test]
    fn a_tree_knows_where_names_end_and_contents_begin() {
        let one = digest_tree(&[("a", b"bc")]);
        assert_ne!(one, digest_tree(&[("ab", b"c")]));
        assert_ne!(one, digest_tree(&[("a", b"bc"), ("", b"")]));
        assert_eq!(digest_tree(&[("a", b"1"), ("b", b"2")]), digest_tree(&[("b", b"2"), ("a", b"1")]));
    }
}
