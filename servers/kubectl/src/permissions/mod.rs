//! What each action needs the API server to permit, and what of it admission may hold it to. Pure.
//!
//! This is a declaration, kept beside the catalog: the end-to-end tests run the whole library under exactly these
//! permissions, and fail when one is missing or is never used.

mod commands;
#[cfg(test)]
mod readme;
mod table;

use std::collections::BTreeSet;

use runcord_model::action::Use;

use crate::actions::Kind;

pub use commands::{CommandBound, Fed, Purpose, Word};
pub(crate) use table::{SECRET_DATA, STORAGE, TAINTS};
pub use table::{bounds, permissions};

/// One verb on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The version that is asked for.
    pub version: &'static str,
    /// The plural, with its subresource: `pods`, `pods/log`.
    pub resource: &'static str,
    /// The verb, as RBAC names it.
    pub verb: &'static str,
    /// The only object that it is needed for.
    pub name: Option<String>,
    /// Where it is needed.
    pub reach: Reach,
}

/// Where a permission is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// On objects of the cluster, or in namespaces that only looking tells: those of the pods on a node.
    Cluster,
    /// In the namespace that the caller names.
    Namespace,
}

/// What a write of an action may do, for admission to hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// Changes these fields of an object, and nothing else of it but our own annotation.
    Change {
        /// The API group; empty for the core.
        group: &'static str,
        /// The plural.
        resource: &'static str,
        /// Where the object is.
        reach: Reach,
        /// Each field as the keys that lead to it.
        field: &'static [&'static str],
    },
    /// Evicts a pod by its uid, with the pod's own grace.
    Evict {
        /// Where the pod is.
        reach: Reach,
    },
    /// Keeps values of a Secret in an immutable one beside it, in a namespace that the caller names.
    KeepSecret,
    /// Deletes one finished Job by its uid, in the foreground, in a namespace that the caller names.
    DeleteFinishedJob,
    /// Runs a command in a container, in a namespace that the caller names.
    Run(CommandBound),
}

/// An action that has no permissions declared: nothing is printed or checked without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("action {action} declares no permissions")]
pub struct Undeclared {
    /// The action's name.
    pub action: String,
}

impl std::fmt::Display for Permission {
    /// As `kubectl auth can-i` takes it: `patch deployments.apps`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (resource, subresource) = self.parts();
        write!(f, "{} {resource}", self.verb)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(subresource) = subresource {
            write!(f, "/{subresource}")?;
        }
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " {name}"))
    }
}

impl Permission {
    /// The plural and the subresource.
    pub fn parts(&self) -> (&'static str, Option<&'static str>) {
        match self.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource)),
            None => (self.resource, None),
        }
    }
}

/// What it takes to keep the values of Secrets out of what is shown. No runbook needs it: it is granted on purpose.
pub fn secret_values() -> Permission {
    table::secret_values()
}

/// What all of these need together, and what every server needs to know its cluster.
///
/// # Errors
/// An action without a declaration.
pub fn of_all(uses: &[Use]) -> Result<BTreeSet<Permission>, Undeclared> {
    let mut all = BTreeSet::from([table::identity()]);
    for one in uses {
        all.extend(permissions(one)?);
    }
    Ok(all)
}

/// The kinds of workload that a use can name: all of them unless its file says which.
fn kinds(used: &Use) -> Vec<Kind> {
    let all = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet];
    let Some(values) = used.fields.get("kind") else { return all.to_vec() };
    all.into_iter().filter(|kind| values.iter().any(|value| value == kind.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use runcord_model::EffectKind;
    use serde_json::json;

    use super::*;
    use crate::catalog::catalog;

    fn of(action: &str, kinds: Option<&[&str]>) -> Use {
        let values = |kinds: &[&str]| kinds.iter().map(|kind| json!(kind)).collect();
        let fields = kinds.map(|kinds| BTreeMap::from([("kind".to_owned(), values(kinds))]));
        Use { action: action.to_owned(), fields: fields.unwrap_or_default() }
    }

    fn said(used: &Use) -> Vec<String> {
        permissions(used).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_action_declares_what_it_needs() {
        for action in catalog().actions {
            let needed = permissions(&of(action.name, None));
            let needed = needed.unwrap_or_else(|missing| panic!("{missing}: add it to permissions/table.rs"));
            assert!(!needed.is_empty(), "{}", action.name);
            let writes: Vec<_> =
                needed.iter().filter(|one| !matches!(one.verb, "get" | "list" | "watch")).collect();
            let bounds = bounds(&of(action.name, None)).unwrap();
            assert_eq!(writes.is_empty(), action.effect == EffectKind::ReadOnly, "{}", action.name);
            assert_eq!(writes.is_empty(), bounds.is_empty(), "{}: a write without a bound", action.name);
        }
    }

    #[test]
    fn an_action_without_a_declaration_gets_nothing() {
        assert!(permissions(&of("fly", None)).is_err());
        assert!(bounds(&of("fly", None)).is_err());
        assert!(of_all(&[of("cordon", None), of("fly", None)]).is_err());
    }

    #[test]
    fn a_file_that_names_its_kinds_needs_less() {
        let some = said(&of("restart", Some(&["StatefulSet"])));
        assert!(some.contains(&"patch statefulsets.apps".to_owned()));
        assert!(
            !some.iter().any(|one| one.contains("deployments") || one.contains("daemonsets")),
            "{some:?}"
        );
        assert_eq!(bounds(&of("restart", Some(&["StatefulSet"]))).unwrap().len(), 1);
        assert!(said(&of("restart", None)).contains(&"patch daemonsets.apps".to_owned()));
        assert!(
            !said(&of("scale", None)).contains(&"patch daemonsets.apps".to_owned()),
            "it has no replicas"
        );
    }

    #[test]
    fn no_wildcard_secrets_only_to_rotate_them_and_nothing_deleted() {
        for action in catalog().actions {
            let rotates = action.name.ends_with("_secret");
            for one in permissions(&of(action.name, None)).unwrap() {
                assert!(!one.to_string().contains('*'), "{one}");
                let of_secrets = one.resource == "secrets";
                assert!(!of_secrets || (rotates && one.verb != "list"), "{}: {one}", action.name);
                assert_ne!(one.verb, "deletecollection", "{one}");
                assert_ne!(one.verb, "update", "{one}: every write is a conditional patch");
            }
        }
    }

    #[test]
    fn a_namespace_that_the_file_names_is_looked_at_by_name() {
        let mut used = of("pod_logs", None);
        used.fields.insert("namespace".to_owned(), vec![json!("shop")]);
        assert!(said(&used).contains(&"get namespaces shop".to_owned()));
        assert!(!said(&of("pod_logs", None)).iter().any(|one| one.contains("namespaces")));
    }

    #[test]
    fn a_bound_names_the_very_field_that_the_patch_touches() {
        use crate::act::{Act, Annotated, Object, Patch, Touch};
        let named: crate::actions::WorkloadRef =
            serde_json::from_value(json!({"kind": "Deployment", "namespace": "shop", "name": "web"}))
                .unwrap();
        let node = Object::Node("n1".parse().unwrap());
        for (action, object, touch) in [
            ("cordon", node, Touch::Unschedulable { before: false, after: true }),
            ("scale", Object::Workload(named.clone()), Touch::Replicas { before: 1, after: 2 }),
            (
                "restart",
                Object::Workload(named),
                Touch::RestartedAt { before: None, after: Some("t".into()) },
            ),
        ] {
            let patch = Patch {
                object,
                uid: "u".parse().unwrap(),
                touch,
                plan: crate::samples::fixed().plan,
                annotated: Annotated { object: true, template: true },
            };
            let operations = patch.operations();
            let paths: Vec<_> =
                operations.as_array().unwrap().iter().map(|one| one["path"].clone()).collect();
            for bound in bounds(&of(action, None)).unwrap() {
                let Bound::Change { field, .. } = bound else { panic!("{}", Act::Patch(patch).describe()) };
                let keys: Vec<_> = field.iter().map(|key| key.replace('/', "~1")).collect();
                assert!(paths.contains(&json!(format!("/{}", keys.join("/")))), "{action}: {paths:?}");
            }
        }
    }
}
