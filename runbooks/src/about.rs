//! What a runbook says of itself, and its limits.

use runcord_model::RunbookName;

use crate::duration;
use crate::faults::Faults;
use crate::file::{At, File, LimitsRaw, Metadata, ReviewedRaw};
use crate::hygiene::is_plain;
use crate::kind::Kind;
use crate::params::{Params, Presence};
use crate::report::{Source, Span, did_you_mean};
use crate::runbook::{About, Limits, Reviewed};
use crate::template::{BadTemplate, Placeholder, Root, Template};

/// The most that a description may hold, in bytes: clients cut longer ones.
const DESCRIPTION_MAX: usize = 2000;
const PLAN_TTL_MAX_MS: u64 = 3_600_000;
const TIMEOUT_USUAL_MS: u64 = 3_600_000;
const TIMEOUT_MAX_MS: u64 = 24 * 3_600_000;
/// Tools that every server has: a read-only runbook's tool has the runbook's bare name.
const TOOLS: [&str; 6] =
    ["apply_plan", "run_status", "run_cancel", "undo_plan", "runbook_search", "pull_cord"];

/// Checks the metadata and the description.
pub(crate) fn about(file: &File, faults: &mut Faults<'_>) -> Option<About> {
    constant(&file.api_version, "runcord.dev/v1", faults);
    constant(&file.kind, "Runbook", faults);
    let meta = &file.metadata;
    let description = &file.spec.description;
    let blank = description.value.trim().is_empty();
    if blank || description.value.len() > DESCRIPTION_MAX {
        faults.add(description.span, format!("a description has 1 to {DESCRIPTION_MAX} bytes"), None);
    }
    let title = line(&meta.title, 100, faults);
    let owner = line(&meta.owner, 60, faults);
    let version = version(&meta.version, faults);
    let reviewed = meta.reviewed.as_ref().and_then(|raw| reviewed(raw, faults));
    Some(About {
        name: name(meta, faults)?,
        version,
        title,
        owner,
        description: description.value.trim().to_owned(),
        server: file.spec.server.value.clone(),
        reviewed,
        links: links(meta, faults),
    })
}

/// Checks the limits.
pub(crate) fn limits(raw: &LimitsRaw, params: &Params, faults: &mut Faults<'_>) -> Limits {
    let plan_ttl_ms = raw.plan_ttl.as_ref().map(|at| milliseconds(at, PLAN_TTL_MAX_MS, "60m", faults));
    let timeout = raw.timeout.as_ref().map(|at| milliseconds(at, TIMEOUT_MAX_MS, "24h", faults));
    let concurrency = raw.concurrency.as_ref().and_then(|c| {
        if c.max.value == 0 {
            faults.add(c.max.span, "at least one run must be possible", None);
        }
        Some((closed_text(&c.key, "a concurrency key", params, faults)?, c.max.value))
    });
    Limits {
        plan_ttl_ms,
        timeout_ms: timeout.unwrap_or(TIMEOUT_USUAL_MS),
        irreversible: raw.irreversible,
        concurrency,
    }
}

/// A duration of at least a second and at most `max`.
fn milliseconds(at: &At<String>, max: u64, max_text: &str, faults: &mut Faults<'_>) -> u64 {
    let parsed = duration::parse_ms(&at.value);
    match parsed {
        None => faults.add(at.span, format!("this {}", duration::RULE), None),
        Some(ms) if !(1000..=max).contains(&ms) => {
            faults.add(at.span, format!("must be at least 1s and at most {max_text}"), None);
        }
        Some(_) => {}
    }
    parsed.unwrap_or(0)
}

/// One line of plain text with at most `max` characters.
pub(crate) fn line(at: &At<String>, max: usize, faults: &mut Faults<'_>) -> String {
    let text = at.value.trim();
    if text.is_empty() || text.chars().count() > max || !text.chars().all(is_plain) {
        faults.add(at.span, format!("must be one line of 1 to {max} characters"), None);
    }
    text.to_owned()
}

/// A line whose placeholders are parameters of a closed grammar that are always there: it is read by people and
/// compared by machines, and free text in it could say anything.
pub(crate) fn closed_text(
    at: &At<String>,
    what: &str,
    params: &Params,
    faults: &mut Faults<'_>,
) -> Option<Template> {
    line(at, 200, faults);
    let template = match Template::parse(&at.value) {
        Ok(template) => template,
        Err(bad) => {
            bad_template(at.span, &at.value, &bad, faults);
            return None;
        }
    };
    for hole in template.placeholders() {
        let place = hole_span(faults.source, at.span, &at.value, hole);
        let Some(param) = param_of(hole, place, params, faults) else { continue };
        if matches!(param.presence, Presence::Optional) {
            let hint = format!("give `{}` a default", param.name);
            faults.add(place, format!("{what} cannot hold a parameter that may be absent"), Some(hint));
        } else if !param.kind.is_closed() {
            let hint = if matches!(param.kind, Kind::Text(_)) {
                format!("give `{}` a format, an enum or a pattern", param.name)
            } else {
                "leave it out".to_owned()
            };
            faults.add(place, format!("{what} cannot hold free text, a list or a secret"), Some(hint));
        }
    }
    Some(template)
}

/// The parameter that a placeholder names; reports one that is not there, and `before` where it has no place.
pub(crate) fn param_of<'p>(
    hole: &Placeholder,
    place: Span,
    params: &'p Params,
    faults: &mut Faults<'_>,
) -> Option<&'p crate::params::Param> {
    if hole.root == Root::Before {
        faults.add(place, "`before` can be named in `undo` only: elsewhere nothing has been seen yet", None);
        return None;
    }
    let name = hole.param().unwrap_or_default();
    let found = params.get(name);
    if found.is_none() {
        faults.add(place, format!("unknown parameter `{name}`"), did_you_mean(name, params.names()));
    }
    found
}

pub(crate) fn hole_span(source: &Source, at: Span, text: &str, hole: &Placeholder) -> Span {
    source.within(at, text, hole.offset, hole.len)
}

pub(crate) fn bad_template(at: Span, text: &str, bad: &BadTemplate, faults: &mut Faults<'_>) {
    let place = faults.source.within(at, text, bad.offset, bad.len);
    faults.add(place, bad.message, None);
}

fn constant(at: &At<String>, expected: &str, faults: &mut Faults<'_>) {
    if at.value != expected {
        faults.add(at.span, format!("must be `{expected}`"), None);
    }
}

fn name(meta: &Metadata, faults: &mut Faults<'_>) -> Option<RunbookName> {
    match RunbookName::try_from(meta.name.value.clone()) {
        Ok(name) if TOOLS.contains(&name.as_str()) || name.as_str().starts_with("plan_") => {
            faults.add(
                meta.name.span,
                "this name is that of a tool which every server has, or begins like one",
                None,
            );
            None
        }
        Ok(name) => Some(name),
        Err(error) => {
            faults.add(meta.name.span, error, None);
            None
        }
    }
}

fn version(at: &At<String>, faults: &mut Faults<'_>) -> String {
    let number = |part: &str| !part.is_empty() && part.len() <= 6 && part.bytes().all(|b| b.is_ascii_digit());
    if at.value.split('.').count() != 3 || !at.value.split('.').all(number) {
        faults.add(at.span, "a version is three numbers, such as 1.0.0", None);
    }
    at.value.clone()
}

fn links(meta: &Metadata, faults: &mut Faults<'_>) -> Vec<String> {
    for link in &meta.links {
        let plain = link.value.bytes().all(|b| b.is_ascii_graphic());
        if !(link.value.starts_with("https://") && plain && link.value.len() <= 500) {
            faults.add(link.span, "a link begins with https:// and holds no space", None);
        }
    }
    meta.links.iter().map(|link| link.value.clone()).collect()
}

fn reviewed(raw: &ReviewedRaw, faults: &mut Faults<'_>) -> Option<Reviewed> {
    let by = raw.by.iter().map(|person| line(person, 60, faults)).collect();
    match raw.until.value.parse() {
        Ok(until) => Some(Reviewed { by, until }),
        Err(_) => {
            faults.add(raw.until.span, "must be a date such as 2027-05-01", None);
            None
        }
    }
}
