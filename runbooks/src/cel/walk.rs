//! Walks an expression and finds what it names that is not there: variables, functions, fields, and operands
//! of types that never fit. The crate that evaluates has no type checker, and an error at three in the morning
//! would be one too late.

use std::collections::BTreeMap;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr, operators};

use super::types::{Always, Type};
use crate::report::nearest_or_all;

/// Functions and methods, with the number of arguments (a method's receiver counts) and what they return.
static FUNCTIONS: [(&str, usize, Type); 7] = [
    ("size", 1, Type::Int),
    ("contains", 2, Type::Bool),
    ("startsWith", 2, Type::Bool),
    ("endsWith", 2, Type::Bool),
    ("string", 1, Type::Text),
    ("int", 1, Type::Int),
    ("double", 1, Type::Double),
];
/// Those, and the macros that the parser expands: what a misspelt name is compared with.
const CALLABLE: [&str; 13] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "string",
    "int",
    "double",
    "has",
    "all",
    "exists",
    "exists_one",
    "map",
    "filter",
];

/// One fault, at the node of that id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) id: u64,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// What the names in scope are.
pub(crate) type Scope = BTreeMap<String, Type>;

/// The expression's type, and every fault in it.
pub(crate) fn walk(expr: &IdedExpr, scope: &Scope) -> (Type, Vec<Fault>) {
    let mut walker = Walker { scope: scope.clone(), asked: Vec::new(), faults: Vec::new() };
    let found = walker.type_of(expr);
    (found, walker.faults)
}

struct Walker {
    scope: Scope,
    /// Fields of which `has()` has asked, on the way to here, as `a.b.c`.
    asked: Vec<String>,
    faults: Vec<Fault>,
}

impl Walker {
    fn fault(&mut self, id: u64, message: String, hint: Option<String>) -> Type {
        self.faults.push(Fault { id, message, hint });
        Type::Any
    }

    fn type_of(&mut self, at: &IdedExpr) -> Type {
        match &at.expr {
            Expr::Literal(literal) => literal_type(literal),
            Expr::Ident(name) => self.ident(at.id, name),
            Expr::Select(select) => self.select(at, select),
            Expr::Call(call) => self.call(at, call),
            Expr::Comprehension(comprehension) => self.comprehension(at.id, comprehension),
            Expr::List(list) => {
                let items: Vec<_> = list.elements.iter().map(|item| self.type_of(item)).collect();
                Type::List(Box::new(items.into_iter().reduce(Type::either).unwrap_or(Type::Any)))
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.type_of(&entry.key);
                        self.type_of(&entry.value);
                    }
                }
                Type::Any
            }
            Expr::Struct(_) => self.fault(at.id, "messages are not supported".to_owned(), None),
            Expr::Unspecified => self.fault(at.id, "an empty expression".to_owned(), None),
        }
    }

    fn ident(&mut self, id: u64, name: &str) -> Type {
        if let Some(found) = self.scope.get(name) {
            return found.clone();
        }
        let known: Vec<&str> =
            self.scope.keys().map(String::as_str).filter(|k| !k.starts_with('@')).collect();
        let hint = nearest_or_all(name, &known);
        self.fault(id, format!("unknown variable `{name}`"), hint)
    }

    fn select(&mut self, at: &IdedExpr, select: &SelectExpr) -> Type {
        let field = &select.field;
        let of = self.type_of(&select.operand);
        let found = match &of {
            Type::Any => Type::Any,
            Type::Object(fields) => match fields.get(field) {
                Some(known) if !select.test && known.always == Always::No && !self.has_asked(&at.expr) => {
                    let hint = path(&at.expr).map(|path| format!("ask first: `has({path}) && …`"));
                    return self.fault(at.id, format!("`{field}` may be missing"), hint);
                }
                Some(known) => known.r#type.clone(),
                None => {
                    let known: Vec<&str> = fields.keys().map(String::as_str).collect();
                    let hint = nearest_or_all(field, &known);
                    return self.fault(at.id, format!("unknown field `{field}`"), hint);
                }
            },
            Type::Bool | Type::Int | Type::Double | Type::Text | Type::Null | Type::List(_) => {
                return self.fault(at.id, format!("{of} has no field `{field}`"), None);
            }
        };
        if select.test { Type::Bool } else { found }
    }

    fn has_asked(&self, expr: &Expr) -> bool {
        path(expr).is_some_and(|path| self.asked.contains(&path))
    }

    fn call(&mut self, at: &IdedExpr, call: &CallExpr) -> Type {
        let name = call.func_name.as_str();
        if name == operators::LOGICAL_AND || name == operators::LOGICAL_OR {
            return self.logical(call, name == operators::LOGICAL_AND);
        }
        if name == operators::CONDITIONAL {
            return self.conditional(call);
        }
        let receiver = call.target.as_deref().map(|target| self.type_of(target));
        let known = FUNCTIONS.iter().find(|(known, ..)| *known == name);
        if known.is_none() && name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            // Not into its arguments: a misspelt macro's would look like unknown variables.
            return self.fault(at.id, format!("unknown function `{name}`"), nearest_or_all(name, &CALLABLE));
        }
        let mut args: Vec<Type> = receiver.into_iter().collect();
        args.extend(call.args.iter().map(|arg| self.type_of(arg)).collect::<Vec<_>>());
        match known {
            Some((_, arity, result)) if *arity == args.len() => {
                self.function(at.id, name, &args, result.clone())
            }
            Some(_) => self.fault(at.id, format!("`{name}` does not take that many arguments"), None),
            None => self.operator(at.id, name, &args),
        }
    }

    fn function(&mut self, id: u64, name: &str, args: &[Type], result: Type) -> Type {
        let bad = match name {
            "size" => args.iter().find(|a| matches!(a, Type::Bool | Type::Int | Type::Double | Type::Null)),
            "contains" | "startsWith" | "endsWith" => {
                args.iter().find(|a| !matches!(a, Type::Any | Type::Text))
            }
            _ => None,
        };
        match bad {
            Some(bad) => self.fault(id, format!("`{name}` does not take {bad}"), None),
            None => result,
        }
    }

    /// The result of an operator; those of optional values are not supported.
    fn operator(&mut self, id: u64, name: &str, args: &[Type]) -> Type {
        match (name, args) {
            (operators::EQUALS | operators::NOT_EQUALS, [a, b]) => self.compares(id, a, b),
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [a, b],
            ) => self.compares(id, a, b),
            (operators::IN, [item, Type::List(of)]) => self.compares(id, item, of),
            (operators::IN, [_, Type::Any | Type::Object(_)]) => Type::Bool,
            (operators::IN, [_, other]) => {
                self.fault(id, format!("`in` looks into a list, not into {other}"), None)
            }
            (operators::ADD, [a @ Type::List(_), b @ Type::List(_)]) => a.clone().either(b.clone()),
            (operators::ADD, [Type::Text, Type::Text]) => Type::Text,
            (
                operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO,
                [a, b],
            ) => self.arithmetic(id, a, b),
            (operators::NEGATE, [a]) => a.clone(),
            (operators::LOGICAL_NOT, [a]) => self.boolean(id, a),
            (operators::NOT_STRICTLY_FALSE, [_]) => Type::Bool,
            (operators::INDEX, [Type::List(item), _]) => *item.clone(),
            (operators::INDEX, [_, _]) => {
                self.fault(id, "only lists are indexed; a field is `object.field`".to_owned(), None)
            }
            _ => self.fault(id, "this operator is not supported".to_owned(), None),
        }
    }

    /// `has(a.b) && …` and `!has(a.b) || …` let the right side name what was asked for on the left.
    fn logical(&mut self, call: &CallExpr, and: bool) -> Type {
        let depth = self.asked.len();
        for arg in &call.args {
            let found = self.type_of(arg);
            self.boolean(arg.id, &found);
            let asked = if and { asked_by(arg) } else { denied_by(arg) };
            self.asked.extend(asked);
        }
        self.asked.truncate(depth);
        Type::Bool
    }

    fn conditional(&mut self, call: &CallExpr) -> Type {
        let [condition, then, otherwise] = call.args.as_slice() else { return Type::Any };
        let found = self.type_of(condition);
        self.boolean(condition.id, &found);
        let depth = self.asked.len();
        self.asked.extend(asked_by(condition));
        let then = self.type_of(then);
        self.asked.truncate(depth);
        then.either(self.type_of(otherwise))
    }

    fn compares(&mut self, id: u64, a: &Type, b: &Type) -> Type {
        if !a.compares_with(b) {
            self.fault(id, format!("{a} is never compared with {b}"), None);
        }
        Type::Bool
    }

    fn boolean(&mut self, id: u64, found: &Type) -> Type {
        if !matches!(found, Type::Any | Type::Bool) {
            self.fault(id, format!("expected a boolean, found {found}"), None);
        }
        Type::Bool
    }

    fn arithmetic(&mut self, id: u64, a: &Type, b: &Type) -> Type {
        match (a, b) {
            (Type::Any, other) | (other, Type::Any) => other.clone(),
            (a, b) if a == b && a.is_number() => a.clone(),
            (a, b) => self.fault(id, format!("no arithmetic between {a} and {b}"), None),
        }
    }

    /// `filter`, `all`, `exists`, `exists_one` and `map`, as the parser expands them: the bound variable is an item
    /// of what is walked, the accumulator what the step makes of it.
    fn comprehension(&mut self, id: u64, c: &ComprehensionExpr) -> Type {
        let item = match self.type_of(&c.iter_range) {
            Type::List(item) => *item,
            Type::Any => Type::Any,
            Type::Object(_) => Type::Text,
            other @ (Type::Bool | Type::Int | Type::Double | Type::Text | Type::Null) => {
                self.fault(id, format!("{other} has no items"), None)
            }
        };
        let outer = self.scope.clone();
        if outer.contains_key(&c.iter_var) {
            let hint = "give the item a name of its own";
            self.fault(id, format!("`{}` already names something else", c.iter_var), Some(hint.into()));
        }
        self.scope.insert(c.iter_var.clone(), item);
        let start = self.type_of(&c.accu_init);
        self.scope.insert(c.accu_var.clone(), start);
        self.type_of(&c.loop_cond);
        let step = self.type_of(&c.loop_step);
        self.scope.insert(c.accu_var.clone(), step);
        let result = self.type_of(&c.result);
        self.scope = outer;
        result
    }
}

fn literal_type(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Int(_) | LiteralValue::UInt(_) => Type::Int,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::Null => Type::Null,
        LiteralValue::Bytes(_) => Type::Any,
    }
}

/// `a.b.c` of a selection; none of anything else.
fn path(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!("{}.{}", path(&select.operand.expr)?, select.field)),
        Expr::Call(_) | Expr::Comprehension(_) | Expr::List(_) | Expr::Literal(_) => None,
        Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => None,
    }
}

/// The fields that are there when `at` holds.
fn asked_by(at: &IdedExpr) -> Vec<String> {
    if let Expr::Select(select) = &at.expr
        && select.test
    {
        return path(&at.expr).into_iter().collect();
    }
    called(at, operators::LOGICAL_AND).iter().flat_map(asked_by).collect()
}

/// The fields that are there when `at` does not hold.
fn denied_by(at: &IdedExpr) -> Vec<String> {
    called(at, operators::LOGICAL_NOT).iter().flat_map(asked_by).collect()
}

/// The arguments of a call of `name`; none of anything else.
fn called<'e>(at: &'e IdedExpr, name: &str) -> &'e [IdedExpr] {
    if let Expr::Call(call) = &at.expr
        && call.func_name == name
    {
        return &call.args;
    }
    &[]
}
