//! Checks: CEL expressions over what a probe saw, compiled and tried when the runbook is loaded.

mod types;
mod walk;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::common::ast::SourceInfo;
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString};
use cel::common::value::Val;
use cel::parser::Parser;
use cel::{Context, Env, ExecutionError, IdedExpr, Value as CelValue};
use serde_json::Value;

pub(crate) use types::{Always, Field, Type};
pub(crate) use walk::{Fault, Scope};

use crate::params::Filled;

/// The variable that holds the runbook's parameters.
pub(crate) const PARAMS: &str = "params";

/// The longest expression, in bytes; the longest that ships has 78.
const MAX_BYTES: usize = 1_000;

/// How deep brackets, calls and `?:` nest; what ships nests twice.
const MAX_DEPTH: u16 = 10;

/// A check: an expression that must hold, and what it means when it does not.
#[derive(Debug, Clone)]
pub struct Check {
    source: String,
    message: String,
    within_ms: u64,
    expr: Arc<IdedExpr>,
}

/// Whether a check held. What could not be evaluated did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It held.
    Held,
    /// It did not, or nobody can tell.
    NotHeld {
        /// The runbook's message; with why nobody can tell, if so. Holds no text from the infrastructure.
        message: String,
    },
}

impl Verdict {
    /// Whether it held.
    pub fn held(&self) -> bool {
        matches!(self, Self::Held)
    }
}

impl Check {
    /// The expression, as the file writes it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The runbook's message for when it does not hold.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How long it may take to come true, in milliseconds; 0 unless in `verify`.
    pub fn within_ms(&self) -> u64 {
        self.within_ms
    }

    /// Whether it gives an answer for what a probe saw, whatever the answer.
    ///
    /// # Errors
    /// Why it gives none. Holds no text from the infrastructure.
    pub fn is_evaluable(&self, scene: &Scene<'_>, filled: &Filled) -> Result<(), String> {
        scene.evaluate(&self.expr, filled).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Whether it holds for what a probe saw.
    pub fn evaluate(&self, scene: &Scene<'_>, filled: &Filled) -> Verdict {
        match scene.evaluate(&self.expr, filled) {
            Ok(true) => Verdict::Held,
            Ok(false) => Verdict::NotHeld { message: self.message.clone() },
            Err(error) => Verdict::NotHeld {
                message: format!("{} (the check could not be evaluated: {error})", self.message),
            },
        }
    }
}

/// Why an expression gave no boolean. Holds none of the values it saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CelError {
    #[error("it gives no boolean")]
    NotBoolean,
    #[error("a field or variable is missing")]
    Missing,
    #[error("a type does not fit")]
    BadType,
    #[error("arithmetic overflows or divides by zero")]
    Arithmetic,
    #[error("it failed")]
    Failed,
}

/// An expression that does not compile or names what is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadCel {
    /// Where in the expression, in bytes, and how long.
    pub(crate) at: (usize, usize),
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Compiles an expression and checks what it names.
pub(crate) fn compile(
    source: &str,
    message: &str,
    within_ms: u64,
    scope: &Scope,
) -> Result<Check, Vec<BadCel>> {
    let (expr, origin) = parse(source)?;
    let (found, faults) = walk::walk(&expr, scope);
    let mut faults: Vec<BadCel> = faults.into_iter().map(|fault| placed(source, &origin, fault)).collect();
    if faults.is_empty() && !matches!(found, Type::Any | Type::Bool) {
        let message = format!("the expression gives {found}, and must give a boolean");
        faults.push(BadCel { at: (0, source.len()), message, hint: None });
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Check { source: source.to_owned(), message: message.to_owned(), within_ms, expr: Arc::new(expr) })
}

/// The crate's parser, the walk, the evaluation and even the freeing of an expression recurse, and what overflows the
/// stack ends the process. So an expression is no longer, and nests no deeper, than every thread has stack for: the
/// parser takes some 125 KB of it for each level in an unoptimized build.
fn parse(source: &str) -> Result<(IdedExpr, SourceInfo), Vec<BadCel>> {
    if source.len() > MAX_BYTES {
        let message = format!("the expression is longer than {MAX_BYTES} bytes");
        let hint = Some("write several checks: all of them must hold".to_owned());
        return Err(vec![BadCel { at: (0, source.len()), message, hint }]);
    }
    Parser::new().max_recursion_depth(MAX_DEPTH).parse_with_source_info(source).map_err(|errors| {
        let bad = |e: &cel::ParseError| BadCel {
            at: (column(source, e.pos), 1),
            message: syntax(&e.msg),
            hint: None,
        };
        errors.errors.iter().map(bad).collect()
    })
}

impl Check {
    /// Evaluates it on a sample; says what is wrong if it gives no boolean.
    pub(crate) fn try_on(&self, scene: &Scene<'_>, filled: &Filled) -> Result<bool, CelError> {
        scene.evaluate(&self.expr, filled)
    }
}

fn syntax(message: &str) -> String {
    format!("not a CEL expression: {}", message.lines().next().unwrap_or("").to_lowercase())
}

/// The byte offset of a (line, column) that counts from 1.
fn column(source: &str, (line, column): (isize, isize)) -> usize {
    let number = |n: isize| usize::try_from(n - 1).unwrap_or(0);
    let start: usize = source.split_inclusive('\n').take(number(line)).map(str::len).sum();
    let within = source.get(start..).unwrap_or("").char_indices().nth(number(column)).map(|(i, _)| i);
    start + within.unwrap_or(0)
}

fn placed(source: &str, origin: &SourceInfo, fault: Fault) -> BadCel {
    let byte = |chars: u32| source.char_indices().nth(chars as usize).map_or(source.len(), |(i, _)| i);
    let (start, stop) = origin.offset_for(fault.id).unwrap_or((0, 0));
    let (start, end) = (byte(start), byte(stop.saturating_add(1)));
    BadCel { at: (start, end.saturating_sub(start)), message: fault.message, hint: fault.hint }
}

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// What a probe saw, as checks look at it. Made once for all of them: it costs more than most checks do.
pub struct Scene<'o> {
    context: Context<'o, 'o>,
}

impl<'o> Scene<'o> {
    /// Of an object with one property for each observation variable.
    pub fn new(observation: &'o Value) -> Self {
        let mut context = Context::with_env(Arc::clone(&ENV));
        for (name, value) in observation.as_object().into_iter().flatten() {
            context.add_variable_as_val(name, to_cel(value));
        }
        Self { context }
    }

    fn evaluate(&self, expr: &IdedExpr, filled: &Filled) -> Result<bool, CelError> {
        let mut context = self.context.new_inner_scope();
        context.add_variable_as_val(PARAMS, object(filled.params()));
        match CelValue::resolve(expr, &context) {
            Ok(CelValue::Bool(held)) => Ok(held),
            Ok(_) => Err(CelError::NotBoolean),
            Err(error) => Err(reason(&error)),
        }
    }
}

/// The crate's errors show the values they met, which may be text from the infrastructure: only their kind is kept.
#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
fn reason(error: &ExecutionError) -> CelError {
    match error {
        ExecutionError::NoSuchKey(_) | ExecutionError::UndeclaredReference(_) => CelError::Missing,
        ExecutionError::IndexOutOfBounds(_) => CelError::Missing,
        ExecutionError::NoSuchOverload(_) | ExecutionError::ValuesNotComparable(..) => CelError::BadType,
        ExecutionError::UnexpectedType { .. } | ExecutionError::UnsupportedTargetType { .. } => {
            CelError::BadType
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => CelError::Arithmetic,
        ExecutionError::Overflow(..) => CelError::Arithmetic,
        // Whatever else it is, the check does not hold.
        _ => CelError::Failed,
    }
}

/// Whole numbers become `int`, never `uint`: CEL has no arithmetic between the two. Texts are borrowed.
fn to_cel<'o>(value: &'o Value) -> Box<dyn Val + 'o> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(flag) => Box::new(CelBool::from(*flag)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Box::new(CelInt::from(whole)),
            (None, Some(real)) => Box::new(CelDouble::from(real)),
            (None, None) => Box::new(CelNull),
        },
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(items) => {
            let items: Vec<Box<dyn Val + 'o>> = items.iter().map(to_cel).collect();
            Box::new(CelList::from(items))
        }
        Value::Object(fields) => object(fields),
    }
}

fn object<'o>(fields: &'o serde_json::Map<String, Value>) -> Box<dyn Val + 'o> {
    let entry = |(key, value): (&'o String, &'o Value)| (CelMapKey::from(key.as_str()), to_cel(value));
    let map: HashMap<CelMapKey<'o>, Box<dyn Val + 'o>> = fields.iter().map(entry).collect();
    Box::new(CelMap::from(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests run on threads of 2 MiB, the smallest stack that any caller has.
    fn bad(source: &str) -> String {
        let faults = compile(source, "", 0, &Scope::new()).unwrap_err();
        faults.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn an_expression_that_nests_without_end_is_refused_and_overflows_no_stack() {
        for (open, close) in [("(", ")"), ("[", "]"), ("{1: ", "}"), ("size(", ")"), ("true ? 1 : ", "")] {
            for depth in [11, 16, 90, 5_000] {
                let source = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                bad(&source);
                bad(&open.repeat(depth));
            }
        }
        assert!(bad(&"(".repeat(11)).contains("recursion limit"));
    }

    #[test]
    fn the_longest_chains_overflow_no_stack() {
        let chains =
            [("1", "+1"), ("1", "==1"), ("a", ".a"), ("a", "[1]"), ("a", ".a()"), ("!", "!"), ("-", "-")];
        for (first, link) in chains {
            let source = first.to_owned() + &link.repeat((MAX_BYTES - first.len()) / link.len());
            assert!(!bad(&source).contains("longer than"), "{source}");
            assert!(bad(&(source + &link.repeat(4))).contains("longer than"));
        }
    }
}
