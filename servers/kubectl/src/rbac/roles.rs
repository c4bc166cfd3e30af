//! Permissions as Roles, ClusterRoles and their bindings.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Subject, Wanted};
use crate::permissions::{Permission, Reach};

const API: &str = "rbac.authorization.k8s.io/v1";
const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn objects(needed: &BTreeSet<Permission>, wanted: &Wanted) -> Vec<Value> {
    let confined = !wanted.namespaces.is_empty();
    let (wide, narrow): (Vec<_>, Vec<_>) =
        needed.iter().partition(|one| one.reach == Reach::Cluster || !confined);
    // What is permitted everywhere needs no second permission in a namespace.
    let everywhere: BTreeSet<_> = wide.iter().map(|one| same(one)).collect();
    let narrow: Vec<_> = narrow.into_iter().filter(|one| !everywhere.contains(&same(one))).collect();

    let mut objects = bound("ClusterRole", None, &wide, wanted);
    for namespace in &wanted.namespaces {
        objects.extend(bound("Role", Some(namespace.as_str()), &narrow, wanted));
    }
    objects
}

type Same<'p> = (&'static str, &'static str, &'static str, &'p Option<String>);

/// What RBAC tells permissions apart by.
fn same(one: &Permission) -> Same<'_> {
    (one.group, one.resource, one.verb, &one.name)
}

/// A role and, when there is a subject, its binding; nothing when it would permit nothing.
fn bound(kind: &str, namespace: Option<&str>, permitted: &[&Permission], wanted: &Wanted) -> Vec<Value> {
    if permitted.is_empty() {
        return Vec::new();
    }
    let name = wanted.name.as_str();
    let metadata = || match namespace {
        Some(namespace) => json!({"name": name, "namespace": namespace}),
        None => json!({"name": name}),
    };
    let role = json!({"apiVersion": API, "kind": kind, "metadata": metadata(), "rules": rules(permitted)});
    let binding = json!({
        "apiVersion": API, "kind": format!("{kind}Binding"), "metadata": metadata(),
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": name},
        "subjects": wanted.subjects.iter().map(subject).collect::<Vec<_>>(),
    });
    std::iter::once(role).chain((!wanted.subjects.is_empty()).then_some(binding)).collect()
}

/// One rule for all resources of a group that share their verbs and names.
fn rules(permitted: &[&Permission]) -> Vec<Value> {
    type Words<'p> = BTreeSet<&'p str>;
    let mut verbs: BTreeMap<(&str, &str, &Option<String>), Words<'_>> = BTreeMap::new();
    for one in permitted {
        verbs.entry((one.group, one.resource, &one.name)).or_default().insert(one.verb);
    }
    let mut rules: BTreeMap<(&str, Words<'_>, &Option<String>), Words<'_>> = BTreeMap::new();
    for ((group, resource, name), verbs) in verbs {
        rules.entry((group, verbs, name)).or_default().insert(resource);
    }
    let rule = |((group, verbs, name), resources): ((&str, Words<'_>, &Option<String>), Words<'_>)| {
        let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
        if let (Some(rule), Some(name)) = (rule.as_object_mut(), name) {
            rule.insert("resourceNames".to_owned(), json!([name]));
        }
        rule
    };
    rules.into_iter().map(rule).collect()
}

fn subject(subject: &Subject) -> Value {
    match subject {
        Subject::User(name) => json!({"apiGroup": GROUP, "kind": "User", "name": name.as_str()}),
        Subject::Group(name) => json!({"apiGroup": GROUP, "kind": "Group", "name": name.as_str()}),
        Subject::ServiceAccount { namespace, name } => {
            json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
        }
    }
}
