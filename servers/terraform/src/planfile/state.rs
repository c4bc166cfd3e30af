//! The state as a plan knows it: how many instances it holds, and which writing of it the plan rests on.

use std::io::{BufReader, Read, Seek};

use serde::Deserialize;
use zip::ZipArchive;

use super::Unreadable;
use crate::names::Lineage;
use crate::seen::StateMark;

/// The entry of a plan file that holds the state it rests on.
const ENTRY: &str = "tfstate";

/// `prior_state` of a plan's JSON: read only to count.
#[derive(Deserialize)]
pub(super) struct PriorState {
    #[serde(default)]
    values: Option<Values>,
}

#[derive(Deserialize)]
struct Values {
    #[serde(default)]
    root_module: Option<StateModule>,
}

#[derive(Deserialize)]
struct StateModule {
    #[serde(default)]
    resources: Vec<StateResource>,
    #[serde(default)]
    child_modules: Vec<StateModule>,
}

#[derive(Deserialize)]
struct StateResource {
    mode: String,
}

impl PriorState {
    /// Instances of managed resources.
    pub(super) fn instances(&self) -> i64 {
        let root = self.values.as_ref().and_then(|values| values.root_module.as_ref());
        i64::try_from(root.map_or(0, StateModule::managed)).unwrap_or(i64::MAX)
    }
}

impl StateModule {
    fn managed(&self) -> usize {
        let own = self.resources.iter().filter(|resource| resource.mode == "managed").count();
        own + self.child_modules.iter().map(Self::managed).sum::<usize>()
    }
}

/// What of a state says which one it is.
#[derive(Deserialize)]
struct Mark {
    lineage: Lineage,
    serial: u64,
}

/// Which writing of which state a plan file rests on: the lineage and the serial of the copy within it, and nothing else
/// of that copy.
///
/// # Errors
/// It is no plan file, or its copy of the state is not in the form that is known.
pub fn state_mark(plan_file: impl Read + Seek) -> Result<StateMark, Unreadable> {
    let mut archive = ZipArchive::new(plan_file).map_err(|_| Unreadable::NotAPlan)?;
    let entry = archive.by_name(ENTRY).map_err(|_| Unreadable::NoState)?;
    let mark: Mark = serde_json::from_reader(BufReader::new(entry)).map_err(|_| Unreadable::NoState)?;
    Ok(StateMark { lineage: mark.lineage, serial: mark.serial })
}
