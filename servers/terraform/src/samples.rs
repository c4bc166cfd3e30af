//! Hand-made observations for tests: a root module `network` with a pool of nodes and a database.

use runcord_model::Digest;
use runcord_model::bounds::Span;
use runcord_runtime::mask::Mask;
use serde_json::json;

use crate::actions::{Action, OnModule};
use crate::modules::Module;
use crate::names::ModuleName;
use crate::seen::{
    Deed, Found, Look, Planned, ResourceChange, RestsOn, Saved, Seen, Shown, StateMark, ValueChange,
};

pub(crate) fn mask() -> Mask {
    Mask::new([7; 32])
}

pub(crate) fn module() -> ModuleName {
    "network".parse().unwrap()
}

pub(crate) fn declared() -> Module {
    serde_json::from_value(json!({
        "directory": "network",
        "workspaces": ["default"],
        "backend": {"type": "local"},
        "variables": {
            "owner": {}, "password": {}, "size": {"value": 3, "pool": {"minimum": 1, "maximum": 5}}, "zone": {},
        },
        "may_name": ["aws_instance.node"],
        "data_bearing": ["aws_db_instance"],
        "runs_code": ["terraform_data.hooked"],
    }))
    .unwrap()
}

pub(crate) fn on_module() -> OnModule {
    OnModule { module: module(), timeout: Span::HALF_AN_HOUR }
}

pub(crate) fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

pub(crate) fn rests_on() -> RestsOn {
    RestsOn {
        configuration: digest(1),
        providers: digest(2),
        tool: digest(3),
        version: "terraform 1.11.4".into(),
        state: StateMark { lineage: "11111111-2222-3333-4444-555555555555".parse().unwrap(), serial: 7 },
    }
}

pub(crate) fn saved() -> Saved {
    Saved { digest: digest(4) }
}

/// A change of one value of an instance.
pub(crate) fn change(address: &str, deed: Deed) -> ResourceChange {
    let kind = address.split('.').rev().nth(1).unwrap_or_default();
    ResourceChange {
        address: address.into(),
        moved_from: None,
        kind: kind.parse().unwrap(),
        provider: "registry.terraform.io/hashicorp/aws".into(),
        deed,
        imported: false,
        values: vec![ValueChange {
            path: "size".into(),
            before: Shown::Value(json!("small")),
            after: Shown::Value(json!("large")),
        }],
        fingerprint: format!("hmac-sha256:{address}"),
    }
}

/// A plan of these changes, in a state of twenty instances.
pub(crate) fn planned(changes: Vec<ResourceChange>) -> Planned {
    Planned {
        rests_on: rests_on(),
        saved: saved(),
        changes,
        outputs: std::collections::BTreeSet::new(),
        drifted: vec![],
        instances: 20,
        doubts: vec![],
        begun: crate::seen::Begun::NotAtAll,
        applied_before: Some(digest(5)),
    }
}

pub(crate) fn look(action: Action, found: Found) -> Look {
    Look { action, module: module(), declared: declared(), workspace: "default".parse().unwrap(), found }
}

/// What was seen for applying the configuration.
pub(crate) fn seen(changes: Vec<ResourceChange>) -> Seen {
    let found = Found::Planned(Box::new(planned(changes)));
    Seen { looks: vec![look(Action::ApplyConfiguration(on_module()), found)] }
}
