//! What is read of YAML, Jinja and the documentation of modules.

use super::super::expressions::{in_expression, in_text};
use super::super::jinja::{self, Form, Token};
use super::super::yaml::{self, Value};
use super::*;

#[test]
fn every_node_of_a_document_has_its_line() {
    let root = yaml::read("a:\n  - b\n  - {c: 'd'}\ne: |\n  f\n").root.unwrap();
    let list = root.get("a").unwrap();
    assert_eq!((list.line, list.list().unwrap()[1].line), (2, 3));
    assert_eq!(list.list().unwrap()[1].get("c").unwrap().value, Value::Text("d".into()));
    assert_eq!(root.get("e").unwrap().text(), Some("f\n"));
    assert_eq!(root.map().unwrap()[1].line, 4);
}

#[test]
fn a_document_too_deep_or_too_long_is_not_read() {
    let deep = format!("{}{}", "[".repeat(60), "]".repeat(60));
    let long = format!("a: {}", "b".repeat(600 * 1024));
    for text in [deep, long] {
        let read = yaml::read(&text);
        assert!(read.root.is_none());
        assert_eq!(read.odd, [(1, Kind::UnreadableYaml)]);
    }
}

/// The names in the code of a text, in order.
fn names(text: &str) -> Vec<String> {
    let codes = jinja::codes(text).unwrap();
    let names = codes.iter().flat_map(|code| &code.tokens).filter_map(|token| match token {
        Token::Name(name) => Some((*name).to_owned()),
        Token::Text(_) | Token::Number | Token::Sign(_) => None,
    });
    names.collect()
}

#[test]
fn code_is_told_from_text_comments_and_raw_blocks_as_jinja_does_it() {
    for (text, expected) in [
        ("a", &[][..]),
        ("{{ a }}", &["a"]),
        ("{{- a -}}{%+ if b -%}", &["a", "if", "b"]),
        ("{{-a-}}{%-if b+%}", &["a", "if", "b"]),
        ("don't {{ a }} 'x'", &["a"]),
        ("{{ '}}' ~ a }}", &["a"]),
        ("{{ \"\\\"}}\" ~ a }}", &["a"]),
        ("{{ {} }}{{ {'x': {}} }}{{ a }}", &["a"]),
        ("{{ {'x': {'y': a}}}}", &["a"]),
        ("{# {{ a }} #}{{ b }}", &["b"]),
        ("{# {# #}{{ a }}", &["a"]),
        ("{% raw %}{{ a }}{% endraw %}{{ b }}", &["b"]),
        ("{%- raw -%}{# {%+ endraw -%}{{ a }}", &["a"]),
        ("{% raw %}{% endrawx %}{{ a }}{% endraw %}", &[]),
        ("{% rawx %}{{ a }}", &["rawx", "a"]),
        ("{{ a.b['c'].d(1.5, 2.e) }}", &["a", "b", "d", "e"]),
        ("{{{ 'x': a }}}", &["a"]),
    ] {
        assert_eq!(names(text), expected, "{text}");
    }
    assert_eq!(
        jinja::codes("{% if a %}{{ b }}").unwrap().iter().map(|code| code.form).collect::<Vec<_>>(),
        [Form::Statement, Form::Expression]
    );
}

#[test]
fn a_sign_that_trims_blanks_is_no_operator() {
    for text in ["{{- a }}", "{%- a %}", "{%+ a %}"] {
        assert_eq!(jinja::codes(text).unwrap()[0].tokens, [Token::Name("a")], "{text}");
    }
    assert_eq!(jinja::codes("{{+a}}").unwrap()[0].tokens, [Token::Sign("+"), Token::Name("a")]);
}

#[test]
fn what_is_not_jinja_is_not_read() {
    for text in [
        "{{ a",
        "{% a",
        "{# a",
        "{% raw %}",
        "{{ 'a }}",
        "{{ (a }}",
        "{{ a) }}",
        "{{ [a) }}",
        "{{ a ? b }}",
        "{{ a ; b }}",
        "{{ a $ }}",
    ] {
        assert!(jinja::codes(text).is_err(), "{text}");
    }
    for text in ["(a", "a)", "'a", "a ? b"] {
        assert!(jinja::expression(text).is_err(), "{text}");
    }
}

#[test]
fn what_only_computes_is_let_through() {
    for text in [
        "{{ a }}",
        "{{ a | default('b') | upper }}",
        "{{ a | ansible.builtin.bool }}",
        "{{ a is defined and b is not none and c in d }}",
        "{{ a is ansible.builtin.match('x') }}",
        "{{ a | map('int') | map(attribute='b.c') | select('defined') | select | list }}",
        "{{ a | selectattr('b', '==', 1) | rejectattr('c') | list }}",
        "{{ range(3) | list }}{{ dict(a) }}{{ now().timestamp() }}",
        "{{ a.b.split(':')[0] | int + 1 }}",
        "{{ (a.c | b64decode).rpartition(') ')[2].split()[19] }}",
        "{% for a in b %}{% if a %}{{ a }}{% elif c %}{% else %}{% endif %}{% endfor %}{% set d = 1 %}",
        "{{ a | regex_search('(?m)^b ([0-9]+)$', '\\1') | first }}",
        "{{ a | regex_replace('[0-9]{2}', '_') }}",
        "{{ {'in': 'UP', 'out': 'NOLB'}[a] ~ ',' }}",
        "{{ a.is_x.lookup }}",
        "{{ a is match('/[A-Za-z0-9@._/-]+$') }}",
        "{{ a | sort(attribute='b', reverse=true) }}",
    ] {
        assert_eq!(in_text(text).found, [], "{text}");
    }
    assert_eq!(in_expression("a.b | default(false) and not (c == 'd' or e)").found, []);
}

#[test]
fn the_variables_that_are_used_are_known() {
    let uses = in_text("{{ a.b | c(d, e=f) if g is h(i) }}{{ 'j' }}").uses;
    let uses: Vec<_> = uses.iter().map(String::as_str).collect();
    assert_eq!(uses, ["a", "d", "f", "g", "i"]);
}

#[test]
fn what_modules_say_of_themselves_is_read() {
    let modules = modules();
    let support = |name: &str| modules.get(&name.parse().unwrap());
    assert_eq!(support("ansible.builtin.file").unwrap().check, Level::Full);
    assert_eq!(support("ansible.builtin.file").unwrap().diff, Level::Partial);
    assert_eq!(support("ansible.builtin.uri").unwrap().check, Level::None);
    assert_eq!(support("ansible.builtin.service").unwrap().check, Level::HostDecides);
    assert_eq!(support("ansible.builtin.deb822_repository").unwrap().check, Level::None, "it does not say");
    assert_eq!(support("ansible.builtin.pause").unwrap().once, Level::Full);
    assert_eq!(support("ansible.builtin.nothing"), None);
}

#[test]
fn documentation_in_another_form_promises_nothing() {
    for text in ["", "[]", "1", "{", "null"] {
        assert!(Modules::parse(text).is_err(), "{text}");
    }
    let odd = r#"{"a.b.c": {"doc": {"attributes": {"check_mode": {"support": "FULL"}}}}, "a.b.d": {"doc": null},
                  "a.b.e": {"doc": {"attributes": []}}, "copy": {"doc": {}}, "a.b.f": 1}"#;
    let modules = Modules::parse(odd).unwrap();
    assert_eq!(modules.get(&"a.b.c".parse().unwrap()).unwrap().check, Level::None);
    assert_eq!(modules.get(&"a.b.e".parse().unwrap()).unwrap().check, Level::None);
    for missing in ["a.b.d", "a.b.f"] {
        assert_eq!(modules.get(&missing.parse().unwrap()), None, "{missing}");
    }
}
