//! The harness itself, on a server of the reference implementation.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use runcord_tests::python;
use runcord_tests::session::{ERAS, Session};
use serde_json::json;
use tempfile::TempDir;

fn environment() -> Vec<(&'static str, PathBuf)> {
    vec![("PATH", std::env::var_os("PATH").map(PathBuf::from).unwrap_or_default())]
}

fn in_tests(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[tokio::test]
async fn a_session_speaks_both_eras() -> Result<()> {
    let folder = TempDir::new()?;
    let script = in_tests("python/echo.py");
    for era in ERAS {
        let args: [&OsStr; 1] = [script.as_os_str()];
        let stderr = folder.path().join("stderr");
        let session = Session::start(&python::interpreter()?, &args, environment(), &stderr, era).await?;
        assert!(session.tools().await?.iter().any(|tool| tool.name == "plan_echo"), "{era:?}");
        let answer = session.call("plan_echo", json!({"text": "hello"})).await?.done()?;
        assert_eq!(answer.str("/plan_id")?, "hello");
        assert!(session.call("plan_echo", json!({"text": "refuse"})).await?.refused);
        session.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() -> Result<()> {
    let folder = TempDir::new()?;
    let stderr = folder.path().join("stderr");
    let server = Path::new("/bin/ls");
    let args: [&OsStr; 1] = [OsStr::new("/no/such/folder")];
    let failure = match Session::start(server, &args, environment(), &stderr, ERAS[0]).await {
        Ok(_) => anyhow::bail!("it greeted"),
        Err(failure) => format!("{failure:#}"),
    };
    assert!(failure.contains("/no/such/folder"), "{failure}");
    Ok(())
}

#[test]
fn the_reference_client_is_driven() -> Result<()> {
    // The interpreter takes the place of a server: the script makes it one.
    let folder = TempDir::new()?;
    let server = folder.path().join("server");
    let script = format!(
        "#!/bin/sh\nexec {} {}\n",
        python::interpreter()?.display(),
        in_tests("python/echo.py").display()
    );
    std::fs::write(&server, script)?;
    std::fs::set_permissions(&server, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    for mode in ["auto", "legacy", "2026-07-28"] {
        let seen = python::session(mode, &server, environment(), "plan_echo", &json!({"text": "hello"}))?;
        assert!(seen.tools.contains_key("plan_echo") && !seen.refused, "{seen:?}");
        assert_eq!(seen.content["plan_id"], "hello");
    }
    Ok(())
}
