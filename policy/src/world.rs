//! What is asked of Cedar: entities, context and request, each checked against the schema.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, EvalResult,
    Expression, Request, RestrictedExpression, eval_expression,
};
use jiff::Timestamp;
use runcord_model::{BlastRadius, EffectKind, Principal, RunbookName, Scopes, Target};
use serde_json::{Map, Value};

use crate::panel::Counts;
use crate::people::People;
use crate::rules::Rules;

/// What is known of a call before anything of its target is read.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Who asks, and on whose behalf.
    pub principal: Principal,
    /// What the runbook does; *undetermined* is judged as mutating.
    pub effect: EffectKind,
    /// The runbook.
    pub runbook: RunbookName,
    /// What its steps do, or those of its way back when that is asked for.
    pub actions: BTreeSet<String>,
    /// The server that carries it out.
    pub server: String,
    /// What it acts on.
    pub target: Target,
    /// What it names and, once planned, what it touches.
    pub scopes: Scopes,
    /// Its parameters.
    pub params: Map<String, Value>,
}

/// What a measured plan adds.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// What it would lose.
    pub blast: BlastRadius,
    /// How many irreversible items the runbook's own limits allow with one approval.
    pub irreversible_cap: i64,
    /// Whose approval of this plan was verified. Who counts is for the engine to say.
    pub signed: Vec<runcord_model::PersonName>,
    /// The time.
    pub now: Timestamp,
}

/// What somebody would do to another principal's plans and runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// See them.
    View,
    /// Stop them.
    Cancel,
    /// Pull the cord for everybody.
    PullEverything,
}

/// The request could not be put to Cedar, which refuses it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unposable {
    #[error("the entities do not fit the schema")]
    Entities(#[source] Box<cedar_policy::entities_errors::EntitiesError>),
    #[error("an entity cannot be made")]
    Entity(#[source] Box<cedar_policy::EntityAttrEvaluationError>),
    #[error("an entity type cannot be named")]
    Name(#[source] Box<cedar_policy::ParseErrors>),
    #[error("the context cannot be made")]
    Context(#[source] Box<cedar_policy::ContextCreationError>),
    #[error("a part of the context cannot be made")]
    Record(#[source] Box<cedar_policy::ExpressionConstructionError>),
    #[error("the request does not fit the schema")]
    Request(#[source] Box<cedar_policy::RequestValidationError>),
}

/// What Cedar said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Permitted by these rules.
    Allow(Vec<String>),
    /// Forbidden by these rules; by none, when nothing permits it.
    Deny(Vec<String>),
    /// These rules could not be evaluated. Cedar skips such a rule, a forbid too: never trust the rest.
    Erring(Vec<String>),
}

/// A question with everything Cedar needs for it.
pub(crate) struct Posed {
    request: Request,
    entities: Entities,
}

impl Posed {
    pub(crate) fn answer(&self, rules: &Rules) -> Answer {
        let response = Authorizer::new().is_authorized(&self.request, &rules.set, &self.entities);
        let mut erring: Vec<_> = response.diagnostics().errors().map(erring_rule).collect();
        if !erring.is_empty() {
            erring.sort();
            return Answer::Erring(erring);
        }
        let mut by: Vec<_> = response.diagnostics().reason().map(ToString::to_string).collect();
        by.sort();
        match response.decision() {
            Decision::Allow => Answer::Allow(by),
            Decision::Deny => Answer::Deny(by),
        }
    }

    /// The value of a part of a rule; none when it cannot be evaluated.
    pub(crate) fn value(&self, expr: &Expression) -> Option<EvalResult> {
        eval_expression(&self.request, &self.entities, expr).ok()
    }
}

fn erring_rule(error: &cedar_policy::AuthorizationError) -> String {
    let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
    error.policy_id().to_string()
}

/// Everybody who exists, as entities.
#[derive(Debug, Clone)]
pub(crate) struct World {
    base: Entities,
}

impl World {
    pub(crate) fn new(rules: &Rules, people: &People) -> Result<Self, Unposable> {
        let mut all = Vec::new();
        for group in people.groups() {
            all.push(Entity::new_no_attrs(uid("Group", group)?, HashSet::new()));
        }
        for (name, person) in &people.people {
            all.push(Entity::new_no_attrs(uid("Person", name.as_str())?, uids("Group", &person.groups)?));
        }
        let base = Entities::from_entities(all, Some(&rules.schema))
            .map_err(|e| Unposable::Entities(Box::new(e)))?;
        Ok(Self { base })
    }

    /// The question whether a runbook may be asked for at all.
    pub(crate) fn asked(&self, rules: &Rules, people: &People, ask: &Ask) -> Result<Posed, Unposable> {
        let action = match ask.effect {
            EffectKind::ReadOnly => "read",
            EffectKind::Mutating | EffectKind::Undetermined => "admit",
        };
        let entities = self.concerned(rules, people, ask)?;
        pose(
            rules,
            &ask.principal,
            action,
            uid("Target", &ask.target.identity)?,
            asked_context(ask)?,
            entities,
        )
    }

    /// Everybody, the requester, its sponsor and the target: the same for every question about one call.
    fn concerned(&self, rules: &Rules, people: &People, ask: &Ask) -> Result<Entities, Unposable> {
        self.around(rules, people, &ask.principal, target_entity(&ask.target)?)
    }

    /// What every question about one measured plan has in common.
    pub(crate) fn about<'a>(
        &self,
        rules: &Rules,
        people: &People,
        ask: &'a Ask,
        evidence: &Evidence,
    ) -> Result<About<'a>, Unposable> {
        let limits = [("irreversible", long(evidence.irreversible_cap))];
        // Cedar's datetime goes down to milliseconds and no further.
        let now = evidence.now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
        let mut context = asked_context(ask)?;
        context.extend([
            ("blast", blast(&evidence.blast)?),
            ("limits", record(limits)?),
            ("now", RestrictedExpression::new_datetime(now)),
        ]);
        let target = uid("Target", &ask.target.identity)?;
        Ok(About { ask, target, context, concerned: self.concerned(rules, people, ask)? })
    }

    /// The question whether somebody may do this to another principal's work.
    pub(crate) fn deed(
        &self,
        rules: &Rules,
        people: &People,
        principal: &Principal,
        deed: Deed,
        owner: &Principal,
    ) -> Result<Posed, Unposable> {
        let action = match deed {
            Deed::View => "view",
            Deed::Cancel => "cancel",
            Deed::PullEverything => "pull_everything",
        };
        let resource = uid("Work", &owner.to_string())?;
        let attrs = HashMap::from([
            ("requester".to_owned(), text(owner.requester.as_str())),
            (
                "sponsor".to_owned(),
                RestrictedExpression::new_entity_uid(uid("Person", owner.sponsor.as_str())?),
            ),
        ]);
        let mut more = vec![entity(resource.clone(), attrs, HashSet::new())?];
        more.extend(unlisted(people, &owner.sponsor)?);
        let entities = self.around(rules, people, principal, more)?;
        pose(rules, principal, action, resource, Vec::new(), entities)
    }

    /// Asks one of each, so that a schema that does not fit is found when it is loaded and not when it is needed.
    pub(crate) fn try_out(&self, rules: &Rules, people: &People) -> Result<(), Unposable> {
        let Some((ask, evidence)) = sample() else { return Ok(()) };
        for effect in [EffectKind::ReadOnly, EffectKind::Mutating] {
            self.asked(rules, people, &Ask { effect, ..ask.clone() })?;
        }
        self.about(rules, people, &ask, &evidence)?.with(rules, &Counts::default())?;
        for deed in [Deed::View, Deed::Cancel, Deed::PullEverything] {
            self.deed(rules, people, &ask.principal, deed, &ask.principal)?;
        }
        Ok(())
    }

    /// Everybody, the requester, its sponsor and what is asked about.
    fn around(
        &self,
        rules: &Rules,
        people: &People,
        principal: &Principal,
        mut more: Vec<Entity>,
    ) -> Result<Entities, Unposable> {
        let groups =
            people.agents.get(&principal.requester).map(|agent| agent.groups.clone()).unwrap_or_default();
        let attrs = HashMap::from([
            ("name".to_owned(), text(principal.requester.as_str())),
            (
                "sponsor".to_owned(),
                RestrictedExpression::new_entity_uid(uid("Person", principal.sponsor.as_str())?),
            ),
        ]);
        more.push(entity(uid("Agent", principal.requester.as_str())?, attrs, uids("Group", &groups)?)?);
        more.extend(unlisted(people, &principal.sponsor)?);
        self.base
            .clone()
            .add_entities(more, Some(&rules.schema))
            .map_err(|e| Unposable::Entities(Box::new(e)))
    }
}

/// One measured plan, to be asked about with different approvals.
pub(crate) struct About<'a> {
    ask: &'a Ask,
    target: EntityUid,
    context: Fields<'static>,
    concerned: Entities,
}

impl About<'_> {
    /// The question whether it may be applied with these approvals.
    pub(crate) fn with(&self, rules: &Rules, given: &Counts) -> Result<Posed, Unposable> {
        let groups = rules.groups.iter().map(|group| (group.as_str(), long(given.of(group))));
        let approvals = groups.chain([("people", long(given.people))]);
        let mut context = self.context.clone();
        context.push(("approvals", record(approvals)?));
        pose(rules, &self.ask.principal, "apply", self.target.clone(), context, self.concerned.clone())
    }
}

fn pose(
    rules: &Rules,
    principal: &Principal,
    action: &str,
    resource: EntityUid,
    context: Fields<'_>,
    entities: Entities,
) -> Result<Posed, Unposable> {
    let action = uid("Action", action)?;
    let schema = &rules.schema;
    let context = Context::from_pairs(context.into_iter().map(|(name, value)| (name.to_owned(), value)))
        .map_err(|e| Unposable::Context(Box::new(e)))?;
    let principal = uid("Agent", principal.requester.as_str())?;
    // Holds the context too against the schema.
    let request = Request::new(principal, action, resource, context, Some(schema))
        .map_err(|e| Unposable::Request(Box::new(e)))?;
    Ok(Posed { request, entities })
}

/// The fields of a context. Made as Cedar's own values: by way of JSON it would look for the type of each.
type Fields<'n> = Vec<(&'n str, RestrictedExpression)>;

fn asked_context(ask: &Ask) -> Result<Fields<'static>, Unposable> {
    let scopes = [
        ("namespaces", texts(ask.scopes.namespaces.clone())),
        ("nodes", texts(ask.scopes.nodes.clone())),
        ("modules", texts(ask.scopes.modules.clone())),
        ("playbooks", texts(ask.scopes.playbooks.clone())),
        ("groups", texts(ask.scopes.groups.clone())),
    ];
    Ok(vec![
        ("runbook", text(ask.runbook.as_str())),
        ("actions", texts(ask.actions.iter().map(ToString::to_string))),
        ("server", text(&ask.server)),
        ("scopes", record(scopes)?),
        ("params", texts(ask.params.iter().filter_map(|(name, value)| scalar(name, value)))),
    ])
}

fn scalar(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(format!("{name}={text}")),
        Value::Number(number) => Some(format!("{name}={number}")),
        Value::Bool(flag) => Some(format!("{name}={flag}")),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Every measure at its worst, and the names of those that could not be taken.
fn blast(blast: &BlastRadius) -> Result<RestrictedExpression, Unposable> {
    let losses = blast.losses();
    let mut unknown: Vec<_> = losses.iter().filter(|(_, m)| !m.is_known()).map(|(name, _)| *name).collect();
    if !blast.pdb_headroom.is_known() {
        unknown.push("pdb_headroom");
    }
    // What the measures say counts, never the flag alone.
    let known = RestrictedExpression::new_bool(blast.known && unknown.is_empty());
    let worst = losses.iter().map(|(name, measure)| (*name, long(measure.at_worst())));
    record(worst.chain([
        ("pdb_headroom", long(blast.pdb_headroom.at_least())),
        ("known", known),
        ("unknown", texts(unknown.into_iter().map(str::to_owned))),
    ]))
}

fn target_entity(target: &Target) -> Result<Vec<Entity>, Unposable> {
    let attrs = HashMap::from([
        ("name".to_owned(), text(&target.name)),
        ("env".to_owned(), RestrictedExpression::new_entity_uid(uid("Env", target.environment.as_str())?)),
        ("identity".to_owned(), text(&target.identity)),
    ]);
    Ok(vec![entity(uid("Target", &target.identity)?, attrs, HashSet::new())?])
}

/// The entity of a person whom people.yaml does not list: in no group.
fn unlisted(people: &People, person: &runcord_model::PersonName) -> Result<Option<Entity>, Unposable> {
    if people.people.contains_key(person) {
        return Ok(None);
    }
    Ok(Some(Entity::new_no_attrs(uid("Person", person.as_str())?, HashSet::new())))
}

fn entity(
    uid: EntityUid,
    attrs: HashMap<String, RestrictedExpression>,
    parents: HashSet<EntityUid>,
) -> Result<Entity, Unposable> {
    Entity::new(uid, attrs, parents).map_err(|e| Unposable::Entity(Box::new(e)))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn texts(values: impl IntoIterator<Item = String>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.into_iter().map(RestrictedExpression::new_string))
}

fn long(value: i64) -> RestrictedExpression {
    RestrictedExpression::new_long(value)
}

fn record<'n>(
    fields: impl IntoIterator<Item = (&'n str, RestrictedExpression)>,
) -> Result<RestrictedExpression, Unposable> {
    let owned = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    RestrictedExpression::new_record(owned).map_err(|e| Unposable::Record(Box::new(e)))
}

fn uids<'a>(
    kind: &str,
    names: impl IntoIterator<Item = &'a String>,
) -> Result<HashSet<EntityUid>, Unposable> {
    names.into_iter().map(|name| uid(kind, name)).collect()
}

/// From type and name, never by formatting text: a name cannot break out of its quotes.
fn uid(kind: &str, name: &str) -> Result<EntityUid, Unposable> {
    Ok(EntityUid::from_type_name_and_id(entity_type(kind)?, EntityId::new(name)))
}

/// The type of that name. Read once: Cedar's reader of names is slow, and every question has a dozen of them.
fn entity_type(kind: &str) -> Result<EntityTypeName, Unposable> {
    static KNOWN: Mutex<BTreeMap<String, EntityTypeName>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(kind) {
        return Ok(found.clone());
    }
    let read: EntityTypeName = kind.parse().map_err(|e| Unposable::Name(Box::new(e)))?;
    known.insert(kind.to_owned(), read.clone());
    Ok(read)
}

/// Why a set was refused at load, with what Cedar says of it.
pub(crate) fn unfit(why: &Unposable) -> String {
    let cause = std::error::Error::source(why).map(ToString::to_string).unwrap_or_default();
    format!("the schema does not take what Runcord asks of it: {why}: {cause}")
}

/// A principal, a call and its evidence that stand for any.
fn sample() -> Option<(Ask, Evidence)> {
    let target = Target {
        name: "sample".to_owned(),
        environment: runcord_model::Environment::Prod,
        identity: "sample".to_owned(),
    };
    let ask = Ask {
        principal: Principal { requester: "agent".parse().ok()?, sponsor: "somebody".parse().ok()? },
        effect: EffectKind::Mutating,
        runbook: "sample".parse().ok()?,
        actions: BTreeSet::new(),
        server: "sample".to_owned(),
        target,
        scopes: Scopes::default(),
        params: Map::new(),
    };
    let blast = BlastRadius::nothing();
    Some((ask, Evidence { blast, irreversible_cap: 0, signed: Vec::new(), now: Timestamp::UNIX_EPOCH }))
}
