//! The number that a preview prints: without it there is no plan, and with a larger one no purge.

use anyhow::Result;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use runcord_tests::ControlPlane;
use runcord_tests::cluster::{is_ready, wait_for};
use serde_json::json;

use super::{HOSTILE, Queue};
use crate::story::{SOON, apply, verified};

#[tokio::test]
async fn a_queue_that_grew_since_it_was_planned_is_left_alone() -> Result<()> {
    let queue = Queue::new("grew", 10).await?;
    let session = queue.session().await?;
    let plan = queue.approved(&session).await?;
    queue.write("size", "11")?;
    let answer = apply(&session, &plan).await?;
    assert_eq!(answer.refusal()?, "plan_drifted", "{:#}", answer.content);
    let differences = answer.content["details"]["differences"].to_string();
    assert!(differences.contains("blast_radius/irreversible"), "{differences}");
    assert_eq!((queue.purges()?, queue.size()?), (0, 11));

    // Less than planned is no harm.
    let plan = queue.approved(&session).await?;
    queue.write("size", "9")?;
    verified(&session, &plan).await?;
    assert_eq!((queue.purges()?, queue.size()?), (1, 0));
    Ok(())
}

#[tokio::test]
async fn a_queue_that_grows_at_the_last_moment_is_left_alone() -> Result<()> {
    let queue = Queue::new("grows", 10).await?;
    let session = queue.session().await?;
    let plan = queue.approved(&session).await?;
    let mark = ControlPlane::shared()?.mark()?;
    // Once more when applying, and then right before the purge.
    queue.write("answers", "size\ngrow\n")?;
    let end = queue.over(&session, &plan).await?;
    assert_eq!(end.str("/state")?, "failed", "{:#}", end.content);
    assert!(end.str("/summary")?.contains("has grown from 10 to 11 entries"), "{:#}", end.content);
    assert_eq!((queue.purges()?, queue.size()?), (0, 10));
    let ran = queue.ran(mark, queue.bed.name.as_str()).await?;
    assert!(ran.iter().all(|one| !one.contains(&"LTRIM".to_owned())), "the purge was never sent: {ran:#?}");
    Ok(())
}

#[tokio::test]
async fn a_preview_that_hangs_is_killed_inside_and_there_is_no_plan() -> Result<()> {
    let queue = Queue::adapted("silent", 10, &[("limit: 30s", "limit: 2s")]).await?;
    let session = queue.session().await?;
    queue.write("answers", "hang\n")?;
    assert!(queue.refused(&session).await?.contains("how much is in the queue is not known"));
    assert_eq!(queue.at_work()?, Vec::<i32>::new(), "no process is left");
    queue.planned(&session).await?;
    Ok(())
}

#[tokio::test]
async fn a_preview_that_says_anything_but_one_number_plans_nothing_and_is_not_repeated() -> Result<()> {
    let queue = Queue::new("odd", 10).await?;
    let session = queue.session().await?;
    // None of them is a part of the namespace's name, which the message says: that ends in a number.
    for odd in [HOSTILE, "10 11", "-271828", "1e9", "WRONGTYPE Operation against a key", "9999999999999999"] {
        queue.write("answers", &format!("{odd}\n"))?;
        let said = queue.refused(&session).await?;
        assert!(said.contains("is not one whole number"), "{said}");
        assert!(!said.contains(odd), "{said}");
    }
    // kwok tells no exit codes: that it failed is all there is to say.
    queue.write("answers", "exit 1\n")?;
    assert!(queue.refused(&session).await?.contains("is not known"));
    assert_eq!(queue.purges()?, 0);
    queue.planned(&session).await?;
    Ok(())
}

#[tokio::test]
async fn a_pod_that_was_replaced_under_the_same_name_is_another_one() -> Result<()> {
    let queue = Queue::new("replaced", 10).await?;
    let session = queue.session().await?;
    let plan = queue.approved(&session).await?;
    let api = queue.bed.cluster.api::<Pod>(queue.bed.name.as_str());
    let old = api.get("redis-0").await?.metadata.uid;
    api.delete("redis-0", &DeleteParams::default()).await?;
    wait_for("another redis-0", SOON, async || {
        Ok(api.get_opt("redis-0").await?.filter(|pod| is_ready(pod) && pod.metadata.uid != old).map(|_| ()))
    })
    .await?;
    assert_eq!(apply(&session, &plan).await?.refusal()?, "plan_drifted");
    assert_eq!(queue.purges()?, 0);

    // Nor is anything run where no container is ready.
    let sets = queue.bed.cluster.api::<StatefulSet>(queue.bed.name.as_str());
    let none = kube::api::Patch::Merge(json!({"spec": {"replicas": 0}}));
    sets.patch("redis", &Default::default(), &none).await?;
    wait_for("no redis-0", SOON, async || Ok(api.get_opt("redis-0").await?.is_none().then_some(()))).await?;
    let mark = ControlPlane::shared()?.mark()?;
    assert!(queue.refused(&session).await?.contains("there is no such pod"));
    assert!(queue.ran(mark, queue.bed.name.as_str()).await?.is_empty());
    Ok(())
}
