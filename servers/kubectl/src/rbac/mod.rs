//! The smallest Roles for the loaded runbooks, and an admission policy that holds the same identity to what they write.
//!
//! RBAC says which objects may be patched, never which fields: whoever may patch a Deployment's replicas may patch its
//! image. The ValidatingAdmissionPolicy closes that on the API server's side, so that stolen credentials stay within the
//! shape of the runbooks (<https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/>).

mod commands;
mod policy;
mod roles;

use std::collections::BTreeSet;

use runcord_model::action::Use;
use serde_json::Value;

use crate::names::{Namespace, ObjectName};
use crate::permissions::{Undeclared, of_all, secret_values};

/// Who gets the permissions, and is held by the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A user.
    User(Identity),
    /// A group.
    Group(Identity),
    /// A service account.
    ServiceAccount {
        /// Its namespace.
        namespace: Namespace,
        /// Its name.
        name: ObjectName,
    },
}

/// The name of a user or group, as authentication gives it: 1 to 253 printable characters without blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity(String);

impl std::str::FromStr for Identity {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.chars().all(|c| c.is_ascii_graphic());
        // Nothing may be bound to these: they are everybody, or may do everything already.
        let everybody = ["system:authenticated", "system:unauthenticated", "system:masters"].contains(&text);
        match (1..=253).contains(&text.len()) && plain && !everybody {
            true => Ok(Self(text.to_owned())),
            false => {
                Err("1 to 253 printable ASCII characters without blanks, and none of the groups of everybody")
            }
        }
    }
}

impl Identity {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the identity may do with its permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// Apply.
    Real,
    /// Only ask for dry-runs: a planner's own account.
    DryRunOnly,
}

/// Whether the values of Secrets are kept out of what readings show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redacting {
    /// Only what looks like a secret is.
    ByShape,
    /// They are, for which Secrets must be listed.
    SecretValues,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The name of every object printed.
    pub name: ObjectName,
    /// Where the runbooks may be used; everywhere when empty. What only looking tells stays cluster-wide.
    pub namespaces: BTreeSet<Namespace>,
    /// Whose they are; without any, there are neither bindings nor a policy.
    pub subjects: Vec<Subject>,
    /// What the policy lets through.
    pub changes: Changes,
    /// What readings redact.
    pub redacting: Redacting,
}

/// The objects, in the order in which they are applied.
///
/// # Errors
/// A runbook uses an action without a declaration.
pub fn objects(uses: &[Use], wanted: &Wanted) -> Result<Vec<Value>, Undeclared> {
    let mut needed = of_all(uses)?;
    match wanted.redacting {
        Redacting::ByShape => {}
        Redacting::SecretValues => drop(needed.insert(secret_values())),
    }
    let mut objects = roles::objects(&needed, wanted);
    objects.extend(policy::objects(uses, wanted)?);
    Ok(objects)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn uses(actions: &[&str]) -> Vec<Use> {
        actions.iter().map(|one| Use { action: (*one).to_owned(), fields: Default::default() }).collect()
    }

    pub(crate) fn wanted(namespaces: &[&str], user: Option<&str>) -> Wanted {
        Wanted {
            name: "runcord".parse().unwrap(),
            namespaces: namespaces.iter().map(|one| one.parse().unwrap()).collect(),
            subjects: user.map(|user| Subject::User(user.parse().unwrap())).into_iter().collect(),
            changes: Changes::Real,
            redacting: Redacting::ByShape,
        }
    }

    fn kinds(objects: &[Value]) -> Vec<&str> {
        objects.iter().filter_map(|one| one["kind"].as_str()).collect()
    }

    #[test]
    fn without_a_subject_there_are_roles_only() {
        let objects = objects(&uses(&["drain", "scale"]), &wanted(&[], None)).unwrap();
        assert_eq!(kinds(&objects), ["ClusterRole"]);
    }

    #[test]
    fn with_namespaces_only_what_looking_tells_stays_cluster_wide() {
        let objects = objects(&uses(&["restart"]), &wanted(&["shop", "till"], Some("ana"))).unwrap();
        assert_eq!(
            kinds(&objects),
            [
                "ClusterRole",
                "ClusterRoleBinding",
                "Role",
                "RoleBinding",
                "Role",
                "RoleBinding",
                "ValidatingAdmissionPolicy",
                "ValidatingAdmissionPolicyBinding"
            ]
        );
        let expected = json!([{"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"],
            "verbs": ["get"]}]);
        assert_eq!(objects[0]["rules"], expected, "who the cluster is, and nothing else");
        assert_eq!(objects[2]["metadata"]["namespace"], "shop");
        let rules = objects[2]["rules"].to_string();
        assert!(rules.contains(r#""verbs":["get","patch"]"#), "{rules}");
    }

    #[test]
    fn secrets_are_listed_only_where_that_is_wanted_and_nothing_else_is_done_with_them() {
        let said = |redacting| {
            let wanted = Wanted { redacting, ..wanted(&["shop"], None) };
            let objects = objects(&uses(&["pod_logs"]), &wanted).unwrap();
            let of_secrets: Vec<_> =
                objects.iter().filter(|one| one.to_string().contains("secrets")).cloned().collect();
            of_secrets
        };
        assert!(said(Redacting::ByShape).is_empty());
        let granted = said(Redacting::SecretValues);
        assert_eq!(kinds(&granted), ["Role"], "in the namespace that was named, and nowhere else");
        let rules = granted[0]["rules"].as_array().unwrap();
        let rule = rules.iter().find(|rule| rule.to_string().contains("secrets")).unwrap();
        assert_eq!(rule["verbs"], json!(["list"]));
    }

    #[test]
    fn what_a_cluster_role_permits_is_not_repeated_in_roles() {
        let objects = objects(&uses(&["drain", "restart"]), &wanted(&["shop"], None)).unwrap();
        let role = objects.iter().find(|one| one["kind"] == "Role").unwrap();
        assert!(!role.to_string().contains("poddisruptionbudgets"), "the drain lists them everywhere");
        assert!(
            !role["rules"].to_string().contains(r#"["get"]"#),
            "the drain reads all Deployments: {role:#}"
        );
    }

    #[test]
    fn nobody_is_bound_by_the_name_of_everybody() {
        for bad in ["", "a b", "a\n", "ä", "system:authenticated", "system:unauthenticated", "system:masters"]
        {
            assert!(bad.parse::<Identity>().is_err(), "{bad:?}");
        }
        assert!("oidc:ana@example.com".parse::<Identity>().is_ok());
    }
}
