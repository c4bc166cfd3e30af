//! Where the control plane's binaries are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The folder with the binaries, as `tests/controlplane/assets` finds or makes it. Its progress goes to standard error.
///
/// # Errors
///
/// The script found no way to them; it has said why.
pub(crate) fn find() -> Result<PathBuf> {
    let output = Command::new(source("assets"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("tests/controlplane/assets cannot be started")?;
    ensure!(output.status.success(), "tests/controlplane/assets failed: {}", output.status);
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim_end()))
}

/// A file of `tests/controlplane`.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("controlplane").join(name)
}
