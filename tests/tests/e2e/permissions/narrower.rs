//! Accounts that may do less: only plan, or only in some namespaces.

use anyhow::Result;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use runcord_tests::bed::Bed;
use runcord_tests::cluster::Cluster;
use runcord_tests::{ControlPlane, objects};
use serde_json::json;

use super::{Account, by_policy, carried_out};
use crate::story::{apply, busiest_node, drain_of, ended, of_web, pods, web, with};

#[tokio::test]
async fn a_planners_own_account_plans_and_changes_nothing() -> Result<()> {
    let bed = Bed::new("planner", 3).await?;
    web(&bed, 2).await?;
    let account = Account::new(&bed, &["--only-dry-run"]).await?;
    let session = account.session(&bed).await?;
    session.call("plan_drain_node", drain_of(&busiest_node(&bed).await?.0)).await?.done()?;
    let plan =
        session.call("plan_scale_workload", with(of_web(&bed), json!({"replicas": 3}))).await?.done()?;
    let run = apply(&session, &plan).await?.done()?;
    let end = ended(&session, run.str("/run_id")?).await?;
    assert_eq!(end.str("/state")?, "failed", "{:#}", end.content);
    assert_eq!(pods(&bed).await?.len(), 2, "nothing was changed");
    Ok(())
}

#[tokio::test]
async fn permissions_can_be_kept_to_namespaces() -> Result<()> {
    let bed = Bed::new("confined", 2).await?;
    web(&bed, 2).await?;
    let other = format!("{}-other", bed.name);
    bed.cluster.namespace(&other).await?;
    bed.cluster.apply(&other, objects::deployment("web", 0)).await?;
    let (group, robot) = (format!("{}-team", bed.name), format!("{}/default", bed.name));
    let more = ["--namespace", bed.name.as_str(), "--group", &group, "--service-account", &robot];
    let account = Account::new(&bed, &more).await?;
    let session = account.session(&bed).await?;
    carried_out(&bed, &account, "plan_scale_workload", with(of_web(&bed), json!({"replicas": 3}))).await?;
    let elsewhere = with(of_web(&bed), json!({"namespace": other, "replicas": 3}));
    assert_eq!(session.call("plan_scale_workload", elsewhere).await?.refusal()?, "precondition_failed");

    // A member of the group has the same permissions, and is held in the same way.
    let member = ControlPlane::shared()?.kubeconfig_for(&format!("{}-member", bed.name), &[&group])?;
    let member = Cluster::connect(&member).await?.api::<Deployment>(bed.name.as_str());
    let pause = Patch::Merge(json!({"spec": {"paused": true}}));
    let refused = member.patch("web", &PatchParams::default(), &pause).await;
    assert!(by_policy(&refused), "{refused:?}");
    Ok(())
}
