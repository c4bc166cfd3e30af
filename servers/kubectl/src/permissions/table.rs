//! The table: one row for each action of the catalog.

use runcord_model::action::Use;

use super::commands::{Fed, Purpose, command};
use super::{Bound, Permission, Reach, Undeclared, kinds};
use crate::actions::Kind;
use crate::convert::RESTARTED_AT;
use crate::secrets::seen::VERSION;

/// Group and version.
type Api = (&'static str, &'static str);

const CORE: Api = ("", "v1");
const APPS: Api = ("apps", "v1");
const BATCH: Api = ("batch", "v1");

/// Where a node's taints are.
pub(crate) const TAINTS: &[&str] = &["spec", "taints"];

/// Where a Secret's values are.
pub(crate) const SECRET_DATA: &[&str] = &["data"];
/// Where a claim asks for storage.
pub(crate) const STORAGE: &[&str] = &["spec", "resources", "requests", "storage"];

/// Reading the namespace whose uid tells clusters apart.
pub(super) fn identity() -> Permission {
    named_namespace("kube-system")
}

/// Listing Secrets, where the caller looks.
pub(super) fn secret_values() -> Permission {
    let (group, version) = CORE;
    Permission { group, version, resource: "secrets", verb: "list", name: None, reach: Reach::Namespace }
}

/// What a use of an action needs.
///
/// # Errors
/// An action that is not in the table.
pub fn permissions(used: &Use) -> Result<Vec<Permission>, Undeclared> {
    use Reach::{Cluster, Namespace};
    let mut needed = Vec::new();
    let mut need = |(group, version): Api, resource: &'static str, verbs: &[&'static str], reach: Reach| {
        needed.extend(verbs.iter().map(|&verb| Permission {
            group,
            version,
            resource,
            verb,
            name: None,
            reach,
        }));
    };
    match used.action.as_str() {
        "cordon" | "uncordon" => need(CORE, "nodes", &["list", "patch"], Cluster),
        "drain" => {
            need(CORE, "nodes", &["list"], Cluster);
            need(CORE, "pods", &["get", "list"], Cluster);
            need(CORE, "pods/eviction", &["create"], Cluster);
            keepers(&mut need, Cluster);
            around(&mut need, Cluster);
        }
        "restart" | "revert_restart" | "scale" => {
            for kind in patched(used) {
                need(APPS, kind.plural(), &["get", "patch"], Namespace);
            }
            need(CORE, "pods", &["list"], Namespace);
            around(&mut need, Namespace);
            if used.action == "scale" {
                need(("autoscaling", "v1"), "horizontalpodautoscalers", &["list"], Namespace);
            }
        }
        "workload_status" => {
            for kind in kinds(used) {
                need(APPS, kind.plural(), &["get"], Namespace);
            }
            need(CORE, "pods", &["list"], Namespace);
            need(CORE, "events", &["list"], Namespace);
        }
        "pod_logs" => {
            need(CORE, "pods", &["get"], Namespace);
            need(CORE, "pods/log", &["get"], Namespace);
        }
        "roll_back" | "evict_pod" | "suspend_cronjob" | "clean_jobs" | "release_node" | "reclaim_node" => {
            upkeep(used, &mut need);
        }
        "rotate_secret" | "restore_secret" | "rotate_taught_secret" | "restore_taught_secret" => {
            // By name: nothing here lists Secrets.
            need(CORE, "secrets", &["get", "create", "patch"], Namespace);
            consumers(&mut need);
            for kind in [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet] {
                need(APPS, kind.plural(), &["get", "patch"], Namespace);
            }
            around(&mut need, Namespace);
            if used.action.ends_with("_taught_secret") {
                need(CORE, "pods", &["get"], Namespace);
                need(CORE, "pods/exec", &["create", "get"], Namespace);
            }
        }
        "find_consumers" => {
            consumers(&mut need);
            need(APPS, "deployments", &["get"], Namespace);
            need(APPS, "statefulsets", &["get"], Namespace);
            need(("networking.k8s.io", "v1"), "ingresses", &["list"], Namespace);
        }
        "grow_claim" => {
            need(CORE, "persistentvolumeclaims", &["get", "patch"], Namespace);
            need(("storage.k8s.io", "v1"), "storageclasses", &["get"], Cluster);
            // Who uses it, and how much storage the namespace may ask for.
            need(CORE, "pods", &["list"], Namespace);
            need(CORE, "resourcequotas", &["list"], Namespace);
        }
        "node_status" => {
            need(CORE, "nodes", &["get"], Cluster);
            need(CORE, "pods", &["list"], Cluster);
            // Events about nodes are in the namespace `default`, which no caller names.
            need(CORE, "events", &["list"], Cluster);
        }
        "rollout_history" => {
            for kind in kinds(used) {
                need(APPS, kind.plural(), &["get"], Namespace);
                need(APPS, revisions(kind), &["list"], Namespace);
            }
        }
        "recent_events" => need(CORE, "events", &["list"], Namespace),
        "purge_queue" => {
            need(CORE, "pods", &["get"], Namespace);
            // The stream is opened by a GET; since Kubernetes 1.35 `create` is asked for besides.
            need(CORE, "pods/exec", &["create", "get"], Namespace);
        }
        _ => return Err(undeclared(used)),
    }
    // A file that names its namespace is checked for drift: is it still there?
    needed.extend(used.fixed("namespace").map(named_namespace));
    Ok(needed)
}

/// What a use of an action may write.
///
/// # Errors
/// An action that is not in the table.
pub fn bounds(used: &Use) -> Result<Vec<Bound>, Undeclared> {
    let workload = |field: &'static [&'static str]| {
        let of = |kind: Kind| Bound::Change {
            group: "apps",
            resource: kind.plural(),
            reach: Reach::Namespace,
            field,
        };
        patched(used).into_iter().map(of).collect()
    };
    Ok(match used.action.as_str() {
        "cordon" | "uncordon" => vec![Bound::Change {
            group: "",
            resource: "nodes",
            reach: Reach::Cluster,
            field: &["spec", "unschedulable"],
        }],
        "drain" => vec![Bound::Evict { reach: Reach::Cluster }],
        "restart" | "revert_restart" => {
            workload(&["spec", "template", "metadata", "annotations", RESTARTED_AT])
        }
        "scale" => workload(&["spec", "replicas"]),
        // Which revision a template is of, admission cannot look up: a template is a field like any other to it.
        "roll_back" => workload(&["spec", "template"]),
        "evict_pod" => vec![Bound::Evict { reach: Reach::Namespace }],
        "suspend_cronjob" => vec![Bound::Change {
            group: "batch",
            resource: "cronjobs",
            reach: Reach::Namespace,
            field: &["spec", "suspend"],
        }],
        "clean_jobs" => vec![Bound::DeleteFinishedJob],
        "purge_queue" => vec![
            Bound::Run(command(used, "preview", Fed::Nothing, Purpose::Looks)),
            Bound::Run(command(used, "purge", Fed::Nothing, Purpose::Changes)),
        ],
        "release_node" | "reclaim_node" => {
            vec![Bound::Change { group: "", resource: "nodes", reach: Reach::Cluster, field: TAINTS }]
        }
        "rotate_secret" | "restore_secret" => rotation(),
        "rotate_taught_secret" | "restore_taught_secret" => {
            let told = ["teach", "test"].map(|field| command(used, field, Fed::Input, Purpose::Changes));
            rotation().into_iter().chain(told.map(Bound::Run)).collect()
        }
        "workload_status" | "pod_logs" | "node_status" | "rollout_history" | "recent_events"
        | "find_consumers" => Vec::new(),
        "grow_claim" => vec![Bound::Change {
            group: "",
            resource: "persistentvolumeclaims",
            reach: Reach::Namespace,
            field: STORAGE,
        }],
        _ => return Err(undeclared(used)),
    })
}

/// Values of a Secret, copies of them, and the restarts of whoever uses it.
fn rotation() -> Vec<Bound> {
    let change = |group, resource, field| Bound::Change { group, resource, reach: Reach::Namespace, field };
    let restart: &[&str] = &["spec", "template", "metadata", "annotations", RESTARTED_AT];
    let restarts = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet]
        .map(|kind| change("apps", kind.plural(), restart));
    let own = [
        change("", "secrets", SECRET_DATA),
        change("", "secrets", &["metadata", "annotations", VERSION]),
        Bound::KeepSecret,
    ];
    own.into_iter().chain(restarts).collect()
}

/// The rows of upkeep.
fn upkeep(used: &Use, need: &mut impl FnMut(Api, &'static str, &[&'static str], Reach)) {
    use Reach::{Cluster, Namespace};
    match used.action.as_str() {
        "roll_back" => {
            for kind in kinds(used) {
                need(APPS, kind.plural(), &["get", "patch"], Namespace);
                need(APPS, revisions(kind), &["get", "list"], Namespace);
            }
            need(CORE, "pods", &["list"], Namespace);
            around(need, Namespace);
        }
        "evict_pod" => {
            need(CORE, "pods", &["get", "list"], Namespace);
            need(CORE, "pods/eviction", &["create"], Namespace);
            keepers(need, Namespace);
            around(need, Namespace);
            // Whether another node has room.
            need(CORE, "nodes", &["list"], Cluster);
            need(CORE, "pods", &["list"], Cluster);
        }
        "suspend_cronjob" => need(BATCH, "cronjobs", &["get", "patch"], Namespace),
        "clean_jobs" => {
            need(BATCH, "cronjobs", &["get"], Namespace);
            need(BATCH, "jobs", &["get", "list", "delete"], Namespace);
            // What Jobs own. Only the metadata is asked for, which RBAC does not tell from the rest.
            for resource in ["configmaps", "persistentvolumeclaims", "pods", "services"] {
                need(CORE, resource, &["list"], Namespace);
            }
        }
        "release_node" | "reclaim_node" => {
            need(CORE, "nodes", &["get", "list", "patch"], Cluster);
            need(CORE, "pods", &["list"], Cluster);
            need(("coordination.k8s.io", "v1"), "leases", &["list"], Cluster);
            if used.action == "release_node" {
                need(CORE, "pods", &["get"], Cluster);
                keepers(need, Cluster);
                around(need, Cluster);
            }
        }
        _ => {}
    }
}

/// Whoever keeps evicted pods alive. The pods of DaemonSets stay, and their owners are not asked for.
fn keepers(need: &mut impl FnMut(Api, &'static str, &[&'static str], Reach), reach: Reach) {
    need(CORE, "replicationcontrollers", &["get"], reach);
    need(BATCH, "jobs", &["get"], reach);
    for resource in ["deployments", "replicasets", "statefulsets"] {
        need(APPS, resource, &["get"], reach);
    }
}

/// Who uses a Secret, a ConfigMap or a claim: templates, pods, and who keeps these.
fn consumers(need: &mut impl FnMut(Api, &'static str, &[&'static str], Reach)) {
    use Reach::Namespace;
    need(APPS, "deployments", &["list"], Namespace);
    need(APPS, "statefulsets", &["list"], Namespace);
    need(APPS, "daemonsets", &["list"], Namespace);
    need(BATCH, "cronjobs", &["list"], Namespace);
    need(BATCH, "jobs", &["get", "list"], Namespace);
    need(CORE, "pods", &["list"], Namespace);
    need(APPS, "replicasets", &["get"], Namespace);
    need(CORE, "replicationcontrollers", &["get"], Namespace);
}

/// The plural of what keeps a workload's revisions.
fn revisions(kind: Kind) -> &'static str {
    match kind {
        Kind::Deployment => "replicasets",
        Kind::StatefulSet | Kind::DaemonSet => "controllerrevisions",
    }
}

/// What stands around pods and workloads that are touched.
fn around(need: &mut impl FnMut(Api, &'static str, &[&'static str], Reach), reach: Reach) {
    need(("policy", "v1"), "poddisruptionbudgets", &["list"], reach);
    need(("discovery.k8s.io", "v1"), "endpointslices", &["list"], reach);
    need(("networking.k8s.io", "v1"), "ingresses", &["list"], reach);
    // Whether new pods may be made.
    need(CORE, "resourcequotas", &["list"], reach);
    need(CORE, "limitranges", &["list"], reach);
}

/// The kinds that a patch can be of: a DaemonSet has no number of replicas.
fn patched(used: &Use) -> Vec<Kind> {
    let scales = used.action == "scale";
    kinds(used).into_iter().filter(|kind| !(scales && *kind == Kind::DaemonSet)).collect()
}

fn named_namespace(name: &str) -> Permission {
    Permission {
        group: "",
        version: "v1",
        resource: "namespaces",
        verb: "get",
        name: Some(name.to_owned()),
        reach: Reach::Cluster,
    }
}

fn undeclared(used: &Use) -> Undeclared {
    Undeclared { action: used.action.clone() }
}
