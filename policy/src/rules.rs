//! Loading the rules: every problem with its position, nothing half-valid.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Policy, PolicyId, PolicySet, Schema, SchemaFragment, ValidationMode, Validator};
use serde_json::Value;

use crate::clauses::Clauses;
use crate::people::People;
use crate::problem::{Problem, Text, place};
use crate::targets::Targets;
use crate::{Source, lint};

/// A rule that was loaded.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its `@id`.
    pub id: String,
    /// The file it stands in.
    pub file: String,
    /// The line it begins on, from 1.
    pub line: u32,
    /// Whether it permits or forbids.
    pub kind: RuleKind,
    /// Its `@reason`; every rule that forbids has one.
    pub reason: String,
    /// Its `@advice`: how to ask for less.
    pub advice: Option<String>,
    pub(crate) clauses: Clauses,
}

/// Whether a rule permits or forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleKind {
    /// It permits what nothing forbids.
    Permit,
    /// It forbids, whatever permits.
    Forbid,
}

/// All rules, validated against their schema.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) set: PolicySet,
    pub(crate) schema: Schema,
    /// The groups of the schema's `Approvals`, without `people`.
    pub(crate) groups: BTreeSet<String>,
    /// What of `Approvals` the rules ask for.
    pub(crate) asked_for: BTreeSet<String>,
    by_id: BTreeMap<String, Rule>,
}

impl Rules {
    pub(crate) fn load(source: &Source, people: &People, targets: &Targets) -> Result<Self, Vec<Problem>> {
        let schema_file = Text::of(&source.schema);
        let (schema, groups) = load_schema(&schema_file)?;
        let mut loading =
            Loading { people, targets, set: PolicySet::new(), placed: BTreeMap::new(), problems: vec![] };
        for file in &source.rules {
            loading.file(&Text::of(file));
        }
        loading.validate(&schema);
        if !loading.problems.is_empty() {
            return Err(loading.problems);
        }
        let asked_for = loading.placed.values().flat_map(|placed| placed.rule.clauses.approvals()).collect();
        let by_id = loading.placed.into_iter().map(|(id, placed)| (id, placed.rule)).collect();
        Ok(Self { set: loading.set, schema, groups, asked_for, by_id })
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Rule> {
        self.by_id.get(id)
    }

    /// Every rule, in the order of files and lines.
    pub(crate) fn all(&self) -> Vec<&Rule> {
        let mut all: Vec<_> = self.by_id.values().collect();
        all.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        all
    }
}

fn load_schema(file: &Text<'_>) -> Result<(Schema, BTreeSet<String>), Vec<Problem>> {
    let wrong = |e: &dyn miette::Diagnostic| vec![Problem::from_cedar(file, 0, e)];
    // Parsed once, for both: parsing is most of what a schema costs.
    let (fragment, warnings) = SchemaFragment::from_cedarschema_str(file.text).map_err(|e| wrong(&e))?;
    let warned: Vec<_> = warnings.map(|warning| Problem::from_cedar(file, 0, &warning)).collect();
    if !warned.is_empty() {
        return Err(warned);
    }
    let schema = Schema::from_schema_fragments([fragment.clone()]).map_err(|e| wrong(&e))?;
    let json = fragment.to_json_value().map_err(|e| wrong(&e))?;
    if let Some(action) = ["admit", "read", "apply"].into_iter().find(|action| lacks_actions(&json, action)) {
        let problem =
            Problem::at(file, file.find(action), format!("the context of `{action}` has no `actions`"));
        return Err(vec![problem.with_hint(ACTIONS_HINT)]);
    }
    let approvals = json.pointer("//commonTypes/Approvals/attributes");
    let attributes = approvals.and_then(Value::as_object).cloned().unwrap_or_default();
    if !attributes.contains_key("people") {
        let hint = "type Approvals = { \"people\": Long, \"approvers\": Long };";
        return Err(vec![
            Problem::at(file, file.find("Approvals"), "no type `Approvals` with `people`").with_hint(hint),
        ]);
    }
    Ok((schema, attributes.into_iter().map(|(name, _)| name).filter(|name| name != "people").collect()))
}

const ACTIONS_HINT: &str = "add the line `\"actions\": Set<String>,` to `Asked` and to the context of `apply`, as in the schema that ships";

/// Whether an action's context is known to lack `actions`, which a schema from before they were judged does. Only there to
/// say it well: what is put to Cedar must fit the schema whatever this finds.
fn lacks_actions(schema: &Value, action: &str) -> bool {
    let context = schema.pointer(&format!("//actions/{action}/appliesTo/context"));
    let named =
        context.and_then(|context| context.get("name").or(context.get("type")).and_then(Value::as_str));
    let common = named.and_then(|name| schema.pointer(&format!("//commonTypes/{name}")));
    let attributes = common.or(context).and_then(|record| record.get("attributes"));
    attributes.is_some_and(|attributes| attributes.get("actions").is_none())
}

/// A rule with the text it came from.
struct Placed<'a> {
    rule: Rule,
    file: Text<'a>,
    start: usize,
}

struct Loading<'a> {
    people: &'a People,
    targets: &'a Targets,
    set: PolicySet,
    placed: BTreeMap<String, Placed<'a>>,
    problems: Vec<Problem>,
}

impl<'a> Loading<'a> {
    fn file(&mut self, file: &Text<'a>) {
        let parsed: PolicySet = match file.text.parse() {
            Ok(parsed) => parsed,
            Err(errors) => {
                let errors: cedar_policy::ParseErrors = errors;
                self.problems.extend(errors.iter().map(|e| Problem::from_cedar(file, 0, e)));
                return;
            }
        };
        if parsed.templates().next().is_some() {
            self.problems.push(Problem::at(file, 0, "templates are not supported: name who is meant"));
        }
        let mut policies: Vec<_> = parsed.policies().map(|policy| (span(policy), policy)).collect();
        policies.sort_by_key(|(span, _)| span.0);
        for ((start, end), policy) in policies {
            self.rule(*file, start, end, policy);
        }
    }

    fn rule(&mut self, file: Text<'a>, start: usize, end: usize, policy: &Policy) {
        let found = lint::annotations(&file, start, end, policy);
        let id = match found {
            Ok(id) => id,
            Err(problems) => return self.problems.extend(problems),
        };
        if let Some(first) = self.placed.get(&id) {
            let message = format!(
                "a second rule with @id `{id}`, the first is {}:{}",
                first.rule.file, first.rule.line
            );
            return self.problems.push(Problem::at(&file, start, message));
        }
        self.problems.extend(lint::names(&file, start, end, policy, self.people, self.targets));
        let renamed = policy.new_id(PolicyId::new(&id));
        let clauses = match Clauses::of(&renamed) {
            Ok(clauses) => clauses,
            Err(why) => return self.problems.push(Problem::at(&file, start, why)),
        };
        if let Err(why) = clauses.approvals_only_help(&renamed) {
            self.problems.push(Problem::at(&file, start, why).with_hint(lint::APPROVALS_HINT));
        }
        if let Err(e) = self.set.add(renamed.clone()) {
            return self.problems.push(Problem::from_cedar(&file, start, &e));
        }
        let annotation = |key: &str| lint::annotation(&renamed, key).map(str::to_owned);
        let kind = match renamed.effect() {
            cedar_policy::Effect::Permit => RuleKind::Permit,
            cedar_policy::Effect::Forbid => RuleKind::Forbid,
        };
        let rule = Rule {
            id: id.clone(),
            file: file.name.to_owned(),
            line: place(file.text, start).0,
            kind,
            reason: annotation("reason").unwrap_or_else(|| "permits it".to_owned()),
            advice: annotation("advice"),
            clauses,
        };
        self.placed.insert(id, Placed { rule, file, start });
    }

    /// Strict, and a warning is a problem too: a rule that can never apply guards nothing.
    fn validate(&mut self, schema: &Schema) {
        let found = Validator::new(schema.clone()).validate(&self.set, ValidationMode::Strict);
        let mut say = |id: &PolicyId, said: &dyn miette::Diagnostic| {
            let name: &str = id.as_ref();
            if let Some(placed) = self.placed.get(name) {
                self.problems.push(Problem::from_cedar(&placed.file, placed.start, said));
            }
        };
        found.validation_errors().for_each(|e| say(e.policy_id(), e));
        found.validation_warnings().for_each(|w| say(w.policy_id(), w));
        if !found.validation_passed_without_warnings() && self.problems.is_empty() {
            let whole = Text { name: "rules", text: "" };
            self.problems.push(Problem::at(&whole, 0, "the rules do not validate against the schema"));
        }
    }
}

/// Where a rule begins and ends in its file, as byte offsets.
fn span(policy: &Policy) -> (usize, usize) {
    let inner: &cedar_policy_core::ast::Policy = policy.as_ref();
    inner.loc().map_or((0, 0), |loc| (loc.start(), loc.end()))
}
