//! Workloads: how many pods they have and how they replace them.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PodTemplateSpec, ReplicationController};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Malformed, PLAN_MARK, RESTARTED_AT, annotation, identity, share};
use crate::actions::Kind;
use crate::seen::{Charges, Counts, Rollout, Strategy, Workload};

const fn n(value: Option<i32>) -> i64 {
    match value {
        Some(n) => n as i64,
        None => 0,
    }
}

/// What we keep of a Deployment.
pub(crate) fn deployment(api: &Deployment) -> Result<Workload, Malformed> {
    let spec = api.spec.as_ref().ok_or(Malformed { what: "Deployment", field: "spec" })?;
    let status = api.status.clone().unwrap_or_default();
    let replicas = i64::from(spec.replicas.unwrap_or(1));
    let rolling = spec.strategy.as_ref().and_then(|s| s.rolling_update.as_ref());
    let strategy = match spec.strategy.as_ref().and_then(|s| s.type_.as_deref()) {
        Some("Recreate") => Strategy::Recreate,
        Some(_) | None => {
            let (unavailable, surge) = (
                rolling.and_then(|r| r.max_unavailable.as_ref()),
                rolling.and_then(|r| r.max_surge.as_ref()),
            );
            deployment_rolling(unavailable, surge, replicas)?
        }
    };
    let stalled = status
        .conditions
        .iter()
        .flatten()
        .any(|c| c.type_ == "Progressing" && c.reason.as_deref() == Some("ProgressDeadlineExceeded"));
    let mut rollout = rollout(Kind::Deployment, &api.metadata, &spec.template, strategy);
    rollout.observed = status.observed_generation.unwrap_or(0) >= api.metadata.generation.unwrap_or(0);
    rollout.paused = spec.paused.unwrap_or(false);
    rollout.stalled = stalled;
    Ok(Workload {
        id: identity("Deployment", &api.metadata)?,
        counts: Some(Counts {
            replicas,
            total: n(status.replicas),
            ready: n(status.ready_replicas),
            updated: n(status.updated_replicas),
            available: n(status.available_replicas),
        }),
        rollout: Some(rollout),
        budgets: BTreeSet::new(),
        charges: Charges::default(),
    })
}

/// Surge rounds up, unavailability down; when both come to nothing, one may be unavailable, as the controller does.
fn deployment_rolling(
    unavailable: Option<&IntOrString>,
    surge: Option<&IntOrString>,
    replicas: i64,
) -> Result<Strategy, Malformed> {
    let read = |value: Option<&IntOrString>| match value {
        None => share(&IntOrString::String("25%".to_owned())),
        Some(value) => share(value),
    };
    let bad = Malformed { what: "Deployment", field: "strategy" };
    let surge = read(surge).ok_or(bad.clone())?.up(replicas);
    let unavailable = read(unavailable).ok_or(bad)?.down(replicas);
    let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
    Ok(Strategy::Rolling { unavailable, surge })
}

/// What we keep of a StatefulSet.
pub(crate) fn stateful_set(api: &StatefulSet) -> Result<Workload, Malformed> {
    let spec = api.spec.as_ref().ok_or(Malformed { what: "StatefulSet", field: "spec" })?;
    let status = api.status.clone().unwrap_or_default();
    let replicas = i64::from(spec.replicas.unwrap_or(1));
    let rolling = spec.update_strategy.as_ref().and_then(|s| s.rolling_update.as_ref());
    let partition = n(rolling.and_then(|r| r.partition));
    let unavailable = match rolling.and_then(|r| r.max_unavailable.as_ref()) {
        None => 1,
        Some(v) => share(v).ok_or(Malformed { what: "StatefulSet", field: "strategy" })?.up(replicas).max(1),
    };
    let strategy = match spec.update_strategy.as_ref().and_then(|s| s.type_.as_deref()) {
        Some("OnDelete") => Strategy::OnDelete,
        Some(_) | None if partition > 0 => Strategy::Partitioned { from: partition },
        Some(_) | None => Strategy::Rolling { unavailable, surge: 0 },
    };
    let claims = spec.volume_claim_templates.as_ref().map_or(0, Vec::len);
    let policy =
        spec.persistent_volume_claim_retention_policy.as_ref().and_then(|p| p.when_scaled.as_deref());
    let mut rollout = rollout(Kind::StatefulSet, &api.metadata, &spec.template, strategy);
    rollout.observed = status.observed_generation.unwrap_or(0) >= api.metadata.generation.unwrap_or(0);
    rollout.claims_deleted =
        if policy == Some("Delete") { i64::try_from(claims).unwrap_or(i64::MAX) } else { 0 };
    // A rollout that is over shows no update apart from the current revision.
    let whole = status.update_revision.is_some() && status.update_revision == status.current_revision;
    Ok(Workload {
        id: identity("StatefulSet", &api.metadata)?,
        counts: Some(Counts {
            replicas,
            total: i64::from(status.replicas),
            ready: n(status.ready_replicas),
            updated: if whole { i64::from(status.replicas) } else { n(status.updated_replicas) },
            available: n(status.available_replicas),
        }),
        rollout: Some(rollout),
        budgets: BTreeSet::new(),
        charges: Charges::default(),
    })
}

/// What we keep of a DaemonSet.
pub(crate) fn daemon_set(api: &DaemonSet) -> Result<Workload, Malformed> {
    let spec = api.spec.as_ref().ok_or(Malformed { what: "DaemonSet", field: "spec" })?;
    let status = api.status.clone().unwrap_or_default();
    let replicas = i64::from(status.desired_number_scheduled);
    let rolling = spec.update_strategy.as_ref().and_then(|s| s.rolling_update.as_ref());
    let up = |v: Option<&IntOrString>, default: i64| match v {
        None => Ok(default),
        Some(v) => Ok(share(v).ok_or(Malformed { what: "DaemonSet", field: "strategy" })?.up(replicas)),
    };
    let surge = up(rolling.and_then(|r| r.max_surge.as_ref()), 0)?;
    let unavailable = up(rolling.and_then(|r| r.max_unavailable.as_ref()), 1)?;
    let strategy = match spec.update_strategy.as_ref().and_then(|s| s.type_.as_deref()) {
        Some("OnDelete") => Strategy::OnDelete,
        Some(_) | None => Strategy::Rolling { unavailable, surge },
    };
    let mut rollout = rollout(Kind::DaemonSet, &api.metadata, &spec.template, strategy);
    rollout.observed = status.observed_generation.unwrap_or(0) >= api.metadata.generation.unwrap_or(0);
    Ok(Workload {
        id: identity("DaemonSet", &api.metadata)?,
        counts: Some(Counts {
            replicas,
            total: i64::from(status.current_number_scheduled),
            ready: i64::from(status.number_ready),
            updated: n(status.updated_number_scheduled),
            available: n(status.number_available),
        }),
        rollout: Some(rollout),
        budgets: BTreeSet::new(),
        charges: Charges::default(),
    })
}

/// What we keep of a ReplicaSet that no Deployment owns.
pub(crate) fn replica_set(api: &ReplicaSet) -> Result<Workload, Malformed> {
    let status = api.status.clone().unwrap_or_default();
    let replicas = api.spec.as_ref().and_then(|s| s.replicas);
    counted(
        "ReplicaSet",
        &api.metadata,
        replicas,
        status.replicas,
        status.ready_replicas,
        status.available_replicas,
    )
}

/// What we keep of a ReplicationController.
pub(crate) fn replication_controller(api: &ReplicationController) -> Result<Workload, Malformed> {
    let status = api.status.clone().unwrap_or_default();
    let replicas = api.spec.as_ref().and_then(|s| s.replicas);
    let kind = "ReplicationController";
    counted(kind, &api.metadata, replicas, status.replicas, status.ready_replicas, status.available_replicas)
}

/// What we keep of a Job: it wants its parallelism.
pub(crate) fn job(api: &Job) -> Result<Workload, Malformed> {
    let status = api.status.clone().unwrap_or_default();
    let wanted = api.spec.as_ref().and_then(|s| s.parallelism);
    counted("Job", &api.metadata, wanted, status.active.unwrap_or(0), status.ready, status.ready)
}

fn counted(
    kind: &'static str,
    meta: &ObjectMeta,
    replicas: Option<i32>,
    total: i32,
    ready: Option<i32>,
    available: Option<i32>,
) -> Result<Workload, Malformed> {
    let (replicas, total) = (i64::from(replicas.unwrap_or(1)), i64::from(total));
    let counts = Counts { replicas, total, ready: n(ready), updated: total, available: n(available) };
    Ok(Workload {
        id: identity(kind, meta)?,
        counts: Some(counts),
        rollout: None,
        budgets: BTreeSet::new(),
        charges: Charges::default(),
    })
}

fn rollout(kind: Kind, meta: &ObjectMeta, template: &PodTemplateSpec, strategy: Strategy) -> Rollout {
    let template_meta = template.metadata.as_ref();
    let volumes = template.spec.as_ref().and_then(|s| s.volumes.as_ref());
    Rollout {
        kind,
        strategy,
        observed: false,
        paused: false,
        stalled: false,
        restarted_at: template_meta.and_then(|m| annotation(m, RESTARTED_AT)).cloned(),
        template_annotated: template_meta.is_some_and(|m| m.annotations.is_some()),
        mark: annotation(meta, PLAN_MARK).cloned(),
        annotated: meta.annotations.is_some(),
        empty_dir: volumes.into_iter().flatten().any(|v| v.empty_dir.is_some()),
        claims_deleted: 0,
    }
}
