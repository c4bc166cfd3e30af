//! The whole library under exactly the permissions that `runcord kubectl rbac` prints, and what the same credentials
//! cannot do besides.

mod library;
mod marks;
mod narrower;
mod stolen;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use runcord_tests::ControlPlane;
use runcord_tests::bed::{Approver, Bed};
use runcord_tests::cluster::{Cluster, wait_for};
use runcord_tests::session::{Era, Session};
use serde_json::{Value, json};

use crate::story::{SOON, verified};

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
pub(crate) fn by_policy<T>(result: &kube::Result<T>) -> bool {
    matches!(result, Err(kube::Error::Api(status))
        if (status.code == 403 || status.code == 422) && status.message.contains("ValidatingAdmissionPolicy"))
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

/// A mark of the shape that plans have; another one for each letter.
fn mark(letter: char) -> String {
    format!("pln_{}", letter.to_string().repeat(26))
}

/// What a plan would write, whose mark is made of that letter.
fn marked(letter: char, spec: Value) -> Patch<Value> {
    Patch::Merge(json!({"metadata": {"annotations": {"runcord.dev/plan": mark(letter)}}, "spec": spec}))
}
