//! Where this server keeps its files, below the state folder: nobody else's, and each made once.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runcord_content::{Scrap, Scraps, disk, forget};
use runcord_runtime::target::Acted;
use serde_json::json;

use crate::events::Events;
use crate::seen::{Begun, Saved};
use crate::tool::Places;

/// How long what the tool said while applying is kept.
const OUTPUTS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The file in which the tool leaves a state that it could not write.
const ERRORED: &str = "errored.tfstate";

/// How the names of files of events end.
const EVENTS: &str = ".events.jsonl";

/// The folders.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    folder: PathBuf,
    cli_config: PathBuf,
    scraps: Scraps,
}

/// The new files for what the tool says while it applies.
#[derive(Debug)]
pub(crate) struct OutputFiles {
    pub(crate) events: PathBuf,
    pub(crate) errors: PathBuf,
}

impl Desk {
    /// Makes what is not there yet.
    pub(crate) fn make(folder: &Path, mirror: Option<&Path>) -> io::Result<Self> {
        for name in ["", "home", "temporary", "applies", "errored", "providers"] {
            disk::private_folder(&folder.join(name))?;
        }
        let scraps = Scraps::make(folder.join("scraps"))?;
        let mirror = mirror.map(Path::canonicalize).transpose()?;
        let text = cli_config(folder, mirror.as_deref());
        // Servers with other mirrors may share the state folder: each has a file of its own, which nobody changes.
        let name = format!("{}.tfrc", disk::hex(&disk::digest_of(text.as_bytes())));
        if fs::read(folder.join(&name)).ok().as_deref() != Some(text.as_bytes()) {
            disk::replace(folder, &name, text.as_bytes())?;
        }
        Ok(Self { folder: folder.to_owned(), cli_config: folder.join(name), scraps })
    }

    /// What the tool needs.
    pub(crate) fn places(&self) -> Places {
        Places {
            cli_config: self.cli_config.clone(),
            home: self.folder.join("home"),
            temporary: self.folder.join("temporary"),
        }
    }

    /// A temporary file. Secrets may be in it.
    pub(crate) fn scrap(&self) -> Scrap {
        self.scraps.scrap("")
    }

    /// Waits until nobody else fills the cache of providers; until this is dropped nobody else does.
    pub(crate) async fn alone(&self) -> io::Result<File> {
        let path = self.folder.join("providers.lock");
        tokio::task::spawn_blocking(move || disk::lock(&path)).await.map_err(io::Error::other)?
    }

    /// New files for an apply of that plan; those of long ago go.
    pub(crate) fn outputs(&self, saved: &Saved) -> io::Result<OutputFiles> {
        let folder = self.folder.join("applies");
        forget(&folder, OUTPUTS_KEPT)?;
        let name = format!("{}-{}", disk::hex(&saved.digest), self.scraps.name());
        Ok(OutputFiles {
            events: folder.join(format!("{name}{EVENTS}")),
            errors: folder.join(format!("{name}.stderr.log")),
        })
    }

    /// How far that plan was carried out, by this process or another one: the furthest of all attempts, but an attempt that
    /// was left half-way is never made good by another.
    pub(crate) fn begun(&self, saved: &Saved) -> Begun {
        let Ok(entries) = fs::read_dir(self.folder.join("applies")) else { return Begun::InPart };
        let mut far = Begun::NotAtAll;
        for entry in entries {
            let Ok(entry) = entry else { return Begun::InPart };
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(disk::hex(&saved.digest)) && name.ends_with(EVENTS) {
                match Events::of(&entry.path()).begun() {
                    Begun::InPart => return Begun::InPart,
                    Begun::ToItsEnd => far = Begun::ToItsEnd,
                    Begun::NotAtAll => {}
                }
            }
        }
        far
    }

    /// Keeps a state that the tool could not write to its backend: what happened is only in there.
    pub(crate) fn rescue(&self, directory: &Path, acted: Acted) -> Acted {
        let left = directory.join(ERRORED);
        if !left.exists() {
            return acted;
        }
        let name = format!("{}.tfstate", self.scraps.name());
        let told = match fs::rename(&left, self.folder.join("errored").join(&name)) {
            Ok(()) => format!("it is kept as terraform/errored/{name} in the state folder"),
            Err(_) => "it is in the configuration's folder".to_owned(),
        };
        Acted::Lost {
            reason: format!(
                "the tool changed the world and could not write its state; {told}: a person pushes it with `state push`"
            ),
        }
    }
}

/// The configuration of the tool's command line: where providers come from, and no development overrides
/// (<https://developer.hashicorp.com/terraform/cli/config/config-file>). JSON is valid there, and nothing in it needs quoting
/// of another kind.
fn cli_config(folder: &Path, mirror: Option<&Path>) -> String {
    let config = match mirror {
        Some(mirror) => json!({"provider_installation": [{"filesystem_mirror": [{"path": mirror}]}]}),
        // Each configuration has data of its own: without the cache each would download its providers anew.
        None => json!({
            "provider_installation": [{"direct": [{}]}],
            "plugin_cache_dir": folder.join("providers"),
        }),
    };
    config.to_string()
}
