//! The built binaries that the tests drive.

use std::path::PathBuf;

use anyhow::{Result, ensure};

/// A binary of the workspace, beside the tests in the build's own folder.
///
/// # Errors
///
/// It has not been built: a test of another crate than its own does not build it. `tests/run` does.
pub fn find(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    // target/debug/deps/e2e-… or target/debug/control-plane
    let folder = test.ancestors().skip(1).find(|dir| !dir.ends_with("deps"));
    let path = folder.map(|dir| dir.join(name)).unwrap_or_default();
    ensure!(path.is_file(), "{name} is not built: run `cargo build --workspace --bins`, or tests/run");
    Ok(path)
}
