//! `runcord kubectl`: what only Kubernetes has.

use runcord_kubectl::names::{Namespace, ObjectName};
use runcord_kubectl::rbac::{self, Changes, Identity, Redacting, Subject, Wanted};
use serde_json::{Value, json};

use crate::around::Around;
use crate::failure::Failure;
use crate::output::Answer;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// The smallest Roles that the loaded runbooks need, and an admission policy that holds their account to them
    #[command(after_help = EXAMPLES)]
    Rbac(RbacArgs),
}

const EXAMPLES: &str = "\
Examples:
  runcord kubectl rbac --service-account ops/runcord | kubectl apply -f -
  runcord kubectl rbac --namespace shop --namespace till --user runcord
  runcord kubectl rbac --name runcord-planner --user planner --only-dry-run
  runcord kubectl rbac --namespace shop --user runcord --redact-secret-values

Nothing is sent to a cluster: review what is printed, and apply it yourself. Without an account there are neither
bindings nor a policy. The policy needs Kubernetes 1.30 or newer.";

#[derive(Debug, clap::Args)]
pub(crate) struct RbacArgs {
    /// Where the runbooks may be used, may be repeated [default: everywhere]
    #[arg(long, value_name = "NS")]
    namespace: Vec<Namespace>,
    /// A user to bind, may be repeated
    #[arg(long, value_name = "NAME")]
    user: Vec<Identity>,
    /// A group to bind, may be repeated
    #[arg(long, value_name = "NAME")]
    group: Vec<Identity>,
    /// A service account to bind, may be repeated
    #[arg(long, value_name = "NS/NAME", value_parser = service_account)]
    service_account: Vec<Subject>,
    /// The name of every object that is printed
    #[arg(long, value_name = "NAME", default_value = "runcord")]
    name: ObjectName,
    /// The account only plans: the policy lets dry-runs through, and no changes
    #[arg(long)]
    only_dry_run: bool,
    /// Also permit listing the Secrets of the namespaces, so that logs and events are shown without their values
    #[arg(long, requires = "namespace")]
    redact_secret_values: bool,
}

pub(crate) fn run(command: &Command, around: &Around) -> Result<Answer, Failure> {
    match command {
        Command::Rbac(args) => rbac(args, around),
    }
}

fn rbac(args: &RbacArgs, around: &Around) -> Result<Answer, Failure> {
    let wanted = args.wanted()?;
    let loaded = around.library()?.current();
    let uses: Vec<_> = loaded.runbooks.values().flat_map(|entry| entry.runbook.uses()).collect();
    let objects = rbac::objects(&uses, &wanted).map_err(|undeclared| {
        Failure::surroundings("the permissions cannot be told", "report this as a fault of Runcord")
            .because(undeclared)
    })?;
    let names: Vec<_> = loaded.runbooks.keys().map(ToString::to_string).collect();
    let page = format!("# The permissions of: {}\n{}", names.join(", "), yaml(&objects)?);
    // A List, so that a program too can hand it to the API server as it is.
    Ok(Answer::done(page, json!({"apiVersion": "v1", "kind": "List", "items": objects})))
}

impl RbacArgs {
    fn wanted(&self) -> Result<Wanted, Failure> {
        let users = self.user.iter().cloned().map(Subject::User);
        let groups = self.group.iter().cloned().map(Subject::Group);
        let subjects: Vec<_> = users.chain(groups).chain(self.service_account.iter().cloned()).collect();
        let changes = if self.only_dry_run { Changes::DryRunOnly } else { Changes::Real };
        if changes == Changes::DryRunOnly && subjects.is_empty() {
            return Err(Failure::usage(
                "--only-dry-run holds an account, and none is given",
                "name it with --user, --group or --service-account",
            ));
        }
        Ok(Wanted {
            name: self.name.clone(),
            namespaces: self.namespace.iter().cloned().collect(),
            subjects,
            changes,
            redacting: match self.redact_secret_values {
                true => Redacting::SecretValues,
                false => Redacting::ByShape,
            },
        })
    }
}

fn service_account(text: &str) -> Result<Subject, String> {
    let (namespace, name) = text.split_once('/').ok_or("a service account is NAMESPACE/NAME")?;
    let bad = |error: &dyn std::fmt::Display| error.to_string();
    Ok(Subject::ServiceAccount {
        namespace: namespace.parse().map_err(|e| bad(&e))?,
        name: name.parse().map_err(|e| bad(&e))?,
    })
}

fn yaml(objects: &[Value]) -> Result<String, Failure> {
    let documents: Result<Vec<_>, _> = objects.iter().map(serde_saphyr::to_string).collect();
    let documents = documents
        .map_err(|e| Failure::surroundings("the objects cannot be written", "try --json").because(e))?;
    Ok(documents.iter().map(|one| format!("---\n{}", one.trim_start_matches("---\n"))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_has_two_names() {
        assert!(service_account("ops/runcord").is_ok());
        for bad in ["runcord", "ops/", "/runcord", "Ops/runcord", "a/b/c"] {
            assert!(service_account(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_yaml_says_what_the_objects_say() {
        let objects = vec![
            json!({"kind": "A", "rules": [{"verbs": ["get"], "on": "true", "x": "'a' in [\"b\"]"}]}),
            json!({"kind": "B"}),
        ];
        let text = yaml(&objects).unwrap();
        let read: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        assert_eq!(read, objects, "{text}");
    }
}
