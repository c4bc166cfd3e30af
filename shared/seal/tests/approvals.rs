//! Signatures that count and signatures that do not, with keys made here and one made by `ssh-keygen`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use jiff::Timestamp;
use runcord_model::approval::{APPROVAL_NAMESPACE, Verdict};
use runcord_model::proof::KeyKind;
use runcord_model::{Approval, Digest, PlanId};
use runcord_seal::{ApprovalError, Approvers, SignatureError, canonical};
use sha2::{Digest as _, Sha256};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::public::{KeyData, SkEd25519};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, Signature, SshSig};

fn key(seed: u8) -> PrivateKey {
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "").unwrap()
}

fn line(person: &str, key: &PrivateKey) -> String {
    format!("{person} {}\n", key.public_key().to_openssh().unwrap())
}

fn sign_in(namespace: &str, key: &PrivateKey, hash: HashAlg, bytes: &[u8]) -> String {
    key.sign(namespace, hash, bytes).unwrap().to_pem(LineEnding::LF).unwrap()
}

fn sign(key: &PrivateKey, bytes: &[u8]) -> String {
    sign_in(APPROVAL_NAMESPACE, key, HashAlg::Sha512, bytes)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn approval() -> Approval {
    Approval {
        plan_id: PlanId::from_entropy([1; 16]),
        plan_digest: Digest::from_bytes([2; 32]),
        verdict: Verdict::Approve,
        approver: "ana".parse().unwrap(),
        shown: Digest::from_bytes([3; 32]),
        at: at(1000),
        expires: at(2000),
    }
}

fn statement() -> Vec<u8> {
    canonical(&approval()).unwrap()
}

fn approvers() -> Approvers {
    Approvers::parse(&(line("ana", &key(1)) + &line("bob", &key(2)))).unwrap()
}

fn refused(approvers: &Approvers, statement: &[u8], pem: &str, now: i64) -> ApprovalError {
    approvers.verify(statement, pem, at(now)).unwrap_err()
}

#[test]
fn what_the_approver_signed_counts_with_either_hash() {
    for hash in [HashAlg::Sha256, HashAlg::Sha512] {
        let pem = sign_in(APPROVAL_NAMESPACE, &key(1), hash, &statement());
        let verified = approvers().verify(&statement(), &pem, at(1100)).unwrap();
        assert_eq!(verified.approval(), &approval());
        assert_eq!(verified.key(), KeyKind::Ordinary);
    }
}

#[test]
fn somebody_elses_key_does_not_count() {
    let not_allowed = ApprovalError::Signature(SignatureError::NotAllowed("ana".parse().unwrap()));
    for seed in [2, 9] {
        let pem = sign(&key(seed), &statement());
        assert_eq!(refused(&approvers(), &statement(), &pem, 1100), not_allowed);
    }
}

#[test]
fn another_namespace_does_not_count() {
    let pem = sign_in("git", &key(1), HashAlg::Sha512, &statement());
    let expected = ApprovalError::Signature(SignatureError::Namespace(APPROVAL_NAMESPACE));
    assert_eq!(refused(&approvers(), &statement(), &pem, 1100), expected);
}

#[test]
fn a_key_listed_for_something_else_does_not_count() {
    let public = key(1).public_key().to_openssh().unwrap();
    for options in ["namespaces=git", "valid-after=20260101Z", "valid-before=19700101001700Z"] {
        // The last one was valid when the statement was signed (second 1000), and is not at second 1100.
        let approvers = Approvers::parse(&format!("ana {options} {public}")).unwrap();
        let error = refused(&approvers, &statement(), &sign(&key(1), &statement()), 1100);
        let not_allowed = ApprovalError::Signature(SignatureError::NotAllowed("ana".parse().unwrap()));
        assert_eq!(error, not_allowed, "{options}");
    }
}

#[test]
fn a_changed_statement_does_not_count() {
    let pem = sign(&key(1), &statement());
    let changed = canonical(&Approval { plan_digest: Digest::from_bytes([9; 32]), ..approval() }).unwrap();
    assert_eq!(refused(&approvers(), &changed, &pem, 1100), ApprovalError::Signature(SignatureError::Wrong));
}

#[test]
fn only_the_canonical_form_counts() {
    let pretty = serde_json::to_vec_pretty(&approval()).unwrap();
    let mut extra = serde_json::to_value(approval()).unwrap();
    extra["note"] = "and more".into();
    for bytes in [pretty, canonical(&extra).unwrap(), b"{}".to_vec()] {
        let pem = sign(&key(1), &bytes);
        assert_eq!(refused(&approvers(), &bytes, &pem, 1100), ApprovalError::Statement);
    }
}

#[test]
fn an_approval_counts_from_its_date_to_its_expiry() {
    let pem = sign(&key(1), &statement());
    let verify = |now| approvers().verify(&statement(), &pem, at(now));
    assert_eq!(verify(939).unwrap_err(), ApprovalError::Future);
    assert!(verify(940).is_ok(), "a minute of skew");
    assert!(verify(1999).is_ok());
    assert_eq!(verify(2000).unwrap_err(), ApprovalError::Expired);
}

#[test]
fn what_is_no_signature_is_refused() {
    for pem in ["", "yes", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"] {
        let expected = ApprovalError::Signature(SignatureError::Unreadable);
        assert_eq!(refused(&approvers(), &statement(), pem, 1100), expected);
    }
}

/// A signature as a security key makes it (PROTOCOL.u2f), with these flags.
fn touch(seed: u8, flags: u8, bytes: &[u8]) -> (String, String) {
    let pair = Ed25519Keypair::from_seed(&[seed; 32]);
    let public = KeyData::SkEd25519(SkEd25519::new(pair.public, "ssh:"));
    let message = SshSig::signed_data(APPROVAL_NAMESPACE, HashAlg::Sha512, bytes).unwrap();
    let trailer = [flags, 0, 0, 0, 7];
    let mut signed = Sha256::digest(b"ssh:").to_vec();
    signed.extend(trailer);
    signed.extend(Sha256::digest(&message));
    let inner = signature_of(&key(seed), &signed);
    let mut data = inner.as_bytes().to_vec();
    data.extend(trailer);
    let signature = Signature::new(Algorithm::SkEd25519, data).unwrap();
    let sig = SshSig::new(public.clone(), APPROVAL_NAMESPACE, HashAlg::Sha512, signature).unwrap();
    let public = PublicKey::new(public, "").to_openssh().unwrap();
    (sig.to_pem(LineEnding::LF).unwrap(), format!("ana {public}\n"))
}

fn signature_of(key: &impl ssh_key::SigningKey, message: &[u8]) -> Signature {
    key.try_sign(message).unwrap()
}

#[test]
fn a_security_key_counts_only_when_it_was_touched() {
    let (pem, approvers) = touch(1, 0x01, &statement());
    let approvers = Approvers::parse(&approvers).unwrap();
    let verified = approvers.verify(&statement(), &pem, at(1100)).unwrap();
    assert_eq!(verified.key(), KeyKind::SecurityKeyTouched);

    let (untouched, _) = touch(1, 0x04, &statement());
    let expected = ApprovalError::Signature(SignatureError::NotTouched);
    assert_eq!(refused(&approvers, &statement(), &untouched, 1100), expected);
}

#[test]
fn the_flags_are_under_the_signature() {
    let (pem, approvers) = touch(1, 0x04, &statement());
    let honest = SshSig::from_pem(&pem).unwrap();
    let mut data = honest.signature_bytes().to_vec();
    let flags = data.len() - 5;
    data[flags] = 0x01;
    let forged = Signature::new(Algorithm::SkEd25519, data).unwrap();
    let forged =
        SshSig::new(honest.public_key().clone(), APPROVAL_NAMESPACE, HashAlg::Sha512, forged).unwrap();
    let approvers = Approvers::parse(&approvers).unwrap();
    let error = refused(&approvers, &statement(), &forged.to_pem(LineEnding::LF).unwrap(), 1100);
    assert_eq!(error, ApprovalError::Signature(SignatureError::Wrong));
}

#[test]
fn a_signature_made_by_ssh_keygen_is_read() {
    // ssh-keygen -Y sign -n runcord-approval, OpenSSH 9.2, over the two bytes `{}`.
    let pem = "-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg35havYTSKFVRWz1sBN/8hjtT2I
9pYNL/IjOXf3x9C6MAAAAQcnVuY29yZC1hcHByb3ZhbAAAAAAAAAAGc2hhNTEyAAAAUwAA
AAtzc2gtZWQyNTUxOQAAAEA3yT0lLWhcHZzCZNj0WuAo5A+3oeWR9fZ6rumxKOmr/kClme
VkBBMciPUFZAxzMiHNwmwBgcAkIRA1xVk3GwEJ
-----END SSH SIGNATURE-----
";
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN+YWr2E0ihVUVs9bATf/IY7U9iPaWDS/yIzl398fQuj";
    let approvers = Approvers::parse(&format!("ana {key}")).unwrap();
    let signed =
        |bytes: &[u8]| approvers.signed(APPROVAL_NAMESPACE, &"ana".parse().unwrap(), bytes, pem, &[at(1100)]);
    assert_eq!(signed(b"{}").unwrap(), KeyKind::Ordinary);
    assert_eq!(signed(b"{} ").unwrap_err(), SignatureError::Wrong);
}
