//! `runcord runbook drift`: what a nightly job sees when the cluster or the library has moved.

use std::path::Path;
use std::process::Output;

use anyhow::{Context as _, Result};
use runcord_tests::ControlPlane;
use runcord_tests::bed::{Approver, Bed};
use runcord_tests::cluster::wait_for;
use runcord_tests::session::Era;
use serde_json::{Value, json};

use crate::permissions::Account;
use crate::story::{SOON, of_web, verified, web, with};
use crate::volumes;

/// The exit code, and what was printed for programs.
fn drift(bed: &Bed, account: &Account, more: &[&str]) -> Result<(i32, Value)> {
    let kubeconfig = account.kubeconfig.to_string_lossy().into_owned();
    let args = ["runbook", "drift", "--json", "--kubeconfig", &kubeconfig];
    let Output { status, stdout, stderr } = bed.runcord(args.into_iter().chain(more.iter().copied()))?;
    let printed =
        serde_json::from_slice(&stdout).with_context(|| String::from_utf8_lossy(&stderr).into_owned())?;
    Ok((status.code().context("killed")?, printed))
}

/// All that does not hold, in the words of the findings.
fn said(printed: &Value) -> Vec<String> {
    let runbooks = printed["runbooks"].as_array().into_iter().flatten();
    let findings = runbooks.flat_map(|one| one["findings"].as_array().into_iter().flatten());
    findings
        .filter(|one| one["state"] != "holds")
        .filter_map(|one| one["says"].as_str())
        .map(str::to_owned)
        .collect()
}

/// Somebody who may do everything, and whom no policy holds.
fn administrator() -> Result<Account> {
    let kubeconfig = ControlPlane::shared()?.kubeconfig_for("test-admin", &["system:masters"])?;
    Ok(Account { user: String::new(), kubeconfig, name: String::new(), printed: Value::Null })
}

fn shipped(name: &str) -> Result<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../runbooks/kubectl/{name}.yaml"));
    Ok(std::fs::read_to_string(file)?)
}

#[tokio::test]
async fn a_library_that_fits_its_cluster_holds_and_nothing_is_written() -> Result<()> {
    let bed = Bed::new("fits", 2).await?;
    web(&bed, 2).await?;
    let account = Account::new(&bed, &[]).await?;
    let session = bed.session(Era::Stateless).await?;
    let plan =
        session.call("plan_scale_workload", with(of_web(&bed), json!({"replicas": 3}))).await?.done()?;
    verified(&session, &plan).await?;

    let plane = ControlPlane::shared()?;
    let mark = plane.mark()?;
    let (code, printed) = drift(&bed, &account, &[])?;
    assert_eq!(code, 0, "{:#?}", said(&printed));
    assert_eq!(printed["holds"], true);
    assert!(plane.writes_since(mark, &account.user).await?.is_empty());
    let of = |name: &str| {
        let found = printed["runbooks"].as_array().unwrap().iter().find(|one| one["runbook"] == name);
        found.cloned().unwrap()
    };
    assert!(of("scale_workload")["last_success"].is_string(), "{:#}", of("scale_workload"));
    assert!(of("restart_workload")["last_success"].is_null());
    assert!(of("drain_node")["checks"]["compiled"].as_u64().unwrap() > 0);

    let page = bed.runcord(["runbook", "drift"])?;
    assert!(String::from_utf8_lossy(&page.stdout).contains("LAST SUCCESS"));
    Ok(())
}

#[tokio::test]
async fn a_permission_that_was_taken_away_is_named() -> Result<()> {
    let bed = Bed::new("taken", 1).await?;
    web(&bed, 1).await?;
    let account = Account::new(&bed, &["--namespace", bed.name.as_str()]).await?;
    let confined = ["--namespace", bed.name.as_str()];
    assert_eq!(drift(&bed, &account, &confined)?.0, 0);
    assert_eq!(drift(&bed, &account, &[])?.0, 1, "it is granted in one namespace only");

    let mut role = account.printed["items"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["kind"] == "Role"))
        .cloned()
        .context("no Role")?;
    for rule in role["rules"].as_array_mut().context("no rules")? {
        let resources = rule["resources"].as_array_mut().context("no resources")?;
        resources.retain(|one| one != "horizontalpodautoscalers" && one != "daemonsets");
    }
    role["rules"].as_array_mut().unwrap().retain(|rule| rule["resources"] != json!([]));
    bed.cluster.apply(bed.name.as_str(), role).await?;
    let printed = wait_for("the role to count", SOON, async || {
        let (code, printed) = drift(&bed, &account, &confined)?;
        Ok((code == 1).then_some(printed))
    })
    .await?;
    let said = said(&printed);
    for gone in ["list horizontalpodautoscalers.autoscaling", "patch daemonsets.apps", "get daemonsets.apps"]
    {
        let expected = format!("the credentials may not {gone} in namespace {}", bed.name);
        assert!(said.contains(&expected), "{said:#?}");
    }
    assert!(!said.iter().any(|one| one.contains("deployments")), "{said:#?}");

    // Without any permission the cluster cannot even be told apart: that is said, and is no success.
    let nobody = ControlPlane::shared()?.kubeconfig_for(&format!("{}-nobody", bed.name), &[])?;
    let args = ["runbook", "drift", "--json", "--kubeconfig", &nobody.to_string_lossy()];
    let refused = bed.runcord(args)?;
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stdout).contains("read namespaces"));
    Ok(())
}

#[tokio::test]
async fn a_review_that_is_over_and_a_name_that_is_gone_are_drift() -> Result<()> {
    let bed = Bed::new("over", 1).await?;
    web(&bed, 1).await?;
    let runbooks = bed.path("runbooks");
    std::fs::create_dir(&runbooks)?;
    let write = |until: &str, name: &str| -> Result<()> {
        let text = shipped("workload_status")?
            .replace(
                "  owner: platform\n",
                &format!("  owner: platform\n  reviewed: {{by: [ana], until: {until}}}\n"),
            )
            .replace("namespace: \"${params.namespace}\"", &format!("namespace: {}", bed.name))
            .replace("kind: \"${params.kind}\"", "kind: Deployment")
            .replace("name: \"${params.name}\"", &format!("name: {name}"))
            .replace("${params.kind} ${params.namespace}/${params.name}", "the shop");
        let (head, rest) = text.split_once("  params:\n").context("no params")?;
        let (_, tail) = rest.split_once("  headline:").context("no headline")?;
        Ok(std::fs::write(runbooks.join("status.yaml"), format!("{head}  headline:{tail}"))?)
    };
    write("2099-01-01", "web")?;
    std::fs::write(bed.path("runcord.yaml"), "agent: claude\nrunbooks: runbooks\n")?;
    bed.activate(Approver::Ana)?;
    let account = administrator()?;
    let (code, printed) = drift(&bed, &account, &[])?;
    assert_eq!(code, 0, "{:#?}", said(&printed));

    write("2026-01-01", "gone")?;
    let (code, printed) = drift(&bed, &account, &[])?;
    assert_eq!(code, 1);
    let said = said(&printed);
    assert!(
        said.contains(&"its review counted until 2026-01-01: have it read again".to_owned()),
        "{said:#?}"
    );
    let gone = format!("the runbook names Deployment {}/gone, which is not there", bed.name);
    assert!(said.contains(&gone), "{said:#?}");

    let file = runbooks.join("status.yaml");
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(
        &file,
        text.replace(&format!("namespace: {}", bed.name), &format!("namespace: {}-gone", bed.name)),
    )?;
    let said = self::said(&drift(&bed, &account, &[])?.1);
    let gone = format!("the runbook names namespace {}-gone, which is not there", bed.name);
    assert!(said.contains(&gone), "{said:#?}");
    Ok(())
}

#[tokio::test]
async fn a_claim_that_a_runbook_names_and_that_is_gone_is_drift() -> Result<()> {
    let bed = Bed::new("named-claim", 0).await?;
    volumes::data(&bed).await?;
    let runbooks = bed.path("runbooks");
    std::fs::create_dir(&runbooks)?;
    let write = |name: &str| -> Result<()> {
        let text = shipped("grow_volume")?
            .replace("namespace: ${params.namespace}", &format!("namespace: {}", bed.name))
            .replace("name: ${params.name}", &format!("name: {name}"));
        Ok(std::fs::write(runbooks.join("grow.yaml"), text)?)
    };
    write("data")?;
    std::fs::write(bed.path("runcord.yaml"), "agent: claude\nrunbooks: runbooks\n")?;
    bed.activate(Approver::Ana)?;
    let account = administrator()?;
    let (code, printed) = drift(&bed, &account, &[])?;
    assert_eq!(code, 0, "{:#?}", said(&printed));
    write("gone")?;
    let (code, printed) = drift(&bed, &account, &[])?;
    assert_eq!(code, 1);
    let gone = format!("the runbook names PersistentVolumeClaim {}/gone, which is not there", bed.name);
    assert!(said(&printed).contains(&gone), "{:#?}", said(&printed));
    Ok(())
}

#[tokio::test]
async fn a_check_that_gives_no_answer_on_the_cluster_is_drift() -> Result<()> {
    let bed = Bed::new("checks", 1).await?;
    web(&bed, 1).await?;
    let account = Account {
        kubeconfig: ControlPlane::shared()?.kubeconfig_for("test-admin", &["system:masters"])?,
        user: String::new(),
        name: String::new(),
        printed: Value::Null,
    };
    let on_node = format!("cordon_node.node={}-n1", bed.name);
    let of_web = format!("scale_workload.namespace={}", bed.name);
    let params = [
        "--param",
        &on_node,
        "--param",
        "scale_workload.kind=Deployment",
        "--param",
        &of_web,
        "--param",
        "scale_workload.name=web",
        "--param",
        "scale_workload.replicas=2",
    ];
    let mark = ControlPlane::shared()?.mark()?;
    let (code, printed) = drift(&bed, &account, &params)?;
    assert_eq!(code, 0, "{:#?}", said(&printed));
    assert!(ControlPlane::shared()?.writes_since(mark, "test-admin").await?.is_empty());
    let of = |printed: &Value, name: &str| {
        printed["runbooks"].as_array().unwrap().iter().find(|one| one["runbook"] == name).cloned().unwrap()
    };
    for (name, evaluated) in
        [("cordon_node", "target"), ("scale_workload", "target"), ("drain_node", "sample")]
    {
        assert_eq!(of(&printed, name)["checks"]["evaluated_on"], evaluated, "{name}");
    }
    let findings = of(&printed, "scale_workload")["findings"].as_array().cloned().unwrap_or_default();
    assert!(
        findings.iter().any(|one| one["aspect"] == "evaluable" && one["state"] == "holds"),
        "{findings:#?}"
    );
    let wrong = bed.runcord(["runbook", "drift", "--param", "cordon_node.node=-all"])?;
    assert_eq!(wrong.status.code(), Some(2), "{}", String::from_utf8_lossy(&wrong.stderr));

    // A zone of that name is in the sample, so the file loads; the cluster has none.
    let runbooks = bed.path("runbooks");
    std::fs::create_dir(&runbooks)?;
    let check = "    - check: 100 / nodes.filter(n, n.zone == 'z1').size() > 0\n      message: no zone z1\n";
    let text = shipped("cordon_node")?.replace("  preconditions:\n", &format!("  preconditions:\n{check}"));
    std::fs::write(runbooks.join("cordon_node.yaml"), text)?;
    std::fs::write(bed.path("runcord.yaml"), "agent: claude\nrunbooks: runbooks\n")?;
    bed.activate(Approver::Ana)?;
    assert_eq!(drift(&bed, &account, &[])?.0, 0, "on the sample it gives an answer");
    let (code, printed) = drift(&bed, &account, &["--param", &on_node])?;
    assert_eq!(code, 1);
    let said = said(&printed);
    assert!(
        said.iter().any(|one| one.contains("cannot be evaluated on the target: arithmetic")),
        "{said:#?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_no_drift() -> Result<()> {
    let bed = Bed::new("silent", 0).await?;
    let nowhere = bed.path("nowhere");
    let text = std::fs::read_to_string(ControlPlane::shared()?.kubeconfig())?;
    std::fs::write(&nowhere, text.replace(ControlPlane::shared()?.server(), "https://127.0.0.1:1"))?;
    let args = ["runbook", "drift", "--json", "--kubeconfig", &nowhere.to_string_lossy()];
    assert_eq!(bed.runcord(args)?.status.code(), Some(3));
    Ok(())
}
