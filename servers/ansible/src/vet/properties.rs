//! What holds whatever stands in the files: nothing panics, everything ends, and a lookup is found wherever it is hidden.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::tests::{good, modules, play, task, tasks, template};
use super::*;

/// Pieces of playbooks, so that what is put together of them gets far.
const PIECES: &[&str] = &[
    "- name: a\n",
    "  hosts: all\n",
    "  tasks:\n",
    "    - name: b\n",
    "      ansible.builtin.copy:\n",
    "      block:\n",
    "        - c\n",
    "      rescue: []\n",
    "  roles: [r]\n",
    "      when: ",
    "{{ ",
    " }}",
    "{% ",
    " %}",
    "{# ",
    " #}",
    "{% raw %}",
    "{% endraw %}",
    "lookup('pipe', 'x')",
    "a | map('b')",
    "a is not b",
    "a.b(c)",
    "'",
    "\"",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "!vault ",
    "<<: ",
    "? ",
    ": ",
    "- ",
    "\n",
    "  ",
    "|\n",
    ">-\n",
    "---\n",
    "...\n",
    "\t",
    "\u{2028}",
    "\u{feff}",
    "é",
    "%YAML 1.1\n",
    "#jinja2: x\n",
    "ansible.builtin.import_tasks: a.yml\n",
    "ansible.builtin.import_role: {name: r}\n",
    "import_playbook: site.yml\n",
    "serial: \"{{ runcord_serial }}\"\n",
    "with_items: a\n",
    "0",
    "no",
    "~",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(PIECES), 0..40).prop_map(|pieces| pieces.concat()),
        "\\PC{0,80}",
        any::<String>(),
    ]
}

/// A good playbook, part of which is replaced by something else.
fn mutated() -> impl Strategy<Value = String> {
    let whole = tasks(
        "- name: Do it\n  ansible.builtin.template: {src: a.j2, dest: /a}\n  when: a is defined\n  register: b\n\
         - block:\n    - name: Then\n      ansible.builtin.import_tasks: a.yml\n  rescue:\n    - name: Else\n      \
         ansible.builtin.import_role: {name: r}",
    )
    .text();
    let length = whole.chars().count();
    (Just(whole), 0..length, 0..40_usize, text()).prop_map(|(whole, at, cut, put)| {
        let kept = whole.chars().skip(at + cut);
        whole.chars().take(at).chain(put.chars()).chain(kept).collect()
    })
}

fn vet_all(site: String, tasks: String, template: String, meta: String) -> Vetted {
    let files = BTreeMap::from([
        ("site.yml".to_owned(), site),
        ("a.yml".to_owned(), tasks.clone()),
        ("templates/a.j2".to_owned(), template),
        ("roles/r/tasks/main.yml".to_owned(), tasks.clone()),
        ("roles/r/vars/main.yml".to_owned(), meta.clone()),
        ("roles/r/meta/main.yml".to_owned(), meta.clone()),
        ("group_vars/all.yml".to_owned(), meta.clone()),
        ("requirements.yml".to_owned(), meta),
    ]);
    vet(&Question {
        files: &files,
        playbook: &"site.yml".parse().unwrap(),
        modules: &modules(),
        purpose: Purpose::Changes,
        enumerated: &BTreeSet::new(),
        named: &BTreeSet::new(),
    })
}

/// Ways in which a lookup can be written.
fn lookups() -> impl Strategy<Value = String> {
    let call = prop::sample::select(vec![
        "lookup('pipe', 'x')",
        "query('pipe', 'x')",
        "q('pipe','x')",
        "lookup ( 'pipe' )",
        "lookup\n('pipe')",
        "[lookup][0]('pipe')",
        "a | default(lookup('pipe', 'x'))",
        "{'a': {'b': lookup('pipe')}}",
        "x if lookup('env') else y",
        "a is match(lookup('env', 'A'))",
        "'}}' ~ lookup('pipe')",
        "\"{#\" ~ lookup('pipe')",
    ]);
    let around = prop::sample::select(vec![
        ("", ""),
        ("don't ", ""),
        ("{# ' #}", ""),
        ("{% raw %}{# {% endraw %}", "#}"),
        ("{{ {} }}", "{{ 'a' }}"),
        ("}} ", " {{ a }}"),
        ("{{ '{' + '}' }}", ""),
    ]);
    let form = prop::sample::select(vec![
        ("{{ ", " }}"),
        ("{{- ", " -}}"),
        ("{{", "}}"),
        ("{% set a = ", " %}"),
        ("{%- if ", " -%}{% endif %}"),
    ]);
    (call, around, form)
        .prop_map(|(call, (before, after), (begin, end))| format!("{before}{begin}{call}{end}{after}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_that_stands_in_files_panics(site in prop_oneof![text(), mutated()], a in text(), b in text(), c in text()) {
        let vetted = vet_all(site, a, b, c);
        prop_assert!(vetted.coverage().checked.len() <= vetted.tasks.len());
        for finding in &vetted.findings {
            prop_assert!(finding.line >= 1);
            prop_assert!(!finding.to_string().contains('\n'));
        }
    }

    #[test]
    fn the_same_files_give_the_same_answer(site in mutated(), a in text()) {
        let once = vet_all(site.clone(), a.clone(), a.clone(), a.clone());
        prop_assert_eq!(once, vet_all(site, a.clone(), a.clone(), a));
    }

    #[test]
    fn no_documentation_of_modules_panics(json in prop_oneof![any::<String>(), text()]) {
        let _ = Modules::parse(&json);
        let within = serde_json::json!({"a.b.c": {"doc": {"attributes": {"check_mode": {"support": json}}}}});
        prop_assert!(Modules::parse(&within.to_string()).is_ok());
    }

    #[test]
    fn half_of_the_documentation_of_modules_is_none(at in 0..9000_usize) {
        let whole = include_str!("samples/modules.json");
        prop_assert!(Modules::parse(&whole[..at]).is_err());
    }

    #[test]
    fn a_lookup_is_found_wherever_it_is_hidden(lookup in lookups()) {
        let quoted = serde_json::to_string(&lookup).unwrap();
        let cases = [
            template(&lookup.replace('\n', " ")),
            good(&format!("vars: {{deep: [{{er: {quoted}}}]}}")),
            good(&format!("loop: [{quoted}]")),
            good(&format!("{quoted}: a")),
            task(&format!("ansible.builtin.debug: {{msg: {{a: [{quoted}]}}}}")),
            task(&format!("ansible.builtin.fail:\n  msg: {quoted}")),
            play(&format!("vars: {{a: {quoted}}}")),
            play(&format!("gather_subset: [{quoted}]")),
            good("").and("group_vars/all", &format!("a: {quoted}")),
        ];
        for case in cases {
            let found = case.found();
            prop_assert!(found.iter().any(|(_, _, kind)| *kind == Kind::Lookup), "{} {:?}", lookup, found);
        }
    }
}
