//! Whether a signature over an approval statement counts.

use jiff::{SignedDuration, Timestamp};
use runcord_model::approval::APPROVAL_NAMESPACE;
use runcord_model::proof::{KeyKind, VerifiedApproval};
use runcord_model::{Approval, PersonName};
use ssh_key::public::KeyData;
use ssh_key::{PublicKey, SshSig};

use crate::signers::AllowedKey;
use crate::{Approvers, canonical};

/// How far the clock of the machine that signed may be ahead of ours.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// The flag of a security key's signature that says somebody touched it (FIDO2, authenticator data flags).
const USER_PRESENT: u8 = 0x01;

/// A security key's signature ends in one byte of flags and a counter of four (PROTOCOL.u2f).
const FLAGS_FROM_END: usize = 5;

/// Why an approval does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// The signed bytes are not an approval statement in canonical form.
    #[error("what was signed is not an approval statement in canonical form")]
    Statement,
    /// It is dated later than now.
    #[error("the approval is dated in the future")]
    Future,
    /// It has run out, or never began.
    #[error("the approval has expired")]
    Expired,
    /// The signature does not count.
    #[error("the signature over the approval does not count")]
    Signature(#[source] SignatureError),
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It is not an OpenSSH signature.
    #[error("not an OpenSSH signature")]
    Unreadable,
    /// It was made for something else.
    #[error("made for another namespace than {0}")]
    Namespace(&'static str),
    /// The key is not one of the signer's in the approvers file, for this namespace at this time.
    #[error("the key is not listed for {0}, or not for this use at this time")]
    NotAllowed(PersonName),
    /// The signature is not of these bytes by this key.
    #[error("not a signature of these bytes by that key")]
    Wrong,
    /// The security key was not touched.
    #[error("the security key was not touched")]
    NotTouched,
}

impl Approvers {
    /// Checks that `statement` is an approval in canonical JSON, that its approver signed these very bytes with
    /// a key that is theirs, valid then and `now`, and that it counts `now`.
    pub fn verify(
        &self,
        statement: &[u8],
        signature_pem: &str,
        now: Timestamp,
    ) -> Result<VerifiedApproval, ApprovalError> {
        let approval: Approval = serde_json::from_slice(statement).map_err(|_| ApprovalError::Statement)?;
        if canonical(&approval).map_err(|_| ApprovalError::Statement)? != statement {
            return Err(ApprovalError::Statement);
        }
        if approval.at.duration_since(now) > SKEW {
            return Err(ApprovalError::Future);
        }
        if now >= approval.expires || approval.at >= approval.expires {
            return Err(ApprovalError::Expired);
        }
        let times = [approval.at, now];
        let key = self
            .signed(APPROVAL_NAMESPACE, &approval.approver, statement, signature_pem, &times)
            .map_err(ApprovalError::Signature)?;
        Ok(VerifiedApproval::attested(approval, key))
    }

    /// Checks that `signer` signed these very bytes in `namespace` with a key that is theirs at each of `times`;
    /// for statements other than approvals, such as those of an authority.
    pub fn signed(
        &self,
        namespace: &'static str,
        signer: &PersonName,
        statement: &[u8],
        signature_pem: &str,
        times: &[Timestamp],
    ) -> Result<KeyKind, SignatureError> {
        let signature = SshSig::from_pem(signature_pem).map_err(|_| SignatureError::Unreadable)?;
        if signature.namespace() != namespace {
            return Err(SignatureError::Namespace(namespace));
        }
        let key = self
            .key_of(signer, signature.public_key(), |key| {
                key.signs_in(namespace) && times.iter().all(|at| key.valid_at(*at))
            })
            .ok_or_else(|| SignatureError::NotAllowed(signer.clone()))?;
        key.verify(namespace, statement, &signature).map_err(|_| SignatureError::Wrong)?;
        kind_of(&signature)
    }

    fn key_of(
        &self,
        signer: &PersonName,
        key: &KeyData,
        usable: impl Fn(&AllowedKey) -> bool,
    ) -> Option<&PublicKey> {
        let listed = |allowed: &&AllowedKey| {
            allowed.person == *signer && allowed.key.key_data() == key && usable(allowed)
        };
        self.keys.iter().find(listed).map(|allowed| &allowed.key)
    }
}

/// Only for a signature that was verified: the flags are under it.
fn kind_of(signature: &SshSig) -> Result<KeyKind, SignatureError> {
    let key = signature.public_key();
    if !key.is_sk_ed25519() && !key.is_sk_ecdsa_p256() {
        return Ok(KeyKind::Ordinary);
    }
    let bytes = signature.signature_bytes();
    let flags = bytes.len().checked_sub(FLAGS_FROM_END).and_then(|at| bytes.get(at));
    if flags.is_some_and(|flags| flags & USER_PRESENT != 0) {
        Ok(KeyKind::SecurityKeyTouched)
    } else {
        Err(SignatureError::NotTouched)
    }
}
