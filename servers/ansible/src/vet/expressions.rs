//! What the code of a template does: only computing is let through, by lists of what is known to do nothing else.
//!
//! A filter, test or function that is on none of these lists may be a plugin that runs where Ansible runs. So may one that
//! is named in a text (`map('…')`), which is why the names of those are held to the same lists.

use std::collections::BTreeSet;

use super::finding::Kind;
use super::jinja::{self, Code, Form, NotJinja, Token};

/// What templates do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Does {
    /// What is found, about which word, at which byte of the text.
    pub(crate) found: Vec<(Kind, String, usize)>,
    /// The variables that are used.
    pub(crate) uses: BTreeSet<String>,
}

/// What the templates in a text do.
pub(crate) fn in_text(text: &str) -> Does {
    let mut does = Does::default();
    match jinja::codes(text) {
        Ok(codes) => codes.iter().for_each(|code| does.code(code)),
        Err(NotJinja { at }) => does.say(Kind::UnreadableTemplate, "", at),
    }
    does
}

/// What a bare expression does.
pub(crate) fn in_expression(text: &str) -> Does {
    let mut does = Does::default();
    if jinja::is_in(text) {
        does.say(Kind::NestedTemplate, "", 0);
    }
    match jinja::expression(text) {
        Ok(code) => does.code(&code),
        Err(NotJinja { at }) => does.say(Kind::UnreadableTemplate, "", at),
    }
    does
}

impl Does {
    fn say(&mut self, kind: Kind, about: &str, at: usize) {
        self.found.push((kind, about.to_owned(), at));
    }

    fn code(&mut self, code: &Code<'_>) {
        let mut tokens = code.tokens.as_slice();
        if code.form == Form::Statement {
            tokens = self.statement(code, tokens);
        }
        for at in 0..tokens.len() {
            self.token(code.at, &Around { tokens, at });
        }
    }

    /// The keyword of a statement is held to a list; what is behind it is an expression like any other.
    fn statement<'c, 't>(&mut self, code: &Code<'_>, tokens: &'c [Token<'t>]) -> &'c [Token<'t>] {
        match tokens.split_first() {
            Some((Token::Name(word), rest)) if STATEMENTS.contains(word) => rest,
            Some((Token::Name(word), rest)) => {
                self.say(Kind::TemplateStatement, word, code.at);
                rest
            }
            Some(_) | None => {
                self.say(Kind::UnreadableTemplate, "", code.at);
                tokens
            }
        }
    }

    fn token(&mut self, at: usize, around: &Around<'_, '_>) {
        match around.here() {
            Some(Token::Name(name)) => self.name(at, name, around),
            Some(Token::Text(text)) => self.text(at, text),
            Some(Token::Sign("(")) => {
                // What is called by its name is told there.
                let computed = matches!(
                    around.before(1),
                    Some(Token::Sign(")" | "]" | "}") | Token::Text(_) | Token::Number)
                );
                if computed {
                    self.say(Kind::UnknownCall, "(", at);
                }
            }
            Some(Token::Sign(_) | Token::Number) | None => {}
        }
    }

    fn text(&mut self, at: usize, text: &str) {
        // Two such texts could be put together to a template.
        if jinja::is_in(text) || text.ends_with('{') {
            self.say(Kind::NestedTemplate, text, at);
        }
        if is_private(text) {
            self.say(Kind::PrivateName, text, at);
        }
    }

    fn name(&mut self, at: usize, name: &str, around: &Around<'_, '_>) {
        match around.role() {
            Role::RestOfName | Role::Keyword | Role::Argument => {}
            Role::Filter => self.filter(at, around),
            Role::Test => {
                let name = around.dotted();
                if !is_test(&name) {
                    self.say(Kind::UnknownTest, &name, at);
                }
            }
            Role::Attribute => {
                if name.starts_with('_') {
                    self.say(Kind::PrivateName, name, at);
                }
                if around.is_called() && !METHODS.contains(&name) {
                    self.say(Kind::UnknownCall, name, at);
                }
            }
            Role::Variable => self.variable(at, name, around),
        }
    }

    fn variable(&mut self, at: usize, name: &str, around: &Around<'_, '_>) {
        match name {
            "lookup" | "query" | "q" => self.say(Kind::Lookup, name, at),
            "self" | "caller" | "varargs" | "kwargs" | "super" => self.say(Kind::PrivateName, name, at),
            "vars" | "hostvars" => self.say(Kind::IndirectVariable, name, at),
            _ if name.starts_with('_') => self.say(Kind::PrivateName, name, at),
            _ if around.is_called() && !FUNCTIONS.contains(&name) => self.say(Kind::UnknownCall, name, at),
            _ => {}
        }
        self.uses.insert(name.to_owned());
    }

    /// A filter; of those that take the name of a filter or test, that name too, which has to be written out.
    fn filter(&mut self, at: usize, around: &Around<'_, '_>) {
        let name = around.dotted();
        if !is_filter(&name) {
            self.say(Kind::UnknownFilter, &name, at);
        }
        let first = around.argument(0);
        match bare(&name) {
            "map" => match first {
                Some(Argument::Text(filter)) if is_filter(filter) => {}
                Some(Argument::Named) => {}
                Some(Argument::Text(filter)) => self.say(Kind::UnknownFilter, filter, at),
                Some(Argument::Computed) | None => self.say(Kind::UnknownFilter, "map", at),
            },
            "select" | "reject" => self.test_in(first, at),
            "selectattr" | "rejectattr" => self.test_in(around.argument(1), at),
            _ => {}
        }
    }

    fn test_in(&mut self, argument: Option<Argument<'_>>, at: usize) {
        match argument {
            None => {}
            Some(Argument::Text(test)) if is_test(test) || OPERATORS.contains(&test) => {}
            Some(Argument::Text(test)) => self.say(Kind::UnknownTest, test, at),
            Some(Argument::Named | Argument::Computed) => self.say(Kind::UnknownTest, "select", at),
        }
    }
}

/// What a name is where it stands.
enum Role {
    Keyword,
    Filter,
    Test,
    /// Behind a dot.
    Attribute,
    /// Behind a dot, of the name of a filter or test.
    RestOfName,
    /// The name of an argument: `x=`.
    Argument,
    Variable,
}

/// An argument of a filter, as far as it matters.
enum Argument<'t> {
    /// A text, and nothing else.
    Text(&'t str),
    /// `name=…`.
    Named,
    Computed,
}

/// A token and its neighbours.
struct Around<'c, 't> {
    tokens: &'c [Token<'t>],
    at: usize,
}

impl<'t> Around<'_, 't> {
    fn here(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).copied()
    }

    fn before(&self, by: usize) -> Option<Token<'t>> {
        self.tokens.get(self.at.checked_sub(by)?).copied()
    }

    fn after(&self, by: usize) -> Option<Token<'t>> {
        self.tokens.get(self.at + by).copied()
    }

    /// Whether `(` stands behind the name.
    fn is_called(&self) -> bool {
        self.after(1) == Some(Token::Sign("("))
    }

    fn role(&self) -> Role {
        match self.before(1) {
            Some(Token::Sign("|")) => Role::Filter,
            Some(Token::Sign(".")) if self.continues_a_name() => Role::RestOfName,
            Some(Token::Sign(".")) => Role::Attribute,
            Some(Token::Name("is")) if self.here() != Some(Token::Name("not")) && !self.is_attribute(1) => {
                Role::Test
            }
            Some(Token::Name("not"))
                if self.before(2) == Some(Token::Name("is")) && !self.is_attribute(2) =>
            {
                Role::Test
            }
            Some(Token::Sign("(" | ",")) if self.after(1) == Some(Token::Sign("=")) => Role::Argument,
            Some(_) | None if matches!(self.here(), Some(Token::Name(name)) if KEYWORDS.contains(&name)) => {
                Role::Keyword
            }
            Some(_) | None => Role::Variable,
        }
    }

    /// Whether the name `by` tokens before this one is an attribute: `x.is`.
    fn is_attribute(&self, by: usize) -> bool {
        self.before(by + 1) == Some(Token::Sign("."))
    }

    /// Whether the dots before this name lead back to a filter or test: `x | ansible.builtin.bool`.
    fn continues_a_name(&self) -> bool {
        let mut at = self.at;
        loop {
            let earlier = Around { tokens: self.tokens, at };
            match (earlier.before(1), earlier.before(2)) {
                (Some(Token::Sign(".")), Some(Token::Name(_))) => at = at.saturating_sub(2),
                _ => return matches!(earlier.role_at_start(), Role::Filter | Role::Test),
            }
        }
    }

    fn role_at_start(&self) -> Role {
        match self.before(1) {
            Some(Token::Sign(".")) => Role::Attribute,
            Some(_) | None => self.role(),
        }
    }

    /// The name with all that is joined to it by dots.
    fn dotted(&self) -> String {
        let mut name = String::new();
        let mut by = 0;
        while let Some(Token::Name(word)) = self.after(by) {
            name.push_str(word);
            match (self.after(by + 1), self.after(by + 2)) {
                (Some(Token::Sign(".")), Some(Token::Name(_))) => name.push('.'),
                _ => break,
            }
            by += 2;
        }
        name
    }

    /// The argument of that number of a filter, none where it has not so many.
    fn argument(&self, number: usize) -> Option<Argument<'t>> {
        let mut at = self.at;
        while !matches!(self.tokens.get(at)?, Token::Sign("(")) {
            if !matches!(self.tokens.get(at)?, Token::Name(_) | Token::Sign(".")) {
                return None;
            }
            at += 1;
        }
        let mut depth = 0_usize;
        let mut arguments: Vec<Vec<Token<'t>>> = vec![Vec::new()];
        for token in self.tokens.get(at + 1..)? {
            match token {
                Token::Sign("(" | "[" | "{") => depth += 1,
                Token::Sign(")") if depth == 0 => break,
                Token::Sign(")" | "]" | "}") => depth = depth.saturating_sub(1),
                Token::Sign(",") if depth == 0 => {
                    arguments.push(Vec::new());
                    continue;
                }
                Token::Name(_) | Token::Text(_) | Token::Number | Token::Sign(_) => {}
            }
            arguments.last_mut()?.push(*token);
        }
        match arguments.get(number)?.as_slice() {
            [] => None,
            [Token::Text(text)] => Some(Argument::Text(text)),
            [Token::Name(_), Token::Sign("="), ..] => Some(Argument::Named),
            _ => Some(Argument::Computed),
        }
    }
}

/// Whether a text may name what begins with `_`, written out or by escapes. A single `_` joins words, and is common.
fn is_private(text: &str) -> bool {
    let octal = |rest: &str| rest.get(..3).is_some_and(|three| three.bytes().all(|b| b.is_ascii_digit()));
    let escapes = |rest: &str| rest.starts_with(['x', 'u', 'U', 'N']) || octal(rest);
    let attribute = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric());
    (text.starts_with('_') && text != "_")
        || text.contains("__")
        || text.split("._").skip(1).any(attribute)
        || text.split('\\').skip(1).any(escapes)
}

/// A filter's or test's name without the collection that ships with Ansible.
fn bare(name: &str) -> &str {
    name.strip_prefix("ansible.builtin.").unwrap_or(name)
}

fn is_filter(name: &str) -> bool {
    FILTERS.contains(&bare(name))
}

fn is_test(name: &str) -> bool {
    TESTS.contains(&bare(name))
}

const STATEMENTS: &[&str] = &["if", "elif", "else", "endif", "for", "endfor", "set", "endset"];

const KEYWORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "elif",
    "recursive",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
];

const FUNCTIONS: &[&str] = &["range", "dict", "now", "namespace"];

/// Of texts, lists and mappings, those that change nothing.
const METHODS: &[&str] = &[
    "get",
    "items",
    "keys",
    "values",
    "split",
    "rsplit",
    "splitlines",
    "partition",
    "rpartition",
    "strip",
    "lstrip",
    "rstrip",
    "lower",
    "upper",
    "startswith",
    "endswith",
    "replace",
    "find",
    "index",
    "count",
    "join",
    "title",
    "isdigit",
    "timestamp",
    "isoformat",
    "total_seconds",
];

/// Tests that `select` and the like take as an operator.
const OPERATORS: &[&str] = &["==", "!=", ">", ">=", "<", "<="];

/// Those of Jinja and `ansible.builtin` that only compute. Without those that read files, variables or the environment where
/// Ansible runs, that decrypt, and that give something else each time.
const FILTERS: &[&str] = &[
    "abs",
    "b64decode",
    "b64encode",
    "basename",
    "batch",
    "bool",
    "capitalize",
    "center",
    "checksum",
    "combinations",
    "combine",
    "comment",
    "commonpath",
    "count",
    "d",
    "default",
    "dict2items",
    "dictsort",
    "difference",
    "dirname",
    "e",
    "escape",
    "extract",
    "filesizeformat",
    "first",
    "flatten",
    "float",
    "forceescape",
    "format",
    "from_json",
    "from_yaml",
    "from_yaml_all",
    "groupby",
    "hash",
    "human_readable",
    "human_to_bytes",
    "indent",
    "int",
    "intersect",
    "items",
    "items2dict",
    "join",
    "last",
    "length",
    "list",
    "log",
    "lower",
    "mandatory",
    "map",
    "max",
    "md5",
    "min",
    "normpath",
    "path_join",
    "permutations",
    "pow",
    "pprint",
    "product",
    "quote",
    "regex_escape",
    "regex_findall",
    "regex_replace",
    "regex_search",
    "reject",
    "rejectattr",
    "rekey_on_member",
    "relpath",
    "replace",
    "reverse",
    "root",
    "round",
    "select",
    "selectattr",
    "sha1",
    "slice",
    "sort",
    "split",
    "splitext",
    "strftime",
    "string",
    "striptags",
    "subelements",
    "sum",
    "symmetric_difference",
    "ternary",
    "title",
    "to_datetime",
    "to_json",
    "to_nice_json",
    "to_nice_yaml",
    "to_uuid",
    "to_yaml",
    "tojson",
    "trim",
    "truncate",
    "type_debug",
    "union",
    "unique",
    "upper",
    "urldecode",
    "urlencode",
    "urlize",
    "urlsplit",
    "win_basename",
    "win_dirname",
    "win_splitdrive",
    "wordcount",
    "wordwrap",
    "xmlattr",
    "zip",
    "zip_longest",
];

/// Those of Jinja and `ansible.builtin` that only compute: without those that look at files where Ansible runs.
const TESTS: &[&str] = &[
    "abs",
    "all",
    "any",
    "boolean",
    "callable",
    "change",
    "changed",
    "contains",
    "defined",
    "divisibleby",
    "eq",
    "equalto",
    "escaped",
    "even",
    "failed",
    "failure",
    "false",
    "falsy",
    "filter",
    "finished",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "integer",
    "is_abs",
    "issubset",
    "issuperset",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "match",
    "nan",
    "ne",
    "none",
    "None",
    "number",
    "odd",
    "reachable",
    "regex",
    "sameas",
    "search",
    "sequence",
    "skip",
    "skipped",
    "started",
    "string",
    "subset",
    "succeeded",
    "success",
    "successful",
    "superset",
    "test",
    "timedout",
    "true",
    "truthy",
    "undefined",
    "unreachable",
    "upper",
    "uri",
    "url",
    "urn",
    "version",
    "version_compare",
];
