//! Where an installation lives: its configuration file, policy folder, keys and state.

use std::path::{Path, PathBuf};

use runcord_model::AgentName;
use runcord_runtime::settings::{Options, Origin, Settings};

use super::{Made, Told, absolute};
use crate::failure::Failure;
use crate::files::{self, Readers};

/// The places of an installation, decided before anything is written.
pub(super) struct Place {
    config: PathBuf,
    policy: PathBuf,
    /// The text of the configuration file to be written; none when there is one.
    text: Option<String>,
}

impl Place {
    /// Decides where everything is to live.
    ///
    /// # Errors
    /// A configuration file is there that cannot be used, or that names no policy folder.
    pub(super) fn find(agent: Option<&AgentName>, options: &Options) -> Result<Self, Failure> {
        let named_and_missing = options.config.as_ref().filter(|path| !path.exists());
        let resolved = match named_and_missing {
            Some(path) => {
                Settings { config: absolute(path)?, ..Settings::resolve(&without_config(options))? }
            }
            None => Settings::resolve(options)?,
        };
        let config = absolute(&resolved.config)?;
        if config.exists() {
            return Self::existing(config, resolved);
        }
        let policy = match (&options.policy, config.parent()) {
            (Some(folder), _) => absolute(folder)?,
            (None, Some(folder)) => folder.join("policy"),
            (None, None) => {
                return Err(Failure::usage(
                    "the configuration file has no folder",
                    "name another with --config",
                ));
            }
        };
        let state = absolute(options.state.as_ref().unwrap_or(&resolved.state))?;
        let runbooks = options.runbooks.as_ref().map(|folder| absolute(folder)).transpose()?;
        let text = config_text(agent, &policy, &state, runbooks.as_deref())?;
        Ok(Self { config, policy, text: Some(text) })
    }

    fn existing(config: PathBuf, resolved: Settings) -> Result<Self, Failure> {
        match resolved.policy {
            Origin::Folder(policy) => Ok(Self { config, policy: absolute(&policy)?, text: None }),
            Origin::Shipped => Err(Failure::refused(
                format!(
                    "{} names no policy folder, so there is nowhere to put an approver",
                    config.display()
                ),
                "add a line `policy: policy` to it, or name a folder with --policy; then run it again",
            )),
        }
    }

    /// The policy folder.
    pub(super) fn policy(&self) -> &Path {
        &self.policy
    }

    /// The folder of the keys that init makes.
    pub(super) fn keys(&self) -> PathBuf {
        self.config.parent().map_or_else(|| PathBuf::from("keys"), |folder| folder.join("keys"))
    }

    /// The text of `approvers`; nothing when there is none.
    pub(super) fn approvers_text(&self) -> Result<String, Failure> {
        let file = self.policy.join("approvers");
        if file.exists() { files::read(&file) } else { Ok(String::new()) }
    }

    /// Writes the configuration file, where there is none.
    pub(super) fn write_config(&self, told: &mut Told) -> Result<(), Failure> {
        let Some(text) = &self.text else {
            told.step("configuration", Made::There, self.config.display().to_string());
            return Ok(());
        };
        if let Some(folder) = self.config.parent() {
            files::private_folder(folder)?;
        }
        files::write_new(&self.config, text, Readers::Everybody)?;
        told.step("configuration", Made::Made, self.config.display().to_string());
        Ok(())
    }

    /// The settings as every other command will see them.
    pub(super) fn settings(&self, options: &Options) -> Result<Settings, Failure> {
        let options = Options {
            config: Some(self.config.clone()),
            policy: Some(self.policy.clone()),
            ..options.clone()
        };
        Ok(Settings::resolve(&options)?)
    }
}

fn without_config(options: &Options) -> Options {
    Options { config: None, ..options.clone() }
}

fn config_text(
    agent: Option<&AgentName>,
    policy: &Path,
    state: &Path,
    runbooks: Option<&Path>,
) -> Result<String, Failure> {
    let mut text =
        "# Runcord's configuration. It is not authority: nothing in it permits anything.\n".to_owned();
    if let Some(agent) = agent {
        text.push_str(&format!("agent: \"{agent}\"\n"));
    }
    for (key, path) in [("policy", Some(policy)), ("state", Some(state)), ("runbooks", runbooks)] {
        if let Some(path) = path {
            text.push_str(&format!("{key}: {}\n", quoted(path)?));
        }
    }
    Ok(text)
}

/// A path as a YAML string: JSON's strings are YAML's too.
fn quoted(path: &Path) -> Result<String, Failure> {
    let text = path
        .to_str()
        .ok_or_else(|| Failure::usage("a path is not UTF-8", "choose folders whose names are UTF-8"))?;
    serde_json::to_string(text)
        .map_err(|error| Failure::usage("a path cannot be written down", "choose another").because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_that_was_named_and_is_missing_is_made_there() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            config: Some(folder.path().join("etc/runcord.yaml")),
            state: Some(folder.path().join("state \"x\"")),
            ..Options::default()
        };
        let place = Place::find(Some(&"claude".parse().unwrap()), &options).unwrap();
        place.write_config(&mut Told::default()).unwrap();
        let settings =
            Settings::resolve(&Options { config: options.config.clone(), ..Options::default() }).unwrap();
        assert_eq!(settings.agent.as_str(), "claude");
        assert_eq!(settings.state, folder.path().join("state \"x\""));
        assert_eq!(settings.policy, Origin::Folder(folder.path().join("etc/policy")));
        assert!(Place::find(None, &options).unwrap().text.is_none(), "run again, it is there");
    }

    #[test]
    fn a_configuration_without_a_policy_folder_is_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("runcord.yaml");
        std::fs::write(&config, "agent: claude\n").unwrap();
        let options = Options {
            config: Some(config.clone()),
            state: Some(folder.path().join("s")),
            ..Options::default()
        };
        assert!(Place::find(None, &options).is_err());
        assert_eq!(std::fs::read_to_string(config).unwrap(), "agent: claude\n");
    }
}
