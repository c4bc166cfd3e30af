//! How what is answered is found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;

use runcord_model::Refusal;
use runcord_model::text::Cleaner;
use serde::Deserialize;
use serde_json::Value;

use super::{Became, Drift, Drifted, Held, OfType, Output, Outputs, Resources};
use crate::actions::{Action, Named};
use crate::names::{self, ResourceType};
use crate::planfile::Reading;
use crate::probe::{Prober, Ready};
use crate::seen::{Deed, ResourceChange, Shown};
use crate::tool::Asked;
use runcord_runtime::refusals::{internal, unusable};

/// So many instances, outputs and types are listed.
const LISTED: usize = 60;
/// So many values of one instance are shown.
const VALUES: usize = 5;
/// One value, in bytes.
const VALUE: usize = 200;

/// Carries out an action that only looks.
pub(crate) async fn read(prober: &Prober, action: &Action) -> Result<Value, Refusal> {
    let ready = prober.ready(action, None).await?;
    let answer = match action {
        Action::DetectDrift(named) => serde_json::to_value(drift(prober, &ready, named).await?),
        Action::ListResources(named) => serde_json::to_value(resources(prober, &ready, named).await?),
        Action::ShowOutputs(named) => serde_json::to_value(outputs(prober, &ready, named).await?),
        Action::ApplyConfiguration(_)
        | Action::ReplaceInstance(_)
        | Action::SetPool(_)
        | Action::ApplyCommit(_)
        | Action::ApplyEarlier(_)
        | Action::AcceptDrift(_)
        | Action::UnlockState(_) => return Err(internal("an action that changes something was to be read")),
    };
    answer.map_err(|_| internal("what was read could not be written"))
}

async fn drift(prober: &Prober, ready: &Ready, named: &Named) -> Result<Drift, Refusal> {
    let Reading { drift, instances, .. } = prober.compare(ready, &Asked::RefreshOnly).await?;
    let pending = prober.compare(ready, &Asked::Changes).await?.changes.len();
    Ok(Drift {
        module: named.module.clone(),
        workspace: prober.workspace.clone(),
        instances,
        drifted: drift.len(),
        changes: drift.iter().take(LISTED).map(drifted).collect(),
        pending,
    })
}

fn drifted(change: &ResourceChange) -> Drifted {
    let cleaner = Cleaner::default();
    let line = |value: &crate::seen::ValueChange| {
        let text = format!("{}: {} → {}", value.path, in_words(&value.before), in_words(&value.after));
        cleaner.clean(&text, VALUE)
    };
    Drifted {
        address: names::shown(&change.address),
        kind: change.kind.clone(),
        became: match change.deed {
            Deed::Delete | Deed::Forget => Became::Gone,
            Deed::Keep | Deed::Create | Deed::Update | Deed::Replace => Became::Changed,
        },
        values: change.values.len(),
        untrusted: change.values.iter().take(VALUES).map(line).collect(),
    }
}

fn in_words(value: &Shown) -> String {
    match value {
        Shown::Absent => "nothing".to_owned(),
        Shown::Value(value) => value.to_string(),
        Shown::Hidden => "(sensitive)".to_owned(),
        Shown::Unknown => "(not known yet)".to_owned(),
    }
}

/// Of a state as `show -json` writes it, only what is listed: values may be secret.
#[derive(Deserialize)]
struct State {
    values: Option<Values>,
}

#[derive(Deserialize)]
struct Values {
    root_module: Option<Module>,
}

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    resources: Vec<Resource>,
    #[serde(default)]
    child_modules: Vec<Module>,
}

#[derive(Deserialize)]
struct Resource {
    address: String,
    mode: String,
    #[serde(rename = "type")]
    kind: ResourceType,
    #[serde(default)]
    provider_name: String,
}

impl Module {
    fn gather(self, found: &mut Vec<Resource>) {
        found.extend(self.resources.into_iter().filter(|resource| resource.mode == "managed"));
        self.child_modules.into_iter().for_each(|module| module.gather(found));
    }
}

async fn resources(prober: &Prober, ready: &Ready, named: &Named) -> Result<Resources, Refusal> {
    let json = prober.desk.scrap();
    prober.session(ready).show_state(json.path()).await?;
    let file = File::open(json.path()).map_err(|_| internal("what the tool wrote cannot be opened"))?;
    let state: State = serde_json::from_reader(BufReader::new(file)).map_err(|_| not_understood())?;
    let mut found = Vec::new();
    if let Some(module) = state.values.and_then(|values| values.root_module) {
        module.gather(&mut found);
    }
    let mut types: BTreeMap<&ResourceType, usize> = BTreeMap::new();
    for resource in &found {
        *types.entry(&resource.kind).or_default() += 1;
    }
    let of_type = |(kind, count): (&ResourceType, usize)| OfType {
        kind: kind.clone(),
        count,
        holds_data: ready.declared.data_bearing.contains(kind),
    };
    let mut types: Vec<_> = types.into_iter().map(of_type).collect();
    types.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.kind.cmp(&b.kind)));
    types.truncate(LISTED);
    let held = |resource: &Resource| Held {
        address: names::shown(&resource.address),
        kind: resource.kind.clone(),
        provider: names::provider(&resource.provider_name),
    };
    Ok(Resources {
        module: named.module.clone(),
        workspace: prober.workspace.clone(),
        total: found.len(),
        resources: found.iter().take(LISTED).map(held).collect(),
        more: found.len() > LISTED,
        types,
    })
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    sensitive: bool,
    value: Value,
}

async fn outputs(prober: &Prober, ready: &Ready, named: &Named) -> Result<Outputs, Refusal> {
    let text = prober.session(ready).outputs().await?;
    let said: BTreeMap<String, Said> = serde_json::from_slice(&text).map_err(|_| not_understood())?;
    // A value that is sensitive in one output may be a part of another one.
    let mut cleaner = Cleaner::default();
    let secrets: BTreeSet<String> =
        said.values().filter(|s| s.sensitive).flat_map(|s| texts(&s.value)).collect();
    secrets.iter().for_each(|secret| cleaner.learn(secret));
    let output = |(name, said): (&String, &Said)| Output {
        name: names::label(name),
        sensitive: said.sensitive,
        untrusted: (!said.sensitive).then(|| cleaner.clean(&said.value.to_string(), VALUE)),
    };
    Ok(Outputs {
        module: named.module.clone(),
        workspace: prober.workspace.clone(),
        outputs: said.iter().take(LISTED).map(output).collect(),
        total: said.len(),
    })
}

/// All texts in a value.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}

fn not_understood() -> Refusal {
    unusable("what the tool says of the state is not understood", "Report this as a fault of Runcord.")
}
