//! Compiles the checks of a runbook against what its actions observe, and tries them on the sample.

use runcord_model::ActionSpec;
use serde_json::{Map, Value};

use crate::about::line;
use crate::cel::{self, Always, BadCel, Check, Field, PARAMS, Scene, Scope, Type};
use crate::checker::Checker;
use crate::duration;
use crate::faults::Faults;
use crate::file::{At, CheckRaw};
use crate::kind::Kind;
use crate::params::{Filled, Params, Presence};

/// What the actions of a runbook observe together: the types of the variables, and a sample of them.
pub(crate) struct Observed {
    pub(crate) variables: Type,
    pub(crate) sample: Value,
}

impl Observed {
    pub(crate) fn by<'a>(actions: impl Iterator<Item = &'a ActionSpec>, checker: &Checker<'_>) -> Self {
        let Checker { catalog, observation, .. } = checker;
        let (mut fields, mut sample) = (std::collections::BTreeMap::new(), Map::new());
        for name in actions.flat_map(|action| action.observes) {
            let schema = observation.get("properties").and_then(|p| p.get(name));
            let found = schema.map_or(Type::Any, |schema| Type::of(schema, observation));
            fields.insert((*name).to_owned(), Field { r#type: found, always: Always::Yes });
            sample.extend(catalog.sample.get(name).map(|value| ((*name).to_owned(), value.clone())));
        }
        Self { variables: Type::Object(fields), sample: Value::Object(sample) }
    }

    fn scope(&self, params: &Params) -> Scope {
        let mut scope = Scope::new();
        if let Type::Object(fields) = &self.variables {
            scope.extend(fields.iter().map(|(name, field)| (name.clone(), field.r#type.clone())));
        }
        scope.insert(PARAMS.to_owned(), params_type(params));
        scope
    }
}

fn params_type(params: &Params) -> Type {
    let field = |presence: &Presence, kind: &Kind| Field {
        r#type: kind_type(kind),
        always: match presence {
            Presence::Required | Presence::Default(_) => Always::Yes,
            Presence::Optional => Always::No,
        },
    };
    Type::Object(params.0.iter().map(|p| (p.name.clone(), field(&p.presence, &p.kind))).collect())
}

fn kind_type(kind: &Kind) -> Type {
    match kind {
        Kind::Text(_) | Kind::Duration(_) | Kind::Quantity(_) | Kind::SecretRef => Type::Text,
        Kind::Integer(_) => Type::Int,
        Kind::Number(_) => Type::Double,
        Kind::Boolean => Type::Bool,
        Kind::Array { items, .. } => Type::List(Box::new(kind_type(items))),
    }
}

/// Whether a check may be given time to come true.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    None,
    Within,
}

/// Compiles each check and tries it on every sample.
pub(crate) fn compile(
    raw: &[At<CheckRaw>],
    window: Window,
    observed: &Observed,
    params: &Params,
    samples: &[Map<String, Value>],
    faults: &mut Faults<'_>,
) -> Vec<Check> {
    let (scope, scene) = (observed.scope(params), Scene::new(&observed.sample));
    raw.iter().filter_map(|raw| one(&raw.value, window, &scope, &scene, samples, faults)).collect()
}

fn one(
    raw: &CheckRaw,
    window: Window,
    scope: &Scope,
    scene: &Scene<'_>,
    samples: &[Map<String, Value>],
    faults: &mut Faults<'_>,
) -> Option<Check> {
    let message = line(&raw.message, 200, faults);
    let within_ms = within(raw, window, faults);
    let source = &raw.check;
    match cel::compile(&source.value, &message, within_ms, scope) {
        Err(bad) => {
            for BadCel { at: (offset, len), message, hint } in bad {
                let place = faults.source.within(source.span, &source.value, offset, len);
                faults.add(place, message, hint);
            }
            None
        }
        Ok(check) => {
            let tried = samples.iter().map(|params| Filled::sample(params.clone()));
            let failed = tried.map(|filled| check.try_on(scene, &filled)).find_map(Result::err);
            if let Some(error) = failed {
                faults.add(source.span, format!("tried on the sample observation: {error}"), None);
            }
            Some(check)
        }
    }
}

fn within(raw: &CheckRaw, window: Window, faults: &mut Faults<'_>) -> u64 {
    let Some(given) = &raw.within else { return 0 };
    if window == Window::None {
        faults.add(given.span, "`within` has a meaning in `verify` only: this is looked at once", None);
    }
    let ms = duration::parse_ms(&given.value);
    if ms.is_none_or(|ms| ms > 3_600_000) {
        faults.add(given.span, format!("this {}, at most 1h", duration::RULE), None);
    }
    ms.unwrap_or(0)
}
