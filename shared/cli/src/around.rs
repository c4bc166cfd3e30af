//! What most commands need around them: settings, ledger, loaded files.

use std::path::PathBuf;

use runcord_ledger::Ledger;
use runcord_model::Moment;
use runcord_runtime::clock;
use runcord_runtime::library::Library;
use runcord_runtime::settings::{Options, Settings};

use crate::failure::Failure;
use crate::servers;

/// The surroundings of one command.
#[derive(Debug)]
pub(crate) struct Around {
    pub(crate) options: Options,
}

impl Around {
    /// The settings in force.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        Ok(Settings::resolve(&self.options)?)
    }

    /// The ledger. A missing one is not made here: only `init` and the servers do that.
    pub(crate) fn ledger(&self) -> Result<Ledger, Failure> {
        let state = self.settings()?.state;
        if !state.is_dir() {
            return Err(Failure::surroundings(
                format!("there is no state folder {}", state.display()),
                "run `runcord init`, or name the right folder with --state",
            ));
        }
        Ok(Ledger::open(&state, clock::entropy()?)?)
    }

    /// The policy and the runbooks, loaded and checked.
    pub(crate) fn library(&self) -> Result<Library, Failure> {
        Ok(servers::library(&self.settings()?)?)
    }

    /// Where the keys are that `init` makes: beside the configuration file.
    pub(crate) fn keys_folder(&self) -> Result<PathBuf, Failure> {
        Ok(keys_folder(&self.settings()?))
    }

    /// Both clocks, read now.
    pub(crate) fn now(&self) -> Result<Moment, Failure> {
        Ok(clock::now()?)
    }
}

/// Where the keys are that `init` makes: beside the configuration file.
pub(crate) fn keys_folder(settings: &Settings) -> PathBuf {
    settings.config.parent().map_or_else(|| PathBuf::from("keys"), |folder| folder.join("keys"))
}
