//! `policy explain`: every rule that concerns a call, with what it looked at.

use cedar_policy::EvalResult;
use serde::Serialize;

use crate::clauses::{Keyword, Leaf};
use crate::panel::Counts;
use crate::rules::{Rule, RuleKind};
use crate::world::{Ask, Evidence, Posed};
use crate::{Policies, reasons};

/// One rule, and what it made of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The rule's `@id`.
    pub rule: String,
    /// The file it stands in.
    pub file: String,
    /// The line it begins on, from 1.
    pub line: u32,
    /// Whether it permits or forbids.
    pub kind: RuleKind,
    /// Whether it does so here.
    pub applies: Applies,
    /// Its `@reason`.
    pub reason: String,
    /// Its `@advice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// Its comparisons, in order.
    pub looked: Vec<Looked>,
}

/// Whether a rule applies to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Applies {
    /// Its scope and conditions are met.
    Yes,
    /// They are not.
    No,
    /// They could not be evaluated, which refuses everything.
    Erring,
}

/// One comparison of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Looked {
    /// `principal`, `resource`, `when` or `unless`.
    pub keyword: &'static str,
    /// The comparison as Cedar writes it.
    pub text: String,
    /// What it is; none when it could not be evaluated.
    pub is: Option<bool>,
    /// The same with the values it saw, where that can be said.
    pub saw: Option<String>,
}

impl Policies {
    /// Every rule for the action that is asked about, with what it looked at: of the admission, or of the judgement
    /// when there is evidence. The approvals are those in the evidence. Empty when the call cannot even be asked about.
    pub fn explain(&self, ask: &Ask, evidence: Option<&Evidence>) -> Vec<Explained> {
        let posed = match evidence {
            None => self.world.asked(&self.rules, &self.people, ask),
            Some(evidence) => self
                .world
                .about(&self.rules, &self.people, ask, evidence)
                .and_then(|about| about.with(&self.rules, &self.given(ask, evidence))),
        };
        let Ok(posed) = posed else { return Vec::new() };
        let concerned = |rule: &&Rule| posed.value(&rule.clauses.action) == Some(EvalResult::Bool(true));
        self.rules.all().into_iter().filter(concerned).map(|rule| explained(rule, &posed)).collect()
    }

    fn given(&self, ask: &Ask, evidence: &Evidence) -> Counts {
        self.approvals(ask, evidence).0
    }
}

fn explained(rule: &Rule, posed: &Posed) -> Explained {
    let scope = rule.clauses.scope.iter().map(|(text, expr)| Looked {
        keyword: if text.starts_with("resource") { "resource" } else { "principal" },
        text: text.clone(),
        is: posed.value(expr).map(|value| value == EvalResult::Bool(true)),
        saw: None,
    });
    let looked = |leaf: &Leaf| Looked {
        keyword: match leaf.keyword {
            Keyword::When => "when",
            Keyword::Unless => "unless",
        },
        text: leaf.expr.to_string(),
        is: reasons::truth(leaf, posed),
        saw: reasons::words(leaf, posed),
    };
    Explained {
        rule: rule.id.clone(),
        file: rule.file.clone(),
        line: rule.line,
        kind: rule.kind,
        applies: match posed.value(&rule.clauses.condition) {
            Some(EvalResult::Bool(true)) => Applies::Yes,
            Some(_) => Applies::No,
            None => Applies::Erring,
        },
        reason: rule.reason.clone(),
        advice: rule.advice.clone(),
        looked: scope.chain(rule.clauses.leaves.iter().map(looked)).collect(),
    }
}
