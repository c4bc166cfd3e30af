//! `targets.yaml`: what targets are called, and how much care they ask for.

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::{Environment, Target};
use serde::Deserialize;

use crate::problem::{Problem, Text};

/// Names that unmapped targets get, and that no mapped one may have.
const UNMAPPED: &str = "unmapped-";

/// The targets that have a name, by identity.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    by_identity: BTreeMap<String, Target>,
}

impl Targets {
    /// The target of that identity. One that is not mapped counts as production, under a name made of its identity.
    pub fn target(&self, identity: &str) -> Target {
        self.by_identity.get(identity).cloned().unwrap_or_else(|| Target {
            name: format!("{UNMAPPED}{}", short(identity)),
            environment: Environment::Prod,
            identity: identity.to_owned(),
        })
    }

    /// Every mapped target, by identity.
    pub fn all(&self) -> impl Iterator<Item = &Target> {
        self.by_identity.values()
    }

    pub(crate) fn parse(file: &Text<'_>) -> Result<Self, Vec<Problem>> {
        let read: File = serde_saphyr::from_str(file.text).map_err(|e| vec![Problem::from_yaml(file, &e)])?;
        let (mut targets, mut names, mut problems) = (Self::default(), BTreeSet::new(), Vec::new());
        for entry in read.targets {
            let at = file.find(&entry.name);
            if !is_target_name(&entry.name) {
                let rule = "1 to 63 characters: a-z, 0-9, `.`, `_`, `-`, not beginning with `unmapped-`";
                problems.push(Problem::at(file, at, "not a valid target name").with_hint(rule));
            }
            if entry.identity.is_empty() {
                problems.push(Problem::at(file, at, "a target without an identity"));
            }
            if !names.insert(entry.name.clone()) {
                problems.push(Problem::at(file, at, format!("a second target named `{}`", entry.name)));
            }
            let Entry { identity, name, environment } = entry;
            let target = Target { name, environment, identity: identity.clone() };
            if let Some(first) = targets.by_identity.insert(identity, target) {
                let message = format!("the target of `{}` is mapped a second time", first.name);
                problems.push(Problem::at(file, at, message));
            }
        }
        if problems.is_empty() { Ok(targets) } else { Err(problems) }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    targets: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    identity: String,
    name: String,
    environment: Environment,
}

fn is_target_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with(UNMAPPED)
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
}

/// The first letters of what tells targets of one kind apart: `k8s:3f2a…` gives `3f2a…`.
fn short(identity: &str) -> String {
    let own = identity.split_once(':').map_or(identity, |(_, rest)| rest);
    own.chars().filter(char::is_ascii_alphanumeric).take(8).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Targets, Vec<Problem>> {
        Targets::parse(&Text { name: "targets.yaml", text })
    }

    #[test]
    fn an_unmapped_target_is_production() {
        let targets = parse("targets: [{identity: 'k8s:a', name: toy, environment: dev}]").unwrap();
        assert_eq!(targets.target("k8s:a").environment, Environment::Dev);
        let unmapped = targets.target("k8s:3F2A-11bc-77:0011");
        assert_eq!((unmapped.name.as_str(), unmapped.environment), ("unmapped-3f2a11bc", Environment::Prod));
    }

    #[test]
    fn names_and_identities_stand_once_and_follow_their_grammar() {
        for (text, says) in [
            (
                "targets: [{identity: a, name: x, environment: dev}, {identity: b, name: x, environment: dev}]",
                "second target",
            ),
            (
                "targets: [{identity: a, name: x, environment: dev}, {identity: a, name: y, environment: prod}]",
                "second time",
            ),
            ("targets: [{identity: a, name: unmapped-x, environment: dev}]", "not a valid target name"),
            ("targets: [{identity: '', name: x, environment: dev}]", "without an identity"),
            ("targets: [{identity: a, name: x, environment: toy}]", "toy"),
            ("targets: [{identity: a, name: x, environment: dev, extra: 1}]", "extra"),
        ] {
            let problems = parse(text).unwrap_err();
            assert!(problems.iter().any(|p| p.message.contains(says)), "{text}: {problems:?}");
        }
    }
}
