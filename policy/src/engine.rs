//! The engine: what may be asked, what may be applied, and whose approval it still needs.

use std::collections::BTreeSet;

use miette::Report;
use runcord_model::proof::Allowed;
use runcord_model::{Decision, Digest, Outcome, PersonName, Principal, Reason, Target};

use crate::panel::{self, Counts};
use crate::people::{People, UnknownPrincipal};
use crate::problem::{Problem, Text};
use crate::rules::{Rule, Rules};
use crate::targets::Targets;
use crate::world::{self, Answer, Ask, Deed, Evidence, Posed, Unposable, World};
use crate::{Source, reasons};

/// A policy set that was loaded whole and is valid.
#[derive(Debug, Clone)]
pub struct Policies {
    pub(crate) rules: Rules,
    pub(crate) people: People,
    pub(crate) world: World,
    targets: Targets,
    digest: Digest,
}

/// Whether a deed is permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// It is.
    Permitted,
    /// It is not.
    NotPermitted,
}

impl Policies {
    /// Reads and checks a policy set.
    ///
    /// # Errors
    /// Every problem found, each with file, line, column, the line itself and, where known, a hint.
    pub fn load(source: Source) -> Result<Self, Vec<Report>> {
        Self::check(source).map_err(|problems| problems.into_iter().map(Report::new).collect())
    }

    /// The same, with the problems as data.
    ///
    /// # Errors
    /// Every problem found.
    pub fn check(source: Source) -> Result<Self, Vec<Problem>> {
        let people = People::parse(&Text::of(&source.people), &Text::of(&source.approvers));
        let targets = Targets::parse(&Text::of(&source.targets));
        let (people, targets) = match (people, targets) {
            (Ok(people), Ok(targets)) => (people, targets),
            (people, targets) => {
                return Err([people.err(), targets.err()].into_iter().flatten().flatten().collect());
            }
        };
        let rules = Rules::load(&source, &people, &targets)?;
        let schema = Text::of(&source.schema);
        let unfit = |why: &Unposable| vec![Problem::at(&schema, 0, world::unfit(why)).with_hint(SCHEMA_HINT)];
        let world = World::new(&rules, &people).map_err(|why| unfit(&why))?;
        world.try_out(&rules, &people).map_err(|why| unfit(&why))?;
        Ok(Self { rules, people, world, targets, digest: source.digest })
    }

    /// The digest of the set: part of every plan and record.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Who there is.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// What targets are called.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The target of that identity; one that is not mapped counts as production.
    pub fn target(&self, identity: &str) -> Target {
        self.targets.target(identity)
    }

    /// Every rule, in the order of files and lines.
    pub fn rules(&self) -> Vec<&Rule> {
        self.rules.all()
    }

    /// The agent `agent` on behalf of the operating-system user `os_user`.
    ///
    /// # Errors
    /// The agent is not listed, or may not ask on that person's behalf.
    pub fn principal(&self, os_user: &str, agent: &str) -> Result<Principal, UnknownPrincipal> {
        self.people.principal(os_user, agent)
    }

    /// Whether a runbook may be asked for, before anything of the target is read: allow or deny.
    pub fn admit(&self, ask: &Ask) -> Decision {
        if let Err(unknown) = self.people.recognise(&ask.principal) {
            return stranger(&unknown);
        }
        match self.world.asked(&self.rules, &self.people, ask) {
            Ok(posed) => match posed.answer(&self.rules) {
                Answer::Allow(by) => decision(Outcome::Allow, reasons::of(&self.rules, &by, &posed)),
                Answer::Deny(by) => decision(Outcome::Deny, self.refusal(&by, &posed)),
                Answer::Erring(rules) => decision(Outcome::Deny, reasons::erring(&self.rules, &rules)),
            },
            Err(why) => unposable(&why),
        }
    }

    /// Whether a measured plan may be applied, with the approvals that were given.
    pub fn judge(&self, ask: &Ask, evidence: &Evidence) -> Decision {
        if let Err(unknown) = self.people.recognise(&ask.principal) {
            return stranger(&unknown);
        }
        self.judged(ask, evidence).unwrap_or_else(|why| unposable(&why))
    }

    /// The proof that a measured plan may be applied now, with the approvals at hand.
    ///
    /// # Errors
    /// The decision, whenever it is anything but allow.
    pub fn pronounce(&self, ask: &Ask, evidence: &Evidence, plan: &Digest) -> Result<Allowed, Decision> {
        let decision = self.judge(ask, evidence);
        Allowed::pronounced(plan, &self.digest, &decision).ok_or(decision)
    }

    /// Whether `principal` may do this to the plans and runs of `owner`. One's own may always be seen and cancelled.
    pub fn permits(&self, principal: &Principal, deed: Deed, owner: &Principal) -> Permission {
        match deed {
            Deed::View | Deed::Cancel if principal == owner => return Permission::Permitted,
            Deed::View | Deed::Cancel | Deed::PullEverything => {}
        }
        if self.people.recognise(principal).is_err() {
            return Permission::NotPermitted;
        }
        match self
            .world
            .deed(&self.rules, &self.people, principal, deed, owner)
            .map(|p| p.answer(&self.rules))
        {
            Ok(Answer::Allow(_)) => Permission::Permitted,
            Ok(Answer::Deny(_) | Answer::Erring(_)) | Err(_) => Permission::NotPermitted,
        }
    }

    /// The same rules with other people: for policy tests.
    pub(crate) fn with_people(&self, people: People) -> Result<Self, String> {
        let world = World::new(&self.rules, &people).map_err(|why| world::unfit(&why))?;
        Ok(Self { people, world, ..self.clone() })
    }

    /// Asks as it is, then with everybody who could still approve, then for the least that is enough.
    fn judged(&self, ask: &Ask, evidence: &Evidence) -> Result<Decision, Unposable> {
        let rules = &self.rules;
        let (given, available) = self.approvals(ask, evidence);
        let about = self.world.about(rules, &self.people, ask, evidence)?;
        let with = |counts: &Counts| about.with(rules, counts);
        let most = given.plus(&available);
        let (as_is, at_most) = (with(&given)?, with(&most)?);
        let by = match (as_is.answer(rules), at_most.answer(rules)) {
            (Answer::Erring(by), _) | (_, Answer::Erring(by)) => {
                return Ok(decision(Outcome::Deny, reasons::erring(rules, &by)));
            }
            (Answer::Allow(by), Answer::Allow(_)) => {
                return Ok(decision(Outcome::Allow, reasons::of(rules, &by, &as_is)));
            }
            (Answer::Allow(_), Answer::Deny(by)) => return Ok(self.turned(&by, &at_most)),
            (Answer::Deny(_), Answer::Deny(by)) => {
                let plenty = with(&Counts::plenty(&rules.groups))?.answer(rules);
                let mut told = self.refusal(&by, &at_most);
                if matches!(plenty, Answer::Allow(_)) {
                    told.iter_mut().for_each(|reason| reason.text.push_str(nobody(&available)));
                }
                return Ok(decision(Outcome::Deny, told));
            }
            (Answer::Deny(by), Answer::Allow(_)) => by,
        };
        let allows = |more: &Counts| {
            // As it is, it was asked already.
            more.sum() > 0
                && with(&given.plus(more)).is_ok_and(|posed| matches!(posed.answer(rules), Answer::Allow(_)))
        };
        let approvals_needed = panel::least(&available, &rules.asked_for, allows);
        Ok(Decision { outcome: Outcome::NeedsApproval, approvals_needed, reasons: self.refusal(&by, &as_is) })
    }

    /// What was given, and what could still be. Only people who are listed and stand in `approvers` count,
    /// each of them once.
    pub(crate) fn approvals(&self, ask: &Ask, evidence: &Evidence) -> (Counts, Counts) {
        let groups =
            |person: &PersonName| self.people.groups_of(person).map(str::to_owned).collect::<BTreeSet<_>>();
        let may: BTreeSet<_> = self.people.approvers().collect();
        let signed: BTreeSet<_> = evidence.signed.iter().filter(|person| may.contains(person)).collect();
        let left =
            self.people.approvers_for(&ask.principal.sponsor).filter(|person| !signed.contains(person));
        let count = |people: Vec<BTreeSet<String>>| Counts::count(people);
        (count(signed.iter().map(|person| groups(person)).collect()), count(left.map(groups).collect()))
    }

    /// The lint at load makes this impossible; it is looked at again because a wrong answer here would be an open door.
    fn turned(&self, by: &[String], at_most: &Posed) -> Decision {
        let mut told = vec![reasons::own(
            "approvals",
            "more approvals would turn this allow into a deny: the rules contradict themselves",
        )];
        told.extend(self.refusal(by, at_most));
        decision(Outcome::Deny, told)
    }

    /// The rules that forbid; where none does, what would have permitted.
    fn refusal(&self, by: &[String], posed: &Posed) -> Vec<Reason> {
        if by.is_empty() {
            reasons::by_default(&self.rules, posed)
        } else {
            reasons::of(&self.rules, by, posed)
        }
    }
}

const SCHEMA_HINT: &str = "add groups to `Approvals`, and leave the rest of the shipped schema as it is";

fn nobody(available: &Counts) -> &'static str {
    if available.people == 0 {
        "; nobody may give the approval that this needs"
    } else {
        "; too few people may give the approvals that this needs"
    }
}

fn decision(outcome: Outcome, reasons: Vec<Reason>) -> Decision {
    Decision { outcome, approvals_needed: Vec::new(), reasons }
}

fn stranger(unknown: &UnknownPrincipal) -> Decision {
    decision(Outcome::Deny, vec![reasons::own("people", unknown.to_string())])
}

fn unposable(why: &Unposable) -> Decision {
    let text = format!("{why}, and what cannot be asked is refused");
    decision(Outcome::Deny, vec![reasons::own("schema", text)])
}

#[cfg(test)]
mod tests {
    use cedar_policy::{Policy, PolicyId};
    use runcord_model::{BlastRadius, EffectKind, Scopes};

    use super::*;

    /// The lint at load refuses such a rule, so it is put in behind its back.
    #[test]
    fn rules_that_approvals_turn_against_are_refused_loudly() {
        let mut source = crate::shipped(Digest::from_bytes([7; 32]));
        source.people.1 = source.people.1.replace("people: {}", "people: {ann: {groups: [approvers]}}");
        source.approvers.1 = "ann ssh-ed25519 AAAA".to_owned();
        let mut policies = Policies::check(source).unwrap();
        let ask = Ask {
            principal: policies.principal("oncall", "agent").unwrap(),
            effect: EffectKind::Mutating,
            runbook: "drain_node".parse().unwrap(),
            actions: ["drain".to_owned()].into(),
            server: "kubectl".to_owned(),
            target: policies.target("k8s:toy"),
            scopes: Scopes::default(),
            params: serde_json::Map::new(),
        };
        let now = jiff::Timestamp::UNIX_EPOCH;
        let evidence =
            Evidence { blast: BlastRadius::nothing(), irreversible_cap: 0, signed: Vec::new(), now };
        assert_eq!(policies.judge(&ask, &evidence).outcome, Outcome::Allow);
        let turned = "forbid (principal, action, resource) when { context has approvals && context.approvals.people > 0 };";
        policies.rules.set.add(Policy::parse(Some(PolicyId::new("turned")), turned).unwrap()).unwrap();
        let decision = policies.judge(&ask, &evidence);
        assert_eq!(decision.outcome, Outcome::Deny);
        assert!(decision.reasons[0].text.contains("contradict themselves"), "{decision:?}");
    }
}
