//! What people read: the summary of a plan at 3 am, the page that an approver is shown before signing.
//!
//! Nothing here holds text from the infrastructure but names that passed their grammar and values that were cleaned.

use runcord_model::blast::BlastRadius;
use runcord_model::{Decision, Measure, Outcome, Plan, PlanBody, PlanId};

/// The summary: what happens, what is lost, what policy says. Five lines at most.
pub fn plan_summary(headline: &str, body: &PlanBody, decision: &Decision, remarks: &[String]) -> String {
    let mut lines = vec![format!("{} ({}).", capitalised(headline), body.target.environment.as_str())];
    lines.push(losses(&body.blast_radius));
    lines.extend(remarks.iter().take(2).cloned());
    lines.push(match decision.outcome {
        Outcome::Allow => "Policy allows it without an approval.".to_owned(),
        Outcome::NeedsApproval => {
            format!("Policy asks for {}: {}.", decision.needed_in_words(), reasons(decision))
        }
        Outcome::Deny => format!("Policy denies it: {}.", reasons(decision)),
    });
    lines.join("\n")
}

/// What the agent does next, exactly.
pub fn plan_next(id: &PlanId, headline: &str, decision: &Decision) -> String {
    match decision.outcome {
        Outcome::Allow => format!("call apply_plan with plan_id {id} and expect \"{headline}\""),
        Outcome::NeedsApproval => format!(
            "ask for {}; each runs `runcord approve {id}` in a terminal; then call apply_plan with plan_id {id} and expect \"{headline}\"",
            decision.needed_in_words()
        ),
        Outcome::Deny => {
            "do not apply it; choose a smaller change or another runbook, or ask the people who keep the policy".to_owned()
        }
    }
}

/// Why, without the values and places that the decision itself holds: at 3 am the sentence counts.
fn reasons(decision: &Decision) -> String {
    let texts: Vec<_> = decision
        .reasons
        .iter()
        .map(|reason| reason.text.split(" (").next().unwrap_or_default().trim_end_matches('.'))
        .collect();
    if texts.is_empty() { "no rule permits it".to_owned() } else { texts.join("; ") }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `Lost at once: 2 ready pods (at most 50 % of one workload).` What is made of resources and done to hosts is said before
/// that.
fn losses(blast: &BlastRadius) -> String {
    let said: Vec<_> = [resources(blast), hosts(blast), lost(blast)].into_iter().flatten().collect();
    if said.is_empty() { "Lost at once: no ready pod.".to_owned() } else { said.join(" ") }
}

/// `Resource instances: 2 made, 1 replaced (3 % of the root module destroyed or replaced).`
fn resources(blast: &BlastRadius) -> Option<String> {
    let mut parts = Vec::new();
    for (measure, deed) in [
        (blast.creates, "made"),
        (blast.updates, "changed in place"),
        (blast.replaces, "replaced"),
        (blast.destroys, "destroyed"),
        (blast.forgets, "managed no more"),
    ] {
        match measure {
            Measure::Known(0) => {}
            Measure::Known(n) => parts.push(format!("{n} {deed}")),
            Measure::Unknown => parts.push(format!("an unknown number {deed}")),
        }
    }
    if parts.is_empty() {
        return None;
    }
    let share = match blast.instances_percent {
        Measure::Known(0) => String::new(),
        share @ (Measure::Known(_) | Measure::Unknown) => {
            format!(" ({} of the root module destroyed or replaced)", percent(share))
        }
    };
    let mut beside = Vec::new();
    count(&mut beside, blast.data_destroys, "that holds data", "that hold data");
    count(&mut beside, blast.outside_named, "beside the one named", "beside the one named");
    let beside = if beside.is_empty() { String::new() } else { format!("; {}", beside.join(", ")) };
    Some(format!("Resource instances: {}{share}{beside}.", parts.join(", ")))
}

/// `Hosts: 4 touched (at most 50 % of one group, 25 % at once), 4 services restarted.`
fn hosts(blast: &BlastRadius) -> Option<String> {
    let mut parts = Vec::new();
    match blast.hosts {
        Measure::Known(0) => {}
        measure @ (Measure::Known(_) | Measure::Unknown) => parts.push(format!(
            "{} touched (at most {} of one group, {} at once)",
            number(measure),
            percent(blast.hosts_percent),
            percent(blast.hosts_at_once_percent)
        )),
    }
    count(&mut parts, blast.restarts, "service restarted", "services restarted");
    count(&mut parts, blast.reboots, "rebooted", "rebooted");
    match blast.bytes_deleted {
        Measure::Known(0) => {}
        Measure::Known(n) => parts.push(format!("{} deleted", bytes(n))),
        Measure::Unknown => parts.push("an unknown number of bytes deleted".to_owned()),
    }
    (!parts.is_empty()).then(|| format!("Hosts: {}.", parts.join(", ")))
}

fn number(measure: Measure) -> String {
    match measure {
        Measure::Known(n) => n.to_string(),
        Measure::Unknown => "an unknown number".to_owned(),
    }
}

/// `12.4 GiB`, cut off and not rounded.
fn bytes(n: i64) -> String {
    let units = [("GiB", 1_i64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, size)| n >= *size) {
        Some((unit, size)) => format!("{}.{} {unit}", n / size, n % size * 10 / size),
        None if n == 1 => "1 byte".to_owned(),
        None => format!("{n} bytes"),
    }
}

/// None when nothing is.
fn lost(blast: &BlastRadius) -> Option<String> {
    let mut parts = Vec::new();
    match blast.pods_lost {
        Measure::Known(0) => {}
        Measure::Known(1) => {
            parts.push(format!("1 ready pod ({} of its workload)", percent(blast.replicas_percent)))
        }
        Measure::Known(n) => parts
            .push(format!("{n} ready pods (at most {} of one workload)", percent(blast.replicas_percent))),
        Measure::Unknown => parts.push("an unknown number of ready pods".to_owned()),
    }
    count(&mut parts, blast.nodes, "node emptied", "nodes emptied");
    count(
        &mut parts,
        blast.services_without_endpoints,
        "Service without an endpoint",
        "Services without an endpoint",
    );
    count(
        &mut parts,
        blast.irreversible,
        "thing that cannot be brought back",
        "things that cannot be brought back",
    );
    let headroom = match blast.pdb_headroom {
        Measure::Known(n) if n >= BlastRadius::NO_BUDGET => String::new(),
        Measure::Known(n) if n < 0 => format!(" A disruption budget would be overrun by {}.", -n),
        Measure::Known(n) => format!(" The tightest disruption budget has {n} left afterwards."),
        Measure::Unknown => " Disruption budgets could not be read.".to_owned(),
    };
    match (parts.is_empty(), headroom.is_empty()) {
        (true, true) => None,
        (true, false) => Some(format!("Lost at once: no ready pod.{headroom}")),
        (false, _) => Some(format!("Lost at once: {}.{headroom}", parts.join(", "))),
    }
}

fn percent(measure: Measure) -> String {
    match measure {
        Measure::Known(n) => format!("{n} %"),
        Measure::Unknown => "an unknown share".to_owned(),
    }
}

fn count(parts: &mut Vec<String>, measure: Measure, one: &str, many: &str) {
    match measure {
        Measure::Known(0) => {}
        Measure::Known(1) => parts.push(format!("1 {one}")),
        Measure::Known(n) => parts.push(format!("{n} {many}")),
        Measure::Unknown => parts.push(format!("an unknown number of {many}")),
    }
}

/// The whole page of a plan, in plain text: what `runcord approve` shows, and whose digest is signed as *shown*.
pub fn plan_page(plan: &Plan) -> String {
    let body = &plan.body;
    let mut page =
        format!("{}\n{}\n\n{}\n", plan.headline, "=".repeat(plan.headline.chars().count()), plan.summary);
    page.push_str(&format!("\nasked by      {}\n", body.principal));
    page.push_str(&format!("it claims     {}\n", body.reason));
    for (name, value) in &body.params {
        page.push_str(&format!("parameter     {name} = {value}\n"));
    }
    if let Some(incident) = &body.incident {
        page.push_str(&format!("incident      {incident}\n"));
    }
    page.push_str(&format!(
        "target        {} ({}), {}\n",
        body.target.name,
        body.target.environment.as_str(),
        body.target.identity
    ));
    page.push_str(&format!(
        "runbook       {} {} ({})\n",
        body.runbook.name,
        body.runbook.version,
        body.runbook.digest.short()
    ));
    page.push_str(&format!("plan          {}, digest {}\n", body.plan_id, plan.digest.short()));
    page.push_str(&format!("open until    {}\n", body.deadline.utc()));
    section(&mut page, "Steps", plan.steps.iter().map(|s| format!("{}: {}", s.id, s.summary)));
    section(&mut page, "Changes", plan.diff.iter().map(|c| format!("{}: {}", c.object, c.text)));
    section(&mut page, "Blast radius", blast_lines(&body.blast_radius));
    section(&mut page, "Checked by dry-run", plan.coverage.checked.iter().cloned());
    section(&mut page, "Undetermined", plan.coverage.undetermined.iter().cloned());
    section(
        &mut page,
        "Policy",
        plan.decision.reasons.iter().map(|r| format!("{} [{}, {}:{}]", r.text, r.policy, r.file, r.line)),
    );
    page
}

fn section(page: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    page.push_str(&format!("\n{title}\n"));
    for line in lines {
        page.push_str(&format!("  {line}\n"));
    }
}

fn blast_lines(blast: &BlastRadius) -> impl Iterator<Item = String> {
    let shown = |measure: Measure| match measure {
        Measure::Known(n) => n.to_string(),
        Measure::Unknown => "unknown".to_owned(),
    };
    let headroom = match blast.pdb_headroom {
        Measure::Known(n) if n >= BlastRadius::NO_BUDGET => "no budget is touched".to_owned(),
        measure @ (Measure::Known(_) | Measure::Unknown) => shown(measure),
    };
    let losses = blast.losses().into_iter().filter(|(_, m)| *m != Measure::Known(0));
    let losses: Vec<_> = losses.map(|(name, m)| format!("{name:<28}{}", shown(m))).collect();
    losses.into_iter().chain([format!("{:<28}{headroom}", "pdb_headroom")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_one_sentence_for_each_kind() {
        let nothing = BlastRadius::nothing();
        assert_eq!(losses(&nothing), "Lost at once: no ready pod.");
        let budget = BlastRadius { pdb_headroom: Measure::Known(1), ..nothing.clone() };
        assert_eq!(
            losses(&budget),
            "Lost at once: no ready pod. The tightest disruption budget has 1 left afterwards."
        );
        let pods = BlastRadius {
            pods_lost: Measure::Known(2),
            replicas_percent: Measure::Known(50),
            ..nothing.clone()
        };
        assert_eq!(losses(&pods), "Lost at once: 2 ready pods (at most 50 % of one workload).");
        let made = BlastRadius { creates: Measure::Known(2), ..nothing.clone() };
        assert_eq!(losses(&made), "Resource instances: 2 made.");
        let worse = BlastRadius {
            replaces: Measure::Known(1),
            destroys: Measure::Unknown,
            instances_percent: Measure::Known(7),
            data_destroys: Measure::Known(1),
            irreversible: Measure::Known(1),
            ..nothing.clone()
        };
        assert_eq!(
            losses(&worse),
            "Resource instances: 1 replaced, an unknown number destroyed (7 % of the root module destroyed or \
             replaced); 1 that holds data. Lost at once: 1 thing that cannot be brought back."
        );
        let hosts = BlastRadius {
            hosts: Measure::Known(4),
            hosts_percent: Measure::Known(100),
            hosts_at_once_percent: Measure::Known(25),
            restarts: Measure::Known(8),
            reboots: Measure::Known(1),
            bytes_deleted: Measure::Known((10 << 30) + (1 << 29)),
            ..nothing.clone()
        };
        assert_eq!(
            losses(&hosts),
            "Hosts: 4 touched (at most 100 % of one group, 25 % at once), 8 services restarted, 1 rebooted, \
             10.5 GiB deleted."
        );
        let unknown = BlastRadius {
            hosts: Measure::Unknown,
            hosts_at_once_percent: Measure::Unknown,
            bytes_deleted: Measure::Unknown,
            irreversible: Measure::Known(1),
            ..nothing
        };
        assert_eq!(
            losses(&unknown),
            "Hosts: an unknown number touched (at most 0 % of one group, an unknown share at once), an unknown \
             number of bytes deleted. Lost at once: 1 thing that cannot be brought back."
        );
    }

    #[test]
    fn bytes_are_said_in_the_largest_unit_that_they_fill() {
        for (n, said) in [
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (1 << 20, "1.0 MiB"),
            ((10 << 30) - 1, "9.9 GiB"),
            (10 << 30, "10.0 GiB"),
            (i64::MAX, "8589934591.9 GiB"),
        ] {
            assert_eq!(bytes(n), said);
        }
    }
}
