//! What Cedar lets pass and we do not.

use std::collections::BTreeSet;

use cedar_policy::{Effect, Policy};

use crate::people::People;
use crate::problem::{Problem, Text, nearest};
use crate::targets::Targets;

const ANNOTATIONS: [&str; 3] = ["id", "reason", "advice"];

/// How to mend a rule that approvals could turn against.
pub(crate) const APPROVALS_HINT: &str =
    "ask for at least so many: `unless { context.approvals.sre >= 1 }` in a forbid, `when` in a permit";

/// The rule's `@id`, when its annotations are in order. Cedar accepts any annotation, and names a rule without `@id`
/// by its place.
pub(crate) fn annotations(
    file: &Text<'_>,
    start: usize,
    end: usize,
    policy: &Policy,
) -> Result<String, Vec<Problem>> {
    let mut problems = Vec::new();
    for (key, _) in policy.annotations().filter(|(key, _)| !ANNOTATIONS.contains(key)) {
        let mut problem =
            Problem::at(file, find(file, start, end, key), format!("unknown annotation `@{key}`"));
        problem.hint =
            nearest(key, ANNOTATIONS).or_else(|| Some("there are @id, @reason and @advice".to_owned()));
        problems.push(problem);
    }
    let id = annotation(policy, "id").unwrap_or("");
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if id.is_empty() {
        problems.push(Problem::at(file, start, "a rule without @id").with_hint("@id(\"nodes.two-people\")"));
    } else if !id.chars().all(valid) {
        problems.push(Problem::at(file, start, "an @id is made of letters, digits, `.`, `-` and `_`"));
    }
    if policy.effect() == Effect::Forbid
        && annotation(policy, "reason").is_none_or(|reason| reason.trim().is_empty())
    {
        let hint = "say in one line what would be wrong with it: whoever is refused reads this";
        problems.push(Problem::at(file, start, "a forbid without @reason").with_hint(hint));
    }
    if problems.is_empty() { Ok(id.to_owned()) } else { Err(problems) }
}

/// An annotation's text. Cedar's own look-up parses the key each time, which costs as much as parsing a small rule.
pub(crate) fn annotation<'p>(policy: &'p Policy, key: &str) -> Option<&'p str> {
    policy.annotations().find_map(|(known, text)| (known == key).then_some(text))
}

/// Every group, person, agent and target that a rule names must exist: a forbid with a typo in a name never fires.
pub(crate) fn names(
    file: &Text<'_>,
    start: usize,
    end: usize,
    policy: &Policy,
    people: &People,
    targets: &Targets,
) -> Vec<Problem> {
    let (mut problems, mut seen) = (Vec::new(), BTreeSet::new());
    for literal in policy.entity_literals() {
        let kind = literal.type_name().to_string();
        let name = literal.id().unescaped().to_owned();
        let (known, file_of): (BTreeSet<&str>, &str) = match kind.as_str() {
            "Group" => (people.groups(), "people.yaml"),
            "Person" => (people.people.keys().map(|name| name.as_str()).collect(), "people.yaml"),
            "Agent" => (people.agents.keys().map(|name| name.as_str()).collect(), "people.yaml"),
            "Target" => (targets.all().map(|target| target.identity.as_str()).collect(), "targets.yaml"),
            // Enumerated entities and actions: the validator knows them.
            _ => continue,
        };
        if !known.contains(name.as_str()) && seen.insert(literal.to_string()) {
            let at = find(file, start, end, &literal.to_string());
            let mut problem = Problem::at(file, at, format!("{literal} is not in {file_of}"));
            problem.hint =
                nearest(&name, known).or_else(|| Some(format!("add it to {file_of}, or leave the rule out")));
            problems.push(problem);
        }
    }
    problems
}

fn find(file: &Text<'_>, start: usize, end: usize, wanted: &str) -> usize {
    let inside = file.text.get(start..end).unwrap_or("");
    start + inside.find(wanted).unwrap_or(0)
}
