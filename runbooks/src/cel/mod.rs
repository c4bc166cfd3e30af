//! Checks: CEL expressions over what a probe saw, compiled and tried when the runbook is loaded.

mod types;
mod walk;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString};
use cel::common::value::Val;
use cel::{Context, Env, ExecutionError, Program, Value as CelValue};
use serde_json::Value;

pub(crate) use types::{Always, Field, Type};
pub(crate) use walk::{Fault, Scope};

use crate::params::Filled;

/// The variable that holds the runbook's parameters.
pub(crate) const PARAMS: &str = "params";

/// A check: an expression that must hold, and what it means when it does not.
#[derive(Debug, Clone)]
pub struct Check {
    source: String,
    message: String,
    within_ms: u64,
    program: Arc<Program>,
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
        scene.evaluate(&self.program, filled).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Whether it holds for what a probe saw.
    pub fn evaluate(&self, scene: &Scene<'_>, filled: &Filled) -> Verdict {
        match scene.evaluate(&self.program, filled) {
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
    let program = Program::compile(source).map_err(|errors| {
        errors
            .errors
            .iter()
            .map(|e| BadCel { at: (column(source, e.pos), 1), message: syntax(&e.msg), hint: None })
            .collect::<Vec<_>>()
    })?;
    let (found, faults) = walk::walk(program.expression(), scope);
    let mut faults: Vec<BadCel> = faults.into_iter().map(|fault| placed(source, &program, fault)).collect();
    if faults.is_empty() && !matches!(found, Type::Any | Type::Bool) {
        let message = format!("the expression gives {found}, and must give a boolean");
        faults.push(BadCel { at: (0, source.len()), message, hint: None });
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Check {
        source: source.to_owned(),
        message: message.to_owned(),
        within_ms,
        program: Arc::new(program),
    })
}

impl Check {
    /// Evaluates it on a sample; says what is wrong if it gives no boolean.
    pub(crate) fn try_on(&self, scene: &Scene<'_>, filled: &Filled) -> Result<bool, CelError> {
        scene.evaluate(&self.program, filled)
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

fn placed(source: &str, program: &Program, fault: Fault) -> BadCel {
    let byte = |chars: u32| source.char_indices().nth(chars as usize).map_or(source.len(), |(i, _)| i);
    let (start, stop) = program.source_info().offset_for(fault.id).unwrap_or((0, 0));
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

    fn evaluate(&self, program: &Program, filled: &Filled) -> Result<bool, CelError> {
        let mut context = self.context.new_inner_scope();
        context.add_variable_as_val(PARAMS, object(filled.params()));
        match program.execute(&context) {
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
