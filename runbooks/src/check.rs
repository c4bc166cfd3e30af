//! From a file's shape to a checked runbook.

use runcord_model::{ActionSpec, Catalog, Digest, EffectKind};
use serde_json::{Map, Value};

use crate::checker::{Checker, Tries};
use crate::checks::{self, Observed, Window};
use crate::faults::Faults;
use crate::file::{At, File, ParamRaw};
use crate::params::{INCIDENT, Param, Params, Presence, REASON, is_param_name};
use crate::report::{Report, Source};
use crate::runbook::{Runbook, Step};
use crate::steps::{self, Before};
use crate::{about, declare, parse};

/// A file whose shape was read: keys and kinds of values, not yet what they mean.
#[derive(Debug, Clone)]
pub struct Parsed {
    source: Source,
    file: File,
}

impl Runbook {
    /// Reads a file's shape. `file` is its name, for reports.
    ///
    /// # Errors
    /// The first thing that is no YAML or no runbook: an unknown or missing key, a value of the wrong kind, an
    /// invisible character.
    pub fn parse(file: &str, text: &str) -> Result<Parsed, Report> {
        let source = Source::new(file, text);
        let file = parse::parse(&source)?;
        Ok(Parsed { source, file })
    }
}

impl Parsed {
    /// The server it is for, so that a caller can leave other servers' runbooks out.
    pub fn server(&self) -> &str {
        &self.file.spec.server.value
    }

    /// Types it against what its server can do and see. `digest` is that of the file's bytes.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the file.
    pub fn check(&self, catalog: &Catalog, digest: Digest) -> Result<Runbook, Vec<Report>> {
        self.check_by(&Checker::thorough(catalog), digest)
    }

    /// The same, one of many that are checked against the same server.
    ///
    /// # Errors
    /// As [`Parsed::check`].
    pub fn check_by(&self, checker: &Checker<'_>, digest: Digest) -> Result<Runbook, Vec<Report>> {
        let mut faults = Faults::new(&self.source);
        let runbook = self.checked(checker, digest, &mut faults);
        faults.or(runbook)
    }

    fn checked(&self, checker: &Checker<'_>, digest: Digest, faults: &mut Faults<'_>) -> Option<Runbook> {
        let catalog = checker.catalog;
        let spec = &self.file.spec;
        if spec.server.value != catalog.server {
            faults.add(spec.server.span, format!("this server is `{}`", catalog.server), None);
            return None;
        }
        let about = about::about(&self.file, faults);
        let params = params(&spec.params.0, faults)?;
        let samples = match checker.tries {
            Tries::Samples => samples(&params),
            Tries::Nothing => Vec::new(),
        };

        let (steps, undo) = (steps::of_steps(&spec.steps), steps::of_undo(&spec.undo));
        let actions = steps.iter().chain(&undo).filter_map(|step| catalog.action(step.action()));
        let observed = Observed::by(actions, checker);
        let seen = Before::Seen { observation: &observed.variables, sample: &observed.sample };

        let shape = faults.count();
        let read_steps = steps::read(&steps, catalog, &params, &Before::Nothing, faults);
        let read_undo = steps::read(&undo, catalog, &params, &seen, faults);
        if faults.count() == shape {
            steps::try_out(&steps, &read_steps, &samples, checker, &Before::Nothing, faults);
            steps::try_out(&undo, &read_undo, &samples, checker, &seen, faults);
        }
        let effect = self.effect(&read_steps, &read_undo, faults);
        let mut compile = |raw, window| checks::compile(raw, window, &observed, &params, &samples, faults);
        let preconditions = compile(&spec.preconditions, Window::None);
        let guard = compile(&spec.guard, Window::None);
        let verify = compile(&spec.verify, Window::Within);
        let headline = about::closed_text(&spec.headline, "a headline", &params, faults);
        let limits = about::limits(&spec.limits, &params, faults);
        Some(Runbook {
            about: about?,
            text: self.source.text().to_owned(),
            digest,
            effect,
            headline: headline?,
            steps: read_steps.into_iter().map(|(step, _)| step).collect(),
            undo: read_undo.into_iter().map(|(step, _)| step).collect(),
            preconditions,
            guard,
            verify,
            limits,
            params,
        })
    }

    /// What the steps do together. A runbook looks or changes, never both: what a step reads on the way to a change
    /// would go nowhere.
    fn effect(
        &self,
        steps: &[(Step, &ActionSpec)],
        undo: &[(Step, &ActionSpec)],
        faults: &mut Faults<'_>,
    ) -> EffectKind {
        let spec = &self.file.spec;
        let has = |kind: EffectKind| steps.iter().any(|(_, action)| action.effect == kind);
        let effect = match (has(EffectKind::Mutating), has(EffectKind::Undetermined)) {
            (true, _) => EffectKind::Mutating,
            (false, true) => EffectKind::Undetermined,
            (false, false) => EffectKind::ReadOnly,
        };
        if spec.steps.is_empty() {
            faults.add(spec.headline.span, "a runbook has at least one step", None);
        } else if effect == EffectKind::ReadOnly {
            let checks = [&spec.preconditions, &spec.guard, &spec.verify];
            if !spec.undo.is_empty() || checks.iter().any(|list| !list.is_empty()) {
                let span = spec.steps.first().map_or(spec.headline.span, |step| step.action.span);
                faults.add(span, "checks and undo have no meaning where nothing is changed", None);
            }
        } else if has(EffectKind::ReadOnly) || undo.iter().any(|(_, a)| a.effect == EffectKind::ReadOnly) {
            let span = spec.headline.span;
            faults.add(span, "a runbook that changes something has no step that only looks", None);
        }
        effect
    }
}

fn params(raw: &[(At<String>, At<ParamRaw>)], faults: &mut Faults<'_>) -> Option<Params> {
    let before = faults.count();
    let params: Vec<Param> = raw.iter().filter_map(|(name, raw)| param(name, raw, faults)).collect();
    (faults.count() == before).then_some(Params(params))
}

fn param(name: &At<String>, raw: &At<ParamRaw>, faults: &mut Faults<'_>) -> Option<Param> {
    if !is_param_name(&name.value) {
        faults.add(
            name.span,
            "a parameter's name has 1 to 40 of a-z, 0-9 and _, beginning with a letter",
            None,
        );
    }
    if name.value == REASON || name.value == INCIDENT {
        faults.add(name.span, "this name is the tool's own", None);
    }
    let declared = &raw.value;
    let presence = match (&declared.default, declared.required.as_ref()) {
        (Some(_), Some(required)) if required.value => {
            faults.add(required.span, "a parameter with a default is not required", None);
            return None;
        }
        (Some(default), _) => Presence::Default(default.value.clone()),
        (None, Some(required)) if !required.value => Presence::Optional,
        (None, _) => Presence::Required,
    };
    let description = declared.description.as_ref().map(|text| about::line(text, 300, faults));
    let kind = declare::kind(raw, faults)?;
    Some(Param { name: name.value.clone(), description, kind, presence })
}

/// Sets of values that the parameters allow: a plain one, that one with each parameter in turn at each end of its
/// range, and one without whatever may be absent.
fn samples(params: &Params) -> Vec<Map<String, Value>> {
    let values = |param: &Param| {
        let default = match &param.presence {
            Presence::Default(value) => Some(value.clone()),
            Presence::Required | Presence::Optional => None,
        };
        default.into_iter().chain(param.kind.samples()).collect::<Vec<_>>()
    };
    let first = |p: &Param| values(p).into_iter().next().map(|value| (p.name.clone(), value));
    let plain: Map<String, Value> = params.0.iter().filter_map(first).collect();
    let mut sets = vec![plain.clone()];
    for param in &params.0 {
        for value in values(param).into_iter().skip(1) {
            let mut set = plain.clone();
            set.insert(param.name.clone(), value);
            sets.push(set);
        }
    }
    let present = |p: &&Param| !matches!(p.presence, Presence::Optional);
    sets.push(params.0.iter().filter(present).filter_map(first).collect());
    sets
}
