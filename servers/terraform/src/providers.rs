//! Which binaries would run: the digests of the tool and of the providers that it was initialised with.
//!
//! The tool checks a provider against its lock file when it is initialised, not when it starts it; what is started is what
//! is read here.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Error, ErrorKind};
use std::path::{Path, PathBuf};

use runcord_content::Binaries;
use runcord_model::refusal::Code;
use runcord_model::{Digest, Refusal};

/// What is installed: the tool, and the providers in its data.
#[derive(Debug, Clone)]
pub struct Installed(Binaries);

impl Installed {
    /// With the digests that are remembered in this state folder.
    pub fn of(state: &Path) -> Self {
        Self(Binaries::of(state.join("terraform")))
    }

    /// The digest of all provider binaries in the tool's data, with their paths. Without any, that of none.
    ///
    /// # Errors
    /// `internal`: one of them cannot be read, or is changing.
    pub async fn providers(&self, data: &Path) -> Result<Digest, Refusal> {
        let (binaries, folder) = (self.0.clone(), data.join("providers"));
        blocking(move || binaries.tree(&folder)).await
    }

    /// The digest of the tool's own binary.
    ///
    /// # Errors
    /// `internal`: it cannot be read, or is changing.
    pub async fn tool(&self, program: &Path) -> Result<Digest, Refusal> {
        let (binaries, program) = (self.0.clone(), program.to_owned());
        blocking(move || binaries.file(&program)).await
    }

    /// The names of the providers in the tool's data, such as `random`, whoever publishes them.
    ///
    /// # Errors
    /// `internal`: the data cannot be read.
    pub async fn names(&self, data: &Path) -> Result<BTreeSet<String>, Refusal> {
        let folder = data.join("providers");
        blocking(move || {
            let mut level = vec![folder];
            // host / namespace / name
            for _ in 0..3 {
                level = level.iter().map(|path| below(path)).collect::<io::Result<Vec<_>>>()?.concat();
            }
            let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
            Ok(level.iter().filter_map(name).collect())
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Error::other(error)));
    done.map_err(|cause| {
        tracing::error!(%cause, "binaries cannot be read");
        Refusal::new(
            Code::Internal,
            "the binaries of the tool and its providers cannot be read",
            "look into the server's log, and at who may read them, then plan again",
        )
    })
}

/// What is in a folder; nothing where there is none.
fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLUGIN: &str = "providers/registry.terraform.io/hashicorp/null/3.2.4/linux_amd64";

    fn installed() -> (tempfile::TempDir, Installed) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(PLUGIN)).unwrap();
        fs::write(dir.path().join(PLUGIN).join("terraform-provider-null_v3.2.4_x5"), "binary").unwrap();
        let installed = Installed::of(&dir.path().join("state"));
        (dir, installed)
    }

    #[tokio::test]
    async fn the_providers_in_the_tools_data_are_what_counts() {
        let (dir, installed) = installed();
        let first = installed.providers(dir.path()).await.unwrap();
        fs::write(dir.path().join("beside"), "").unwrap();
        assert_eq!(installed.providers(dir.path()).await.unwrap(), first);
        fs::write(dir.path().join(PLUGIN).join("LICENSE"), "").unwrap();
        assert_ne!(installed.providers(dir.path()).await.unwrap(), first);
        let nothing = tempfile::tempdir().unwrap();
        assert!(installed.providers(nothing.path()).await.is_ok(), "a module may need none");
    }

    #[tokio::test]
    async fn providers_are_named_whoever_publishes_them() {
        let (dir, installed) = installed();
        fs::create_dir_all(dir.path().join("providers/example.org/acme/http/1.0.0")).unwrap();
        let names = installed.names(dir.path()).await.unwrap();
        assert_eq!(names, BTreeSet::from(["http".to_owned(), "null".to_owned()]));
        assert!(installed.names(&dir.path().join(PLUGIN)).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_tool_is_the_digest_of_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("terraform");
        fs::write(&program, "").unwrap();
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let installed = Installed::of(dir.path());
        assert_eq!(installed.tool(&program).await.unwrap().as_str(), known);
        let refusal = installed.tool(&dir.path().join("none")).await.unwrap_err();
        assert!(!format!("{refusal:?}").contains(dir.path().to_str().unwrap()));
    }
}
