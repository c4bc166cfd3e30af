//! The conditions of a rule, taken apart into comparisons: for explaining them, and for holding that approvals
//! only ever help.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's enums are non-exhaustive; what is not known is not trusted"
)]

use std::sync::Arc;

use cedar_policy::pst::{BinaryOp, Clause, Expr, UnaryOp, Var};
use cedar_policy::{Effect, Expression, Policy};

/// The scope and conditions of a rule.
#[derive(Debug, Clone)]
pub(crate) struct Clauses {
    /// Scope and clauses in one.
    pub(crate) condition: Expression,
    /// `action …` of the scope.
    pub(crate) action: Expression,
    /// `principal …` and `resource …` of the scope, with their text; nothing for those that any one meets.
    pub(crate) scope: Vec<(String, Expression)>,
    /// The comparisons that its clauses are made of.
    pub(crate) leaves: Vec<Leaf>,
    whole: Vec<Clause>,
}

/// One comparison of a clause.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) keyword: Keyword,
    pub(crate) expr: Arc<Expr>,
    /// What it must be for its rule to apply (as far as it alone can say).
    pub(crate) applies_when: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    When,
    Unless,
}

/// What more approvals may do to an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    /// Turn it from false to true.
    Rise,
    /// Turn it from true to false.
    Fall,
}

impl Clauses {
    pub(crate) fn of(policy: &Policy) -> Result<Self, String> {
        let tree = policy.to_pst().map_err(|e| format!("cannot be taken apart: {e}"))?;
        let whole = tree.body().clauses().clone();
        let mut leaves = Vec::new();
        for clause in &whole {
            match clause {
                Clause::When(expr) => collect(expr, Keyword::When, true, &mut leaves),
                Clause::Unless(expr) => collect(expr, Keyword::Unless, false, &mut leaves),
            }
        }
        let inner: &cedar_policy_core::ast::Policy = policy.as_ref();
        let both = [inner.principal_constraint().as_expr(), inner.resource_constraint().as_expr()];
        let scope = both.into_iter().map(|expr| (expr.to_string(), Expression::from(expr)));
        Ok(Self {
            condition: Expression::from(inner.condition()),
            action: Expression::from(inner.action_constraint().as_expr()),
            scope: scope.filter(|(text, _)| text != "true").collect(),
            leaves,
            whole,
        })
    }

    /// What of `context.approvals` the clauses look at.
    pub(crate) fn approvals(&self) -> Vec<String> {
        let mut found = Vec::new();
        for clause in &self.whole {
            let (Clause::When(expr) | Clause::Unless(expr)) = clause;
            walk(expr, &mut |e| {
                if let Some(name) = approval(e) {
                    found.push(name.to_owned());
                }
            });
        }
        found
    }

    /// Holds that more approvals never turn an allow into something less, whatever else is the case.
    pub(crate) fn approvals_only_help(&self, policy: &Policy) -> Result<(), &'static str> {
        for clause in &self.whole {
            let (expr, may) = match (policy.effect(), clause) {
                (Effect::Permit, Clause::When(expr)) | (Effect::Forbid, Clause::Unless(expr)) => {
                    (expr, May::Rise)
                }
                (Effect::Permit, Clause::Unless(expr)) | (Effect::Forbid, Clause::When(expr)) => {
                    (expr, May::Fall)
                }
            };
            if !only(may, expr) {
                return Err("more approvals could turn an allow into something less");
            }
        }
        Ok(())
    }
}

/// `context.blast.pods_lost` as its names; none for anything but a path.
pub(crate) fn path(expr: &Expr) -> Option<Vec<&str>> {
    match expr {
        Expr::Var(Var::Context) => Some(vec!["context"]),
        Expr::Var(Var::Resource) => Some(vec!["resource"]),
        Expr::Var(Var::Principal) => Some(vec!["principal"]),
        Expr::GetAttr { expr, attr } => {
            let mut names = path(expr)?;
            names.push(attr.as_str());
            Some(names)
        }
        _ => None,
    }
}

fn collect(expr: &Arc<Expr>, keyword: Keyword, applies_when: bool, leaves: &mut Vec<Leaf>) {
    match &**expr {
        Expr::BinaryOp { op: BinaryOp::And | BinaryOp::Or, left, right } => {
            collect(left, keyword, applies_when, leaves);
            collect(right, keyword, applies_when, leaves);
        }
        Expr::UnaryOp { op: UnaryOp::Not, expr } => collect(expr, keyword, !applies_when, leaves),
        _ => leaves.push(Leaf { keyword, expr: Arc::clone(expr), applies_when }),
    }
}

/// Whether more approvals can only do what they may.
fn only(may: May, expr: &Expr) -> bool {
    if !mentions(expr) {
        return true;
    }
    let other = match may {
        May::Rise => May::Fall,
        May::Fall => May::Rise,
    };
    match expr {
        Expr::BinaryOp { op: BinaryOp::And | BinaryOp::Or, left, right } => {
            only(may, left) && only(may, right)
        }
        Expr::UnaryOp { op: UnaryOp::Not, expr } => only(other, expr),
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            !mentions(cond) && only(may, then_expr) && only(may, else_expr)
        }
        Expr::BinaryOp { op: BinaryOp::Greater | BinaryOp::GreaterEq, left, right } => match may {
            May::Rise => is_count(left) && !mentions(right),
            May::Fall => !mentions(left) && is_count(right),
        },
        Expr::BinaryOp { op: BinaryOp::Less | BinaryOp::LessEq, left, right } => match may {
            May::Rise => !mentions(left) && is_count(right),
            May::Fall => is_count(left) && !mentions(right),
        },
        _ => false,
    }
}

/// A number that more approvals can only raise.
fn is_count(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryOp { op: BinaryOp::Add, left, right } => is_count(left) && is_count(right),
        other => approval(other).is_some() || !mentions(other),
    }
}

/// `sre` of `context.approvals.sre`.
fn approval(expr: &Expr) -> Option<&str> {
    match path(expr)?.as_slice() {
        ["context", "approvals", name] => Some(name),
        _ => None,
    }
}

/// Whether an expression could depend on approvals: it names them, or the context as a whole.
fn mentions(expr: &Expr) -> bool {
    match expr {
        Expr::GetAttr { expr: inner, attr } if matches!(**inner, Expr::Var(Var::Context)) => {
            attr == "approvals"
        }
        Expr::Var(Var::Context) => true,
        other => {
            let mut found = false;
            children(other, &mut |child| found |= mentions(child));
            found
        }
    }
}

fn walk<'a>(expr: &'a Expr, visit: &mut impl FnMut(&'a Expr)) {
    visit(expr);
    let mut below = Vec::new();
    children(expr, &mut |child| below.push(child));
    for child in below {
        walk(child, visit);
    }
}

static ANYTHING: Expr = Expr::Var(Var::Context);

fn children<'a>(expr: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    match expr {
        Expr::UnaryOp { expr, .. }
        | Expr::GetAttr { expr, .. }
        | Expr::HasAttr { expr, .. }
        | Expr::Like { expr, .. } => visit(expr),
        Expr::BinaryOp { left, right, .. } => {
            visit(left);
            visit(right);
        }
        Expr::Is { expr, in_expr, .. } => {
            visit(expr);
            in_expr.iter().for_each(|e| visit(e));
        }
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            [cond, then_expr, else_expr].into_iter().for_each(|e| visit(e))
        }
        Expr::Set(items) => items.iter().for_each(|e| visit(e)),
        Expr::Record(fields) => fields.values().for_each(|e| visit(e)),
        Expr::Literal(_) | Expr::Var(_) | Expr::Slot(_) => {}
        // A form that we do not know could look at anything.
        _ => visit(&ANYTHING),
    }
}
