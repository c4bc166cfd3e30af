//! The whole library under exactly the permissions that `runcord kubectl rbac` prints, and what the same credentials
//! cannot do besides.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use runcord_tests::bed::{Approver, Bed};
use runcord_tests::cluster::{Cluster, wait_for};
use runcord_tests::session::{Era, Session};
use runcord_tests::{ControlPlane, objects};
use serde_json::{Value, json};

use crate::story::{
    SOON, apply, budget, busiest_node, drain_of, ended, node_of, of_web, pods, verified, web, with,
};
use crate::upkeep::{cron_job, old_job, stop_lease};

/// A user of the cluster with what `runcord kubectl rbac` prints, and nothing else.
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) kubeconfig: PathBuf,
    /// The name of its objects.
    pub(crate) name: String,
    /// What was printed for programs.
    pub(crate) printed: Value,
}

impl Account {
    /// Prints, applies, and waits until the policy is in force. The bed has a `web`.
    pub(crate) async fn new(bed: &Bed, more: &[&str]) -> Result<Self> {
        Self::named(bed, "bounded", more).await
    }

    /// The same beside another one.
    pub(crate) async fn named(bed: &Bed, word: &str, more: &[&str]) -> Result<Self> {
        let (user, name) = (format!("{}-{word}", bed.name), format!("runcord-{}-{word}", bed.name));
        let kubeconfig = ControlPlane::shared()?.kubeconfig_for(&user, &[])?;
        let args: Vec<&str> = ["kubectl", "rbac", "--user", &user, "--name", &name]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        let yaml = bed.runcord(&args)?;
        ensure!(yaml.status.success(), "{}", String::from_utf8_lossy(&yaml.stderr));
        let json = bed.runcord(args.iter().copied().chain(["--json"]))?;
        let printed: Value = serde_json::from_slice(&json.stdout)?;
        bed.cluster.apply_yaml(bed.name.as_str(), &String::from_utf8(yaml.stdout)?).await?;
        let account = Self { user, kubeconfig, name, printed };
        account.in_force(bed).await?;
        Ok(account)
    }

    pub(crate) async fn cluster(&self) -> Result<Cluster> {
        Cluster::connect(&self.kubeconfig).await
    }

    async fn session(&self, bed: &Bed) -> Result<Session> {
        bed.session_with(Era::Stateless, &[("KUBECONFIG", self.kubeconfig.clone())]).await
    }

    /// The API server takes a moment to read a new policy.
    async fn in_force(&self, bed: &Bed) -> Result<()> {
        let cluster = self.cluster().await?;
        wait_for("the admission policy to count", SOON, async || {
            let params = PatchParams { dry_run: true, ..PatchParams::default() };
            let api = cluster.api::<Deployment>(bed.name.as_str());
            Ok(by_policy(&api.patch("web", &params, &image()).await).then_some(()))
        })
        .await
    }

    /// Everything that RBAC permits it, as (verb, resource, subresource).
    fn granted(&self) -> Result<BTreeSet<(String, String, String)>> {
        let mut granted = BTreeSet::new();
        for object in self.printed["items"].as_array().context("no objects")? {
            for rule in object["rules"].as_array().into_iter().flatten() {
                let texts =
                    |key: &str| -> Result<Vec<String>> { Ok(serde_json::from_value(rule[key].clone())?) };
                for (verb, resource) in texts("verbs")?
                    .iter()
                    .flat_map(|verb| texts("resources").into_iter().flatten().map(move |r| (verb, r)))
                {
                    let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
                    granted.insert((verb.clone(), resource.to_owned(), subresource.to_owned()));
                }
            }
        }
        Ok(granted)
    }
}

/// Another image: what nobody with these permissions may write.
fn image() -> Patch<Value> {
    Patch::Strategic(
        json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "evil"}]}}}}),
    )
}

/// Whether admission, and not RBAC, refused it.
fn by_policy<T>(result: &kube::Result<T>) -> bool {
    matches!(result, Err(kube::Error::Api(status))
        if (status.code == 403 || status.code == 422) && status.message.contains("ValidatingAdmissionPolicy"))
}

/// Workloads of every kind that a drain may meet, on the bed's nodes.
async fn neighbours(bed: &Bed) -> Result<()> {
    let namespace = bed.name.as_str();
    bed.cluster.apply(namespace, objects::stateful_set("store", 3)).await?;
    bed.cluster.apply(namespace, objects::daemon_set("agent", namespace)).await?;
    let template = |name: &str, policy: &str| {
        json!({"metadata": {"labels": {"app": name}}, "spec": {"restartPolicy": policy,
            "terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": "played"}]}})
    };
    let old = json!({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "old"},
        "spec": {"replicas": 1, "selector": {"app": "old"}, "template": template("old", "Always")}});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"},
        "spec": {"template": template("once", "Never")}});
    bed.cluster.apply(namespace, old).await?;
    bed.cluster.apply(namespace, job).await?;
    bed.cluster.rolled_out(namespace, "statefulsets", "store", SOON).await?;
    bed.cluster.rolled_out(namespace, "daemonsets", "agent", SOON).await?;
    wait_for("the other pods", SOON, async || {
        let (old, once) =
            (bed.cluster.pods(namespace, "app=old").await?, bed.cluster.pods(namespace, "app=once").await?);
        Ok((old.iter().chain(&once).filter(|pod| runcord_tests::cluster::is_ready(pod)).count() == 2)
            .then_some(()))
    })
    .await
}

/// Plans, has it approved as often as it takes, applies, and waits until it is verified; gives the run.
/// Each has a session of its own, as one may ask for only so many plans in a row.
async fn carried_out(bed: &Bed, account: &Account, tool: &str, args: Value) -> Result<String> {
    let session = &account.session(bed).await?;
    let plan = session.call(tool, args).await?.done()?;
    if plan.str("/decision/outcome")? == "needs_approval" {
        bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
        // One may have been enough.
        let _ = bed.approve(plan.str("/plan_id")?, Approver::Ben);
    }
    Ok(verified(session, &plan).await?.str("/run_id")?.to_owned())
}

/// A node that is not heard of any more, as the node controller leaves it behind.
async fn play_dead(bed: &Bed, node: &str) -> Result<()> {
    not_ready(bed, node).await?;
    let lost = Patch::Merge(json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}));
    let api = bed.cluster.api::<Pod>(bed.name.as_str());
    for pod in api.list(&Default::default()).await?.items {
        if node_of(&pod).is_ok_and(|on| on == node) {
            let name = pod.metadata.name.context("a pod without a name")?;
            api.patch_status(&name, &PatchParams::default(), &lost).await?;
        }
    }
    stop_lease(bed, node).await
}

async fn not_ready(bed: &Bed, node: &str) -> Result<()> {
    let nodes = Api::<Node>::all(bed.cluster.client());
    let down = Patch::Merge(json!({"metadata": {"annotations": {"runcord.dev/test": "down"}}}));
    nodes.patch(node, &PatchParams::default(), &down).await?;
    wait_for("the node to be not ready", SOON, async || {
        let conditions = nodes.get(node).await?.status.and_then(|s| s.conditions).unwrap_or_default();
        Ok(conditions.iter().any(|c| c.type_ == "Ready" && c.status != "True").then_some(()))
    })
    .await
}

/// A copy of the library without the runbook of that file.
fn library_without(bed: &Bed, file: &str) -> Result<String> {
    let folder = bed.path("runbooks");
    std::fs::create_dir(&folder)?;
    for (name, text) in runcord_runbooks::shipped() {
        let name = std::path::Path::new(name).file_name().context("a runbook without a name")?;
        if name != file {
            std::fs::write(folder.join(name), text)?;
        }
    }
    Ok(folder.to_str().context("a path that is no text")?.to_owned())
}

async fn carried_out_and_back(bed: &Bed, account: &Account, tool: &str, args: Value) -> Result<()> {
    let run = carried_out(bed, account, tool, args).await?;
    let session = account.session(bed).await?;
    let undo = session.call("undo_plan", json!({"run_id": run})).await?.done()?;
    verified(&session, &undo).await?;
    Ok(())
}

/// Every runbook is carried out, so that nothing that is printed may stay unused.
#[tokio::test]
async fn the_whole_library_runs_under_exactly_the_printed_permissions() -> Result<()> {
    let bed = Bed::new("least", 4).await?;
    web(&bed, 4).await?;
    neighbours(&bed).await?;
    budget(&bed, 2, 2).await?;
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "compute"},
        "spec": {"hard": {"pods": "99"}}});
    bed.cluster.apply(bed.name.as_str(), quota).await?;
    bed.cluster.apply(bed.name.as_str(), cron_job("nightly")).await?;
    old_job(&bed, "done").await?;
    let account = Account::new(&bed, &[]).await?;
    let plane = ControlPlane::shared()?;
    let mark = plane.mark()?;
    let session = account.session(&bed).await?;
    let of = |kind: &str, name: &str| with(of_web(&bed), json!({"kind": kind, "name": name}));

    // Reading.
    for (kind, name) in [("Deployment", "web"), ("StatefulSet", "store"), ("DaemonSet", "agent")] {
        let args = json!({"kind": kind, "namespace": bed.name.as_str(), "name": name});
        session.call("workload_status", args.clone()).await?.done()?;
        session.call("rollout_history", args).await?.done()?;
    }
    let pod = pods(&bed).await?.remove(0).metadata.name.context("a pod without a name")?;
    session.call("pod_logs", json!({"namespace": bed.name.as_str(), "pod": pod})).await?.done()?;
    session.call("recent_events", json!({"namespace": bed.name.as_str()})).await?.done()?;
    let first = format!("{}-n1", bed.name);
    session.call("node_status", json!({"node": first})).await?.done()?;

    // Changing, and back.
    let why = |args: Value| with(args, json!({"reason": "an end-to-end test"}));
    carried_out_and_back(&bed, &account, "plan_restart_workload", of("Deployment", "web")).await?;
    carried_out(&bed, &account, "plan_restart_workload", of("StatefulSet", "store")).await?;
    carried_out(&bed, &account, "plan_restart_workload", of("DaemonSet", "agent")).await?;
    // The restarts made the revisions.
    for (kind, name) in [("Deployment", "web"), ("StatefulSet", "store"), ("DaemonSet", "agent")] {
        carried_out(&bed, &account, "plan_rollback_rollout", of(kind, name)).await?;
    }
    let nightly = json!({"namespace": bed.name.as_str(), "name": "nightly"});
    carried_out_and_back(&bed, &account, "plan_suspend_cronjob", why(nightly)).await?;
    let clean = json!({"namespace": bed.name.as_str(), "timeout": "1m"});
    carried_out(&bed, &account, "plan_clean_finished_jobs", why(clean)).await?;
    for tool in ["plan_cordon_node", "plan_uncordon_node"] {
        carried_out(&bed, &account, tool, drain_of(&first)).await?;
    }
    let pod = pods(&bed).await?.remove(0).metadata.name.context("a pod without a name")?;
    let one = json!({"namespace": bed.name.as_str(), "pod": pod});
    carried_out(&bed, &account, "plan_evict_pod", why(one)).await?;
    for (kind, name) in [("Deployment", "web"), ("StatefulSet", "store")] {
        let args = with(of(kind, name), json!({"replicas": 5}));
        carried_out(&bed, &account, "plan_scale_workload", args).await?;
    }
    // All nodes are planned for, so that every kind of owner is met; the fullest one is drained.
    for n in 1..=4 {
        session.call("plan_drain_node", drain_of(&format!("{}-n{n}", bed.name))).await?.done()?;
    }
    let emptied = busiest_node(&bed).await?.0;
    carried_out_and_back(&bed, &account, "plan_drain_node", drain_of(&emptied)).await?;
    play_dead(&bed, &emptied).await?;
    let dead = with(drain_of(&emptied), json!({"timeout": "1m"}));
    carried_out_and_back(&bed, &account, "plan_release_dead_node", dead).await?;

    let asked = plane.events_since(mark, &account.user).await?;
    let refused: Vec<_> = asked
        .iter()
        .filter(|event| event.response_status.as_ref().is_some_and(|status| status.code == 403))
        .collect();
    assert!(refused.is_empty(), "a permission is missing: {refused:#?}");
    let used: BTreeSet<_> = asked
        .iter()
        .filter_map(|event| {
            let object = event.object_ref.clone()?;
            Some((event.verb.clone(), object.resource, object.subresource))
        })
        .collect();
    let idle: Vec<_> = account.granted()?.difference(&used).cloned().collect();
    assert!(idle.is_empty(), "permitted and never used; does this test carry out every runbook? {idle:?}");
    Ok(())
}

#[tokio::test]
async fn stolen_credentials_stay_within_the_shape_of_the_runbooks() -> Result<()> {
    let bed = Bed::new("stolen", 1).await?;
    web(&bed, 2).await?;
    old_job(&bed, "done").await?;
    // Were it among them, a template would be a field like any other: see the next test.
    let runbooks = library_without(&bed, "rollback_rollout.yaml")?;
    let account = Account::new(&bed, &["--runbooks", &runbooks]).await?;
    let thief = account.cluster().await?;
    let deployments = thief.api::<Deployment>(bed.name.as_str());

    // RBAC: what no runbook does is not permitted at all.
    let deleted = deployments.delete("web", &DeleteParams::default()).await;
    assert!(matches!(&deleted, Err(kube::Error::Api(status)) if status.code == 403), "{deleted:?}");

    // Admission: even were the account made an administrator of the cluster.
    let admin = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": format!("{}-admin", account.name)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": account.user}]});
    bed.cluster.apply(bed.name.as_str(), admin).await?;
    wait_for("the binding to count", SOON, async || {
        Ok(by_policy(&deployments.delete("web", &DeleteParams::default()).await).then_some(()))
    })
    .await?;

    let plain = PatchParams::default();
    assert!(by_policy(&deployments.patch("web", &plain, &image()).await), "an image");
    let mark = format!("pln_{}", "a".repeat(26));
    let marked = |spec: Value| {
        Patch::Merge(json!({"metadata": {"annotations": {"runcord.dev/plan": mark}}, "spec": spec}))
    };
    for (what, patch) in [
        ("an unmarked scale", Patch::Merge(json!({"spec": {"replicas": 3}}))),
        ("a pause", marked(json!({"paused": true}))),
        (
            "a label",
            Patch::Merge(
                json!({"metadata": {"labels": {"x": "y"}, "annotations": {"runcord.dev/plan": mark}}}),
            ),
        ),
        (
            "another annotation",
            Patch::Merge(json!({"metadata": {"annotations": {"runcord.dev/plan": mark, "x": "y"}}})),
        ),
        (
            "a finalizer",
            Patch::Merge(
                json!({"metadata": {"finalizers": ["x.dev/y"], "annotations": {"runcord.dev/plan": mark}}}),
            ),
        ),
        ("a template's annotation", marked(json!({"template": {"metadata": {"annotations": {"x": "y"}}}}))),
        ("a strategy", marked(json!({"strategy": {"type": "Recreate", "rollingUpdate": null}}))),
        ("a template", marked(json!({"template": {"spec": {"hostNetwork": true}}}))),
    ] {
        let result = deployments.patch("web", &plain, &patch).await;
        assert!(by_policy(&result), "{what}: {result:?}");
    }
    let scale = Patch::Merge(json!({"spec": {"replicas": 0}}));
    assert!(by_policy(&deployments.patch_scale("web", &plain, &scale).await), "the other way to scale");
    let maps = thief.api::<k8s_openapi::api::core::v1::ConfigMap>(bed.name.as_str());
    let map = serde_json::from_value(json!({"metadata": {"name": "x"}}))?;
    assert!(by_policy(&maps.create(&PostParams::default(), &map).await), "anything new");
    let nodes = Api::<k8s_openapi::api::core::v1::Node>::all(thief.client());
    let node = format!("{}-n1", bed.name);
    let taint = Patch::Merge(json!({"spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}}));
    assert!(by_policy(&nodes.patch(&node, &plain, &taint).await), "a taint");
    let marked_node = |spec: Value| {
        Patch::Merge(json!({"metadata": {"annotations": {"runcord.dev/plan": mark}}, "spec": spec}))
    };
    let taint = marked_node(json!({"taints": [{"key": "x", "effect": "NoExecute"}]}));
    assert!(by_policy(&nodes.patch(&node, &plain, &taint).await), "a taint that no runbook sets");
    assert!(by_policy(&nodes.delete(&node, &DeleteParams::default()).await), "a node");
    let jobs = thief.api::<Job>(bed.name.as_str());
    let uid = jobs.get("done").await?.metadata.uid.context("no uid")?;
    for (what, params) in [
        ("a Job by its name alone", DeleteParams::foreground()),
        ("a Job in the background", DeleteParams::background().preconditions(by_uid(&uid))),
    ] {
        let result = jobs.delete("done", &params).await;
        assert!(by_policy(&result), "{what}: {result:?}");
    }
    let running = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "waits"}, "spec": {
        "suspend": true, "template": {"spec": {"restartPolicy": "Never", "containers": [
            {"name": "main", "image": "played"}]}}}});
    bed.cluster.apply(bed.name.as_str(), running).await?;
    let waits = jobs.get("waits").await?.metadata.uid.context("no uid")?;
    let result = jobs.delete("waits", &DeleteParams::foreground().preconditions(by_uid(&waits))).await;
    assert!(by_policy(&result), "a Job that is not finished: {result:?}");
    let pod = pods(&bed).await?.remove(0);
    for (what, options) in [
        ("an eviction without a uid", json!({})),
        ("a kill", json!({"preconditions": {"uid": pod.metadata.uid}, "gracePeriodSeconds": 0})),
    ] {
        let result = evict(&thief, &pod, options).await;
        assert!(by_policy(&result), "{what}: {result:?}");
    }

    // What a runbook does passes, so that the above was refused for what it was.
    deployments.patch("web", &plain, &marked(json!({"replicas": 3}))).await?;
    evict(&thief, &pod, json!({"preconditions": {"uid": pod.metadata.uid}})).await?;
    assert!(by_policy(&give_up(&nodes, &node).await), "a node that is ready is not given up for dead");
    not_ready(&bed, &node).await?;
    // The node's controller sets taints of its own meanwhile.
    wait_for("the taint to be let through", SOON, async || Ok(give_up(&nodes, &node).await.ok())).await?;
    jobs.delete("done", &DeleteParams::foreground().preconditions(by_uid(&uid))).await?;
    // And nobody else is held by it.
    bed.cluster.api::<Deployment>(bed.name.as_str()).patch("web", &plain, &image()).await?;
    Ok(())
}

/// A dry-run of the taint beside those that the cluster itself has set, as a runbook sets it.
async fn give_up(nodes: &Api<Node>, node: &str) -> kube::Result<Node> {
    let taint =
        json!({"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"});
    let mut taints =
        serde_json::to_value(nodes.get(node).await?.spec.and_then(|spec| spec.taints).unwrap_or_default())
            .map_err(kube::Error::SerdeError)?;
    taints.as_array_mut().into_iter().for_each(|all| all.push(taint.clone()));
    let mark = format!("pln_{}", "a".repeat(26));
    let patch = json!({"metadata": {"annotations": {"runcord.dev/plan": mark}}, "spec": {"taints": taints}});
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    nodes.patch(node, &dry, &Patch::Merge(patch)).await
}

fn by_uid(uid: &str) -> kube::api::Preconditions {
    kube::api::Preconditions { uid: Some(uid.to_owned()), resource_version: None }
}

#[tokio::test]
async fn where_rollbacks_are_loaded_a_marked_template_passes_and_nothing_around_it() -> Result<()> {
    let bed = Bed::new("rolls", 1).await?;
    web(&bed, 1).await?;
    let account = Account::new(&bed, &[]).await?;
    let deployments = account.cluster().await?.api::<Deployment>(bed.name.as_str());
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let marked = |spec: Value| {
        let mark = format!("pln_{}", "a".repeat(26));
        Patch::Strategic(json!({"metadata": {"annotations": {"runcord.dev/plan": mark}}, "spec": spec}))
    };
    let template = json!({"template": {"spec": {"containers": [{"name": "main", "image": "played:2"}]}}});
    deployments.patch("web", &dry, &marked(template)).await?;
    assert!(by_policy(&deployments.patch("web", &dry, &image()).await), "without a plan");
    let paused = deployments.patch("web", &dry, &marked(json!({"paused": true}))).await;
    assert!(by_policy(&paused), "a pause: {paused:?}");
    Ok(())
}

async fn evict(
    cluster: &Cluster,
    pod: &k8s_openapi::api::core::v1::Pod,
    options: Value,
) -> kube::Result<Value> {
    let meta = &pod.metadata;
    let (namespace, name) =
        (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    let body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": options});
    let request = http::Request::post(format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction"))
        .body(body.to_string().into_bytes())
        .map_err(kube::Error::HttpError)?;
    cluster.client().request(request).await
}

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
