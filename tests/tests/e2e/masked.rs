//! What the ledger keeps of pod templates: digests under the installation's own key, which nobody else can check a guess
//! against.

use anyhow::{Context as _, Result};
use runcord_runtime::mask::{self, Mask};
use runcord_tests::bed::Bed;
use runcord_tests::objects;
use runcord_tests::session::Era;
use serde_json::{Value, json};

use crate::story::{SOON, apply, of_web, verified, web};

/// A value that a template holds literally, as many do though they should not.
const LITERAL: &str = "a-pin-that-is-nobodys-business";

/// Deploys `web` with the literal in its environment, and gives its template as the API server keeps it.
async fn deployed(bed: &Bed, image: &str) -> Result<Value> {
    let mut object = objects::deployment("web", 2);
    let container = &mut object["spec"]["template"]["spec"]["containers"][0];
    container["image"] = json!(image);
    container["env"] = json!([{"name": "PIN", "value": LITERAL}]);
    bed.cluster.apply(bed.name.as_str(), object).await?;
    let mut live = bed.cluster.rolled_out(bed.name.as_str(), "deployments", "web", SOON).await?;
    let mut template = live["spec"]["template"].take();
    // An empty time may be written as null, which counts as nothing.
    if let Some(Value::Object(meta)) = template.get_mut("metadata") {
        meta.retain(|_, value| !value.is_null());
    }
    assert!(template.to_string().contains(LITERAL));
    Ok(template)
}

/// Every byte of the ledger, of what it has not yet written back too.
fn ledger(bed: &Bed) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(bed.state())? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ledger.db")) {
            bytes.extend(std::fs::read(path)?);
        }
    }
    Ok(bytes)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The digest that anybody could compute who guesses what a template holds: SHA-256, its keys in order.
fn unkeyed(template: &Value) -> Result<String> {
    let digest = runcord_seal::digest_of(template)?;
    Ok(digest.as_str().strip_prefix("sha256:").context("another digest")?.to_owned())
}

#[tokio::test]
async fn the_ledger_of_a_rollback_holds_nothing_to_try_guesses_on() -> Result<()> {
    let bed = Bed::new("masked", 2).await?;
    let session = bed.session(Era::Stateless).await?;
    let (old, new) = (deployed(&bed, "played").await?, deployed(&bed, "played:2").await?);
    let plan = session.call("plan_rollback_rollout", of_web(&bed)).await?.done()?;
    verified(&session, &plan).await?;

    let key = std::fs::read(bed.state().join(mask::FILE))?;
    let mask = Mask::new(key.clone().try_into().ok().context("no key of 32 bytes")?);
    let ledger = ledger(&bed)?;
    for template in [&old, &new] {
        assert!(holds(&ledger, &mask.digest(template)), "it is compared by its masked digest");
        assert!(!holds(&ledger, &unkeyed(template)?), "and no other is kept");
    }
    assert!(!holds(&ledger, LITERAL));
    assert!(!ledger.windows(key.len()).any(|window| window == key), "the key stays in its file");
    Ok(())
}

#[tokio::test]
async fn a_plan_under_a_key_that_was_lost_has_drifted() -> Result<()> {
    let bed = Bed::new("lostkey", 2).await?;
    web(&bed, 2).await?;
    deployed(&bed, "played:2").await?;
    let session = bed.session(Era::Stateless).await?;
    let plan = session.call("plan_rollback_rollout", of_web(&bed)).await?.done()?;
    session.close().await?;
    std::fs::remove_file(bed.state().join(mask::FILE))?;
    let session = bed.session(Era::Stateless).await?;
    assert_eq!(apply(&session, &plan).await?.refusal()?, "plan_drifted");
    let again = session.call("plan_rollback_rollout", of_web(&bed)).await?.done()?;
    verified(&session, &again).await?;
    Ok(())
}

#[tokio::test]
async fn a_key_that_others_may_read_stops_every_plan() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let bed = Bed::new("openkey", 2).await?;
    web(&bed, 2).await?;
    let key = bed.state().join(mask::FILE);
    std::fs::write(&key, [7; 32])?;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644))?;
    let session = bed.session(Era::Stateless).await?;
    let refused = session.call("plan_rollback_rollout", of_web(&bed)).await?;
    assert_eq!(refused.refusal()?, "ledger_unavailable", "{:#}", refused.content);
    assert!(refused.str("/message")?.contains(mask::FILE), "{:#}", refused.content);
    Ok(())
}
