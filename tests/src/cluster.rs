//! What tests do to a cluster: make nodes and objects, and wait.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// The node label, and the annotation's key in its namespace, that keep a test's pods on the test's nodes.
pub const BED_LABEL: &str = "runcord.dev/bed";

/// A client of a test cluster. It belongs to the runtime that made it: make one in each test.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
}

impl Cluster {
    /// A client by a kubeconfig file, and by nothing else.
    ///
    /// # Errors
    ///
    /// The file cannot be read or used.
    pub async fn connect(kubeconfig: &Path) -> Result<Self> {
        let file = Kubeconfig::read_from(kubeconfig)?;
        let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        // It would ask again for minutes when a disruption budget refuses an eviction.
        config.default_retry = false;
        Ok(Self { client: Client::try_from(config)? })
    }

    /// The client itself.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// An API of a namespaced kind.
    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client(), namespace)
    }

    /// Makes a namespace whose pods run only on nodes that [`nodes`](Self::nodes) made under the same name. (A
    /// DaemonSet does not ask: give its template the node selector `runcord.dev/bed: NAME`.)
    ///
    /// # Errors
    ///
    /// The API server refuses, or its service account does not come.
    pub async fn namespace(&self, name: &str) -> Result<()> {
        let namespace: Namespace = serde_json::from_value(json!({"metadata": {
            "name": name,
            "annotations": {"scheduler.alpha.kubernetes.io/node-selector": format!("{BED_LABEL}={name}")},
        }}))?;
        Api::all(self.client()).create(&PostParams::default(), &namespace).await?;
        // Until it is there, pods are refused.
        let accounts = self.api::<k8s_openapi::api::core::v1::ServiceAccount>(name);
        wait_for("the default service account", Duration::from_secs(30), async || {
            Ok(accounts.get_opt("default").await?)
        })
        .await?;
        Ok(())
    }

    /// Makes `count` played nodes, `BED-n1` and so on, spread over zones `zone-1` to `zone-ZONES`, and waits until they
    /// are ready. Each has 8 processors, 32 GiB and room for 110 pods.
    ///
    /// # Errors
    ///
    /// The API server refuses, or they do not become ready in 30 s.
    pub async fn nodes(&self, bed: &str, count: usize, zones: usize) -> Result<Vec<String>> {
        let api: Api<Node> = Api::all(self.client());
        let mut names = Vec::new();
        for n in 0..count {
            let name = format!("{bed}-n{}", n + 1);
            let zone = format!("zone-{}", n.checked_rem(zones).unwrap_or_default() + 1);
            api.create(&PostParams::default(), &node(&name, bed, &zone)?).await?;
            names.push(name);
        }
        wait_for("the nodes to be ready", Duration::from_secs(30), async || {
            let nodes = api.list(&ListParams::default().labels(&format!("{BED_LABEL}={bed}"))).await?;
            let ready = nodes.iter().filter(|node| is_true(node, "Ready") && untainted(node)).count();
            Ok((ready == count).then_some(()))
        })
        .await?;
        Ok(names)
    }

    /// Applies objects (server-side, by force): a YAML text of one or more documents.
    ///
    /// # Errors
    ///
    /// It is no YAML, a kind is unknown, or the API server refuses.
    pub async fn apply_yaml(&self, namespace: &str, text: &str) -> Result<()> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text).context("the objects are no YAML")?;
        for object in documents {
            self.apply(namespace, object).await?;
        }
        Ok(())
    }

    /// Applies one object (server-side, by force); `namespace` is where it goes when its kind has one.
    ///
    /// # Errors
    ///
    /// The kind is unknown or the API server refuses.
    pub async fn apply(&self, namespace: &str, object: Value) -> Result<DynamicObject> {
        let object: DynamicObject = serde_json::from_value(object)?;
        let types = object.types.clone().context("the object has no apiVersion and kind")?;
        let name = object.metadata.name.clone().context("the object has no name")?;
        let kind = GroupVersionKind::try_from(&types)?;
        let (resource, capabilities) = kube::discovery::pinned_kind(&self.client, &kind).await?;
        let api = match capabilities.scope {
            kube::discovery::Scope::Cluster => Api::all_with(self.client(), &resource),
            kube::discovery::Scope::Namespaced => self.dynamic(namespace, &resource),
        };
        let params = PatchParams::apply("runcord-tests").force();
        api.patch(&name, &params, &Patch::Apply(&object))
            .await
            .with_context(|| format!("cannot apply {} {name}", types.kind))
    }

    /// Waits until a Deployment, StatefulSet or DaemonSet (by its plural) has rolled out the newest it was told.
    ///
    /// # Errors
    ///
    /// It did not within the time, or is not there.
    pub async fn rolled_out(
        &self,
        namespace: &str,
        plural: &str,
        name: &str,
        within: Duration,
    ) -> Result<Value> {
        let path = format!("/apis/apps/v1/namespaces/{namespace}/{plural}/{name}");
        wait_for(&format!("{plural} {namespace}/{name} to roll out"), within, async || {
            let object: Value = self.client.request(http::Request::get(&path).body(Vec::new())?).await?;
            Ok(is_rolled_out(&object).then_some(object))
        })
        .await
    }

    /// The pods of a namespace that a label selector finds and that are not on their way out.
    ///
    /// # Errors
    ///
    /// The API server refuses.
    pub async fn pods(&self, namespace: &str, labels: &str) -> Result<Vec<Pod>> {
        let pods = self.api::<Pod>(namespace).list(&ListParams::default().labels(labels)).await?;
        Ok(pods.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect())
    }

    fn dynamic(&self, namespace: &str, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client(), namespace, resource)
    }
}

/// Asks every 100 ms until there is an answer.
///
/// # Errors
///
/// Asking failed, or there was no answer within the time.
pub async fn wait_for<T>(
    what: &str,
    within: Duration,
    mut ask: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + within;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if Instant::now() > end {
            bail!("waited {} s in vain for {what}", within.as_secs());
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Whether a pod's `Ready` condition is true.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}

fn is_true(node: &Node, condition: &str) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == condition && one.status == "True"))
}

/// A new node carries a not-ready taint until the controller has looked.
fn untainted(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.taints.as_ref()).is_none_or(Vec::is_empty)
}

/// The same comparison for all three kinds, which name their counts differently.
fn is_rolled_out(object: &Value) -> bool {
    let count = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    let wanted = count("/spec/replicas").or_else(|| count("/status/desiredNumberScheduled"));
    let updated = count("/status/updatedReplicas").or_else(|| count("/status/updatedNumberScheduled"));
    let ready = count("/status/readyReplicas").or_else(|| count("/status/numberReady"));
    let all = count("/status/replicas").or_else(|| count("/status/currentNumberScheduled"));
    count("/status/observedGeneration") == count("/metadata/generation")
        && [updated, ready, all].iter().all(|have| have.unwrap_or_default() == wanted.unwrap_or_default())
}

fn node(name: &str, bed: &str, zone: &str) -> Result<Node> {
    let room = json!({"cpu": "8", "memory": "32Gi", "pods": "110"});
    Ok(serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "topology.kubernetes.io/zone": zone,
            BED_LABEL: bed,
        }},
        "status": {"allocatable": room, "capacity": room},
    }))?)
}
