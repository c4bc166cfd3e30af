//! What may be run in the container, and by whom: exactly the two commands, each under its limit.

use std::fs;

use anyhow::{Context as _, Result};
use runcord_tests::ControlPlane;
use runcord_tests::cluster::wait_for;
use runcord_tests::session::Era;

use super::Queue;
use crate::permissions::Account;
use crate::story::{SOON, verified};

/// One `exec` as a client would ask for it: whether the API server lets it through.
async fn exec(account: &Account, query: &str, namespace: &str) -> Result<std::result::Result<(), String>> {
    let path = format!("/api/v1/namespaces/{namespace}/pods/redis-0/exec?{query}");
    let request = http::Request::get(path).body(Vec::new())?;
    Ok(match account.cluster().await?.client().connect(request).await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    })
}

fn query(container: &str, more: &str, words: &[&str]) -> String {
    let words: String = words.iter().map(|word| format!("&command={word}")).collect();
    format!("stdout=true&container={container}{more}{words}")
}

#[tokio::test]
async fn it_runs_under_exactly_the_printed_permissions_and_stolen_credentials_run_nothing_else() -> Result<()>
{
    let queue = Queue::new("bounded", 10).await?;
    crate::story::web(&queue.bed, 1).await?;
    let namespace = queue.bed.name.as_str();
    let account = Account::new(&queue.bed, &["--namespace", namespace]).await?;
    let plane = ControlPlane::shared()?;
    let mark = plane.mark()?;
    let session =
        queue.bed.session_with(Era::Stateless, &[("KUBECONFIG", account.kubeconfig.clone())]).await?;
    let plan = queue.approved(&session).await?;
    verified(&session, &plan).await?;
    let asked = plane.events_since(mark, &account.user).await?;
    let refused: Vec<_> = asked
        .iter()
        .filter(|event| event.response_status.as_ref().is_some_and(|status| status.code == 403))
        .collect();
    assert!(refused.is_empty(), "a permission is missing: {refused:#?}");

    let key = queue.key.as_str();
    let preview = ["timeout", "-s", "KILL", "30", "redis-cli", "-e", "LLEN", key];
    let purge = ["timeout", "-s", "KILL", "30", "redis-cli", "-e", "LTRIM", key, "1", "0"];
    for words in [&preview[..], &purge] {
        assert_eq!(exec(&account, &query("redis", "", words), namespace).await?, Ok(()), "{words:?}");
    }
    let but = |words: &[&'static str], at: usize, word: &'static str| {
        let mut words: Vec<&str> = words.to_vec();
        words[at] = word;
        words
    };
    let plain = ["timeout", "-s", "KILL", "30", "redis-cli", "-e", "LLEN", "orders"];
    let bad: Vec<(&str, String)> = vec![
        ("another program", query("redis", "", &["sh", "-c", "id"])),
        ("no limit", query("redis", "", &plain[4..])),
        ("a longer limit", query("redis", "", &but(&plain, 3, "600"))),
        ("another subcommand", query("redis", "", &but(&plain, 6, "FLUSHALL"))),
        ("an option as value", query("redis", "", &but(&plain, 7, "--eval"))),
        ("one word more", query("redis", "", &[&plain[..], &["x"]].concat())),
        ("another container", query("main", "", &plain)),
        ("no container", format!("stdout=true{}", "&command=id")),
        ("a terminal", query("redis", "&tty=true", &plain)),
        ("standard input", query("redis", "&stdin=true", &plain)),
    ];
    for (what, query) in bad {
        let refused = exec(&account, &query, namespace).await?.expect_err(what);
        assert!(refused.contains("ValidatingAdmissionPolicy"), "{what}: {refused}");
    }
    let calls = fs::read_to_string(queue.folder.join("calls"))?;
    assert!(!calls.contains("FLUSHALL") && !calls.contains("eval"), "{calls}");
    Ok(())
}

#[tokio::test]
async fn a_planners_account_runs_the_preview_and_not_the_purge() -> Result<()> {
    let queue = Queue::new("looks", 10).await?;
    crate::story::web(&queue.bed, 1).await?;
    let account = Account::new(&queue.bed, &["--only-dry-run"]).await?;
    let session =
        queue.bed.session_with(Era::Stateless, &[("KUBECONFIG", account.kubeconfig.clone())]).await?;
    let plan = queue.approved(&session).await?;
    let end = queue.over(&session, &plan).await?;
    assert_eq!(end.str("/state")?, "failed", "{:#}", end.content);
    assert!(end.str("/summary")?.contains("does not let these credentials"), "{:#}", end.content);
    assert_eq!((queue.purges()?, queue.size()?), (0, 10));
    Ok(())
}

#[tokio::test]
async fn both_verbs_that_are_printed_are_needed() -> Result<()> {
    let queue = Queue::new("verbs", 10).await?;
    crate::story::web(&queue.bed, 1).await?;
    let namespace = queue.bed.name.as_str();
    let account = Account::new(&queue.bed, &["--namespace", namespace]).await?;
    let items = account.printed["items"].as_array().context("no objects")?;
    let role = items.iter().find(|one| one["kind"] == "Role").context("no Role")?;
    let preview = ["timeout", "-s", "KILL", "30", "redis-cli", "-e", "LLEN", queue.key.as_str()];
    let preview = query("redis", "", &preview);
    for verb in ["create", "get"] {
        let mut less = role.clone();
        for rule in less["rules"].as_array_mut().context("no rules")? {
            if rule["resources"].to_string().contains("pods/exec") {
                rule["verbs"].as_array_mut().context("no verbs")?.retain(|one| one != verb);
            }
        }
        queue.bed.cluster.apply(namespace, less).await?;
        wait_for(&format!("exec to be refused without {verb}"), SOON, async || {
            Ok(exec(&account, &preview, namespace)
                .await?
                .is_err_and(|said| said.contains("forbidden"))
                .then_some(()))
        })
        .await?;
        queue.bed.cluster.apply(namespace, role.clone()).await?;
        wait_for("the role to be whole again", SOON, async || {
            Ok(exec(&account, &preview, namespace).await?.is_ok().then_some(()))
        })
        .await?;
    }
    Ok(())
}
