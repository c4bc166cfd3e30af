//! The README's table of what each runbook needs is made from the declarations, and compared here.

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::action::Use;

use super::{Bound, Permission, Reach, bounds, permissions};
use crate::catalog::catalog;

const README: &str = include_str!("../../../../README.md");

#[test]
fn the_readme_says_what_each_runbook_needs() {
    let table = table();
    assert!(README.contains(&table), "the table in README.md, Least privilege, is to be:\n\n{table}");
}

fn table() -> String {
    let catalog = catalog();
    let mut table = "| runbook | cluster-wide | in the namespace it is used in | may write |\n| --- | --- | --- | --- |\n".to_owned();
    let all = runcord_runbooks::shipped().iter().chain(runcord_runbooks::optional());
    for (file, text) in all.filter(|(file, _)| file.starts_with("kubectl/")) {
        let parsed = runcord_runbooks::Runbook::parse(file, text).unwrap();
        let checked = parsed.check(&catalog, runcord_model::Digest::from_bytes([0; 32]));
        let runbook = checked.unwrap_or_else(|reports| panic!("{reports:?}"));
        let uses = runbook.uses();
        let needed: BTreeSet<Permission> = uses.iter().flat_map(|one| permissions(one).unwrap()).collect();
        let of = |reach| by_verbs(needed.iter().filter(|one| one.reach == reach));
        let (cluster, namespace) = (of(Reach::Cluster), of(Reach::Namespace));
        table.push_str(&format!("| `{}` | {cluster} | {namespace} | {} |\n", runbook.name(), writes(&uses)));
    }
    table
}

/// `get, list: pods; list: nodes`.
fn by_verbs<'p>(needed: impl Iterator<Item = &'p Permission>) -> String {
    let mut verbs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in needed {
        verbs.entry(one.resource).or_default().push(one.verb);
    }
    let mut resources: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (resource, verbs) in verbs {
        resources.entry(verbs.join(", ")).or_default().push(resource);
    }
    let parts = resources.iter().map(|(verbs, resources)| format!("{verbs}: {}", resources.join(", ")));
    parts.collect::<Vec<_>>().join("; ")
}

fn writes(uses: &[Use]) -> String {
    let mut fields: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for bound in uses.iter().flat_map(|one| bounds(one).unwrap()) {
        let (field, resource) = match bound {
            Bound::Change { resource, field, .. } => (format!("`{}`", field.join(".")), resource),
            Bound::Evict { .. } => ("evictions by uid".to_owned(), "pods"),
            Bound::KeepSecret => ("new immutable copies".to_owned(), "secrets"),
            Bound::DeleteFinishedJob => ("deletions by uid, once finished,".to_owned(), "jobs"),
            Bound::Run(command) => {
                let container = command.container.unwrap_or_else(|| panic!("a command without a container"));
                (format!("the commands of its file, run in container `{container}`"), "pods")
            }
        };
        fields.entry(field).or_default().insert(resource);
    }
    let part = |(field, resources): (&String, &BTreeSet<&str>)| {
        format!("{field} of {}", resources.iter().copied().collect::<Vec<_>>().join(", "))
    };
    fields.iter().map(part).collect::<Vec<_>>().join("; ")
}
