//! Rules in words: what decided, with limit and actual value.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's enums are non-exhaustive; what has no words is left out"
)]

use cedar_policy::pst::{BinaryOp, Expr, Literal};
use cedar_policy::{EvalResult, Expression};
use runcord_model::{BlastRadius, Measure, Reason};

use crate::clauses::{Keyword, Leaf, path};
use crate::rules::{Rule, RuleKind, Rules};
use crate::world::Posed;

/// A reason that no rule gives: the engine's own.
pub(crate) fn own(policy: &str, text: impl Into<String>) -> Reason {
    Reason { policy: policy.to_owned(), file: "policy".to_owned(), line: 0, text: text.into() }
}

/// The rules that decided, with what they saw.
pub(crate) fn of(rules: &Rules, ids: &[String], posed: &Posed) -> Vec<Reason> {
    ids.iter()
        .filter_map(|id| rules.get(id))
        .map(|rule| reason(rule, &rule.reason, &decisive(rule, posed)))
        .collect()
}

/// The rules that could not be evaluated.
pub(crate) fn erring(rules: &Rules, ids: &[String]) -> Vec<Reason> {
    let told = "this rule could not be evaluated, and a rule that errs refuses everything";
    let of_rule = |id: &String| rules.get(id).map_or_else(|| own(id, told), |rule| reason(rule, told, &[]));
    ids.iter().map(of_rule).collect()
}

/// Why nothing permits it: the permits for this action, with what each lacks.
pub(crate) fn by_default(rules: &Rules, posed: &Posed) -> Vec<Reason> {
    let concerned = |rule: &&Rule| {
        rule.kind == RuleKind::Permit && posed.value(&rule.clauses.action) == Some(EvalResult::Bool(true))
    };
    let near: Vec<_> = rules.all().into_iter().filter(concerned).map(|rule| nearly(rule, posed)).collect();
    if near.is_empty() { vec![own("default", "no rule permits it")] } else { near }
}

fn nearly(rule: &Rule, posed: &Posed) -> Reason {
    let unmet = |(_, expr): &&(String, Expression)| posed.value(expr) != Some(EvalResult::Bool(true));
    let mut lacks: Vec<_> =
        rule.clauses.scope.iter().filter(unmet).map(|(text, _)| format!("not so: {text}")).collect();
    let lacking = |leaf: &&Leaf| truth(leaf, posed).is_some_and(|is| is != leaf.applies_when);
    lacks.extend(rule.clauses.leaves.iter().filter(lacking).filter_map(|leaf| words(leaf, posed)));
    reason(rule, "nothing permits it; this rule would, but for its conditions", &lacks)
}

/// The comparisons that made the rule apply.
fn decisive(rule: &Rule, posed: &Posed) -> Vec<String> {
    let mut said: Vec<(String, String)> = Vec::new();
    if rule.kind == RuleKind::Permit {
        return Vec::new();
    }
    for leaf in &rule.clauses.leaves {
        let shown = is_ordering(&leaf.expr) || leaf.keyword == Keyword::When;
        if !shown || truth(leaf, posed) != Some(leaf.applies_when) {
            continue;
        }
        if let (Some(about), Some(words)) = (subject(&leaf.expr), words(leaf, posed)) {
            // The first limit is the one that was passed; what `unless` would have asked of the same is noise.
            if !said.iter().any(|(other, _)| *other == about) {
                said.push((about, words));
            }
        }
    }
    said.into_iter().map(|(_, words)| words).collect()
}

fn reason(rule: &Rule, told: &str, values: &[String]) -> Reason {
    let text = if values.is_empty() { told.to_owned() } else { format!("{told} ({})", values.join("; ")) };
    Reason { policy: rule.id.clone(), file: rule.file.clone(), line: rule.line, text }
}

/// What a comparison is now; none when it cannot be evaluated.
pub(crate) fn truth(leaf: &Leaf, posed: &Posed) -> Option<bool> {
    match posed.value(&expression(&leaf.expr))? {
        EvalResult::Bool(is) => Some(is),
        _ => None,
    }
}

/// A comparison in words, with the values it saw: `blast.pods_lost is 12, limit 10`.
pub(crate) fn words(leaf: &Leaf, posed: &Posed) -> Option<String> {
    let Expr::BinaryOp { op, left, right } = &*leaf.expr else { return None };
    let holds = truth(leaf, posed)?;
    let (op, left, right) =
        if matches!(**left, Expr::Literal(_)) { (mirrored(*op)?, right, left) } else { (*op, left, right) };
    let about = subject_of(left)?;
    let bound = || shown(&about, &posed.value(&expression(right))?);
    let is = || shown(&about, &posed.value(&expression(left))?);
    let limit = match (op, holds) {
        (BinaryOp::Greater, true) | (BinaryOp::LessEq, false) => format!("limit {}", bound()?),
        (BinaryOp::GreaterEq, true) | (BinaryOp::Less, false) => format!("limit below {}", bound()?),
        (BinaryOp::Less, true) | (BinaryOp::GreaterEq, false) => format!("{} needed", bound()?),
        (BinaryOp::LessEq, true) | (BinaryOp::Greater, false) => format!("more than {} needed", bound()?),
        (BinaryOp::Eq, true) | (BinaryOp::NotEq, false) => return Some(format!("{about} is {}", is()?)),
        (BinaryOp::Eq, false) | (BinaryOp::NotEq, true) => {
            return Some(format!("{about} is {}, not {}", is()?, bound()?));
        }
        (BinaryOp::Contains, true) => return Some(format!("{about} hold {}", bound()?)),
        (BinaryOp::Contains, false) => return Some(format!("{about} do not hold {}", bound()?)),
        (BinaryOp::In, true) => return Some(format!("{about} is in {right}")),
        (BinaryOp::In, false) => return Some(format!("{about} is not in {right}")),
        _ => return None,
    };
    Some(format!("{about} is {}, {limit}", is()?))
}

/// The same comparison with its sides exchanged.
fn mirrored(op: BinaryOp) -> Option<BinaryOp> {
    match op {
        BinaryOp::Less => Some(BinaryOp::Greater),
        BinaryOp::LessEq => Some(BinaryOp::GreaterEq),
        BinaryOp::Greater => Some(BinaryOp::Less),
        BinaryOp::GreaterEq => Some(BinaryOp::LessEq),
        BinaryOp::Eq | BinaryOp::NotEq => Some(op),
        _ => None,
    }
}

fn is_ordering(expr: &Expr) -> bool {
    use BinaryOp::{Greater, GreaterEq, Less, LessEq};
    matches!(expr, Expr::BinaryOp { op: Less | LessEq | Greater | GreaterEq, .. })
}

/// What a comparison is about, whichever side it stands on.
fn subject(expr: &Expr) -> Option<String> {
    let Expr::BinaryOp { left, right, .. } = expr else { return None };
    subject_of(if matches!(**left, Expr::Literal(_)) { right } else { left })
}

fn subject_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::BinaryOp { op: BinaryOp::Add, left, right } => {
            Some(format!("{} + {}", subject_of(left)?, subject_of(right)?))
        }
        Expr::Literal(Literal::Long(number)) => Some(number.to_string()),
        other => {
            let names = path(other)?;
            let own = if names.first() == Some(&"context") { names.get(1..)? } else { names.as_slice() };
            (!own.is_empty()).then(|| own.join("."))
        }
    }
}

/// A value as a reader wants it. The numbers that stand for *unknown* and *no budget* are said as such.
pub(crate) fn shown(about: &str, value: &EvalResult) -> Option<String> {
    match value {
        EvalResult::Long(number)
            if *number >= Measure::Unknown.at_worst() || *number <= Measure::Unknown.at_least() =>
        {
            Some("unknown".to_owned())
        }
        EvalResult::Long(number) if about == "blast.pdb_headroom" && *number == BlastRadius::NO_BUDGET => {
            Some("no budget".to_owned())
        }
        EvalResult::Long(number) => Some(number.to_string()),
        EvalResult::Bool(is) => Some(is.to_string()),
        EvalResult::String(text) => Some(text.clone()),
        EvalResult::EntityUid(uid) => Some(uid.id().unescaped().to_owned()),
        EvalResult::ExtensionValue(text) => Some(text.clone()),
        EvalResult::Set(_) | EvalResult::Record(_) => None,
    }
}

pub(crate) fn expression(expr: &Expr) -> Expression {
    Expression::from(cedar_policy_core::ast::Expr::from(expr.clone()))
}
