//! Each rule, by a playbook that breaks it and no other.

use super::*;

/// The kind is found at that place, and nothing else is.
fn only(case: &Case, kind: Kind, file: &str, line: u32) {
    assert_eq!(case.found(), [(file.to_owned(), line, kind)], "{:#?}", case.vetted().findings);
}

/// A play that nothing is wrong with, but for its gate.
const GOOD: &str =
    "- name: Play\n  hosts: all\n  serial: \"{{ runcord_serial }}\"\n  any_errors_fatal: true\n";

/// Collections that are pinned.
const PINNED: &str = "collections:\n  - {name: community.general, version: 9.1.0}\n  - {name: ansible.posix, version: 1.6.2}\n";

/// A play whose gate, or what opens it, is written otherwise.
fn changed_gate(from: &str, to: &str) -> Case {
    assert!(GATE.contains(from), "{from}");
    Case::new(format!("{GOOD}{}", GATE.replacen(from, to, 1)))
}

/// A playbook that imports another, at line 2.
fn imported(path: &str, lines: &str) -> Case {
    let import = format!("- name: Import\n  ansible.builtin.import_playbook: {path}\n{lines}");
    Case::new(import).and("a.yml", &format!("{GOOD}{GATE}"))
}

/// A playbook that imports tasks, which are these.
fn included(text: &str) -> Case {
    task("ansible.builtin.import_tasks: tasks/a.yml").and("tasks/a.yml", text)
}

/// A playbook with a role, a part of which is this.
fn role(part: &str, text: &str) -> Case {
    play("roles: [web]").and(&format!("roles/web/{part}/main.yml"), text)
}

/// A playbook that sends out a template, which is this.
fn sent(text: &str) -> Case {
    task("ansible.builtin.template: {src: a.j2, dest: /a}").and("templates/a.j2", text)
}

macro_rules! rules {
    ($($name:ident: $kind:ident at $file:literal:$line:literal in $case:expr;)*) => {
        $(#[test] fn $name() { only(&$case, Kind::$kind, $file, $line); })*

        /// What is only said is found by the tests of what is known of modules.
        #[test]
        fn every_kind_has_a_playbook_that_shows_it() {
            let mut shown: BTreeSet<Kind> = [$(Kind::$kind),*].into();
            // Nothing rests on what is skipped unless something is skipped, which is found too.
            shown.insert(Kind::RestsOnSkipped);
            let silent = |kind: &&Kind| kind.rule().verdict != Verdict::Fine && !shown.contains(kind);
            let missing: Vec<&Kind> = Kind::ALL.iter().filter(silent).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
    };
}

rules! {
    // How files are written.
    yaml_that_cannot_be_read: UnreadableYaml at "tasks/a.yml":2 in included("- name: x\n  b: [}");
    two_documents: UnreadableYaml at "tasks/a.yml":2 in included("[]\n---\n[]\n");
    a_directive: UnreadableYaml at "tasks/a.yml":1 in included("%YAML 1.1\n---\n[]\n");
    a_key_that_is_no_text: UnreadableYaml at "roles/web/vars/main.yml":1 in role("vars", "? [a]\n: b\n");
    a_carriage_return: DisputedCharacter at "roles/web/vars/main.yml":2 in role("vars", "a: b\nc: d # x\r\n");
    a_line_separator: DisputedCharacter at "roles/web/vars/main.yml":1 in role("vars", "a: b # \u{2028}c: d\n");
    a_tab: DisputedCharacter at "roles/web/vars/main.yml":1 in role("vars", "a: b\t# c\n");
    an_anchor: Anchor at "roles/web/vars/main.yml":1 in role("vars", "a: &x b\n");
    an_alias: Anchor at "roles/web/vars/main.yml":1 in role("vars", "a: [&x b, *x]\n");
    a_merge_key: MergeKey at "roles/web/vars/main.yml":2 in role("vars", "a:\n  <<: {b: c}\n");
    a_key_twice: DuplicateKey at "roles/web/vars/main.yml":2 in role("vars", "a: 1\na: 2\n");
    a_vaulted_value: YamlTag at "roles/web/vars/main.yml":1 in role("vars", "a: !vault 'x'\n");
    an_unsafe_list: YamlTag at "roles/web/vars/main.yml":1 in role("vars", "a: !unsafe ['x']\n");
    a_tagged_mapping: YamlTag at "roles/web/vars/main.yml":1 in role("vars", "a: !!map {b: c}\n");
    a_playbook_that_is_no_list: Shape at "site.yml":1 in Case::new("a: b\n");
    an_empty_playbook: Shape at "site.yml":1 in Case::new("[]\n");
    a_playbook_of_nothing: Shape at "site.yml":1 in Case::new("# nothing\n");
    a_play_that_is_no_mapping: Shape at "site.yml":1 in Case::new("- a\n");
    a_task_that_is_no_mapping: Shape at "site.yml":6 in tasks("- a");
    tasks_that_are_no_list: Shape at "site.yml":6 in tasks("a: b");
    a_task_without_a_module: Shape at "site.yml":6 in tasks("- name: Do it");
    a_task_with_two_modules: Shape at "site.yml":6 in good("ansible.builtin.ping:");
    variables_that_are_no_mapping: Shape at "site.yml":8 in good("vars: [a]");
    roles_that_are_no_list: Shape at "site.yml":5 in play("roles: a");
    a_condition_that_is_no_text: Shape at "site.yml":8 in good("when: {a: b}");
    tags_that_are_no_text: Shape at "site.yml":8 in good("tags: {a: b}");
    loop_control_that_is_no_mapping: Shape at "site.yml":8 in good("loop_control: a");
    an_include_of_nothing: Shape at "site.yml":7 in task("ansible.builtin.import_tasks: {}");
    keywords_of_an_include_that_are_no_mapping: Shape at "site.yml":7 in task("ansible.builtin.import_tasks: {file: a.yml, apply: a}").and("a.yml", "[]");
    an_import_of_a_list: Shape at "site.yml":2 in imported("[a.yml]", "");
    a_role_of_a_list: Shape at "roles/web/meta/main.yml":1 in role("meta", "- a\n");
    several_files_at_once: Shape at "site.yml":7 in task("ansible.builtin.template: {src: [a], dest: /a}");
    an_unknown_keyword_of_a_play: UnknownKeyword at "site.yml":5 in play("host: all");
    an_unknown_keyword_of_a_task: UnknownKeyword at "site.yml":8 in good("whem: a");
    an_unknown_keyword_of_a_block: UnknownKeyword at "site.yml":7 in tasks("- block: []\n  loop: [a]");
    an_unknown_keyword_of_a_role: UnknownKeyword at "site.yml":7 in play("roles:\n  - role: web\n    port_number: 1").and("roles/web/tasks/main.yml", "[]");
    an_unknown_keyword_of_a_loop: UnknownKeyword at "site.yml":8 in good("loop_control: {labl: a}");
    an_unknown_keyword_of_an_include: UnknownKeyword at "site.yml":7 in task("ansible.builtin.import_tasks: {file: a.yml, b: c}").and("a.yml", "[]");
    an_unknown_keyword_of_an_import: UnknownKeyword at "site.yml":3 in imported("a.yml", "  become: true\n");
    a_file_that_includes_itself: TooMuch at "a.yml":2 in task("ansible.builtin.import_tasks: a.yml").and("a.yml", "- name: Again\n  ansible.builtin.import_tasks: a.yml\n");
    a_playbook_that_imports_itself: TooMuch at "site.yml":2 in imported("site.yml", "");

    // Templates.
    a_template_without_an_end: UnreadableTemplate at "site.yml":7 in template("{{ a");
    a_template_with_delimiters_of_its_own: UnreadableTemplate at "templates/a.j2":1 in sent("#jinja2:variable_start_string:'[%'\nx\n");
    a_module_that_changes_delimiters: UnreadableTemplate at "site.yml":7 in task("ansible.builtin.template: {src: a.j2, dest: /a, variable_start_string: '[['}").and("templates/a.j2", "x");
    a_statement_that_is_nothing: UnreadableTemplate at "site.yml":7 in template("{% 1 %}");
    a_template_within_a_text: NestedTemplate at "site.yml":7 in template("{{ '{{ a }}' }}");
    a_template_put_together: NestedTemplate at "site.yml":7 in template("{{ '{' ~ a }}");
    delimiters_in_a_condition: NestedTemplate at "site.yml":8 in good("when: \"a == '{{ b }}'\"");
    a_computed_name_of_a_play: TemplatedName at "site.yml":1 in gated("- name: \"{{ a }}\"\n  hosts: all\n  serial: \"{{ runcord_serial }}\"\n  any_errors_fatal: true\n");
    a_computed_name_of_a_task: TemplatedName at "site.yml":6 in tasks("- name: \"{{ a }}\"\n  ansible.builtin.ping:");
    a_computed_module: TemplatedKey at "site.yml":7 in task("\"{{ a }}\": b");
    a_computed_key: TemplatedKey at "site.yml":7 in task("ansible.builtin.debug: {msg: {\"{{ a }}\": b}}");
    a_computed_parameter: TemplatedKey at "site.yml":7 in task("ansible.builtin.file: {path: /a, \"{{ a }}\": b}");
    a_computed_tag: TemplatedKey at "site.yml":8 in good("tags: \"{{ a }}\"");
    a_computed_handler: TemplatedKey at "site.yml":8 in good("notify: \"{{ a }}\"");
    a_computed_topic: TemplatedKey at "site.yml":8 in good("listen: \"{{ a }}\"");
    a_computed_register: TemplatedKey at "site.yml":8 in good("register: \"{{ a }}\"");
    a_computed_loop_variable: TemplatedKey at "site.yml":8 in good("loop_control: {loop_var: \"{{ a }}\"}");
    a_lookup: Lookup at "site.yml":7 in template("{{ lookup('pipe', 'x') }}");
    a_query: Lookup at "site.yml":7 in template("{{ query('file', 'x') }}");
    a_short_query: Lookup at "site.yml":7 in template("{{ q('file', 'x') }}");
    a_lookup_under_another_name: Lookup at "site.yml":7 in template("{% set f = lookup %}x");
    a_lookup_in_a_condition: Lookup at "site.yml":8 in good("when: lookup('env', 'HOME') == ''");
    a_lookup_in_an_until: Lookup at "site.yml":8 in good("until: lookup('env', 'HOME') == ''");
    a_lookup_in_an_assertion: Lookup at "site.yml":8 in task("ansible.builtin.assert:\n  that: lookup('env', 'HOME') == ''");
    a_lookup_in_what_is_shown: Lookup at "site.yml":7 in task("ansible.builtin.debug: {var: \"lookup('env', 'HOME')\"}");
    a_lookup_in_the_length_of_a_loop: Lookup at "site.yml":8 in good("loop_control: {break_when: \"lookup('env', 'HOME') == ''\"}");
    a_lookup_in_a_loop: Lookup at "site.yml":8 in good("loop: \"{{ lookup('lines', 'x') }}\"");
    a_lookup_in_a_variable: Lookup at "site.yml":8 in good("vars: {a: \"{{ lookup('pipe', 'x') }}\"}");
    a_lookup_in_a_label: Lookup at "site.yml":8 in good("loop_control: {label: \"{{ lookup('pipe', 'x') }}\"}");
    a_lookup_in_the_variables_of_a_play: Lookup at "site.yml":5 in play("vars: {a: \"{{ lookup('pipe', 'x') }}\"}");
    a_lookup_in_a_template: Lookup at "templates/a.j2":2 in sent("a\n{{ lookup('pipe', 'x') }}\n");
    a_lookup_in_the_defaults_of_a_role: Lookup at "roles/web/defaults/main.yml":1 in role("defaults", "a: \"{{ lookup('pipe', 'x') }}\"\n");
    a_lookup_in_the_variables_of_a_group: Lookup at "group_vars/web.yml":1 in good("").and("group_vars/web.yml", "a: \"{{ lookup('pipe', 'x') }}\"\n");
    a_lookup_in_the_variables_of_a_host: Lookup at "inventory/host_vars/a/b.yml":1 in good("").and("inventory/host_vars/a/b.yml", "a: \"{{ lookup('pipe', 'x') }}\"\n");
    a_lookup_beside_an_include: Lookup at "site.yml":8 in task("ansible.builtin.import_tasks: a.yml\nloop_control: {label: \"{{ lookup('env', 'A') }}\"}").and("a.yml", "[]");
    a_lookup_in_a_hidden_diff: Lookup at "site.yml":8 in good("diff: \"{{ lookup('env', 'A') }}\"").but(Kind::DiffHidden);
    a_lookup_in_an_environment: Lookup at "site.yml":8 in good("environment: {A: \"{{ lookup('env', 'A') }}\"}").but(Kind::Environment);
    a_lookup_in_a_change: Lookup at "site.yml":8 in good("changed_when: lookup('env', 'A') == ''").but(Kind::ChangedWhen);
    a_lookup_in_a_failure: Lookup at "site.yml":8 in good("failed_when: lookup('env', 'A') == ''").but(Kind::FailedWhen);
    a_lookup_in_a_file_name: Lookup at "site.yml":7 in task("ansible.builtin.copy: {src: \"{{ lookup('env', 'A') }}\", dest: /a}").but(Kind::ComputedSource);
    a_loop_that_is_a_lookup: LookupLoop at "site.yml":8 in good("with_fileglob: [a]");
    an_unknown_filter: UnknownFilter at "site.yml":7 in template("{{ a | expandvars }}");
    a_filter_of_a_collection: UnknownFilter at "site.yml":7 in template("{{ a | community.general.json_query('x') }}");
    a_filter_in_a_map: UnknownFilter at "site.yml":7 in template("{{ a | map('fileglob') }}");
    a_computed_filter_in_a_map: UnknownFilter at "site.yml":7 in template("{{ a | map(b) }}");
    an_unknown_test: UnknownTest at "site.yml":7 in template("{{ a is exists }}");
    an_unknown_test_denied: UnknownTest at "site.yml":7 in template("{{ a is not exists }}");
    a_test_in_a_select: UnknownTest at "site.yml":7 in template("{{ a | select('file') }}");
    a_test_in_a_selectattr: UnknownTest at "site.yml":7 in template("{{ a | selectattr('b', 'file') }}");
    a_computed_test: UnknownTest at "site.yml":7 in template("{{ a | rejectattr('b', c) }}");
    an_unknown_function: UnknownCall at "site.yml":7 in template("{{ cycler(1) }}");
    an_unknown_method: UnknownCall at "site.yml":7 in template("{{ a.run() }}");
    a_computed_function: UnknownCall at "site.yml":7 in template("{{ a['run']() }}");
    an_unknown_statement: TemplateStatement at "site.yml":7 in template("{% include 'a.j2' %}");
    a_private_attribute: PrivateName at "site.yml":7 in template("{{ a._b }}");
    a_private_key: PrivateName at "site.yml":7 in template("{{ a['__class__'] }}");
    a_private_key_of_each: PrivateName at "site.yml":7 in template("{{ a | map(attribute='b._c') }}");
    a_key_of_private_parts: PrivateName at "site.yml":7 in template("{{ a['b__c'] }}");
    an_escaped_private_key: PrivateName at "site.yml":7 in template("{{ a['\\x5fb'] }}");
    an_octal_private_key: PrivateName at "site.yml":7 in template("{{ a['\\137b'] }}");
    a_private_variable: PrivateName at "site.yml":7 in template("{{ _a }}");
    the_context_of_jinja: PrivateName at "site.yml":7 in template("{{ self }}");
    a_variable_by_its_name: IndirectVariable at "site.yml":7 in template("{{ vars['a'] }}");
    a_variable_of_another_host: IndirectVariable at "site.yml":7 in template("{{ hostvars['b'].a }}");
    a_play_that_says_how_hosts_are_reached: ReservedVariable at "site.yml":5 in play("vars: {ansible_connection: local}");
    a_task_that_says_how_hosts_are_reached: ReservedVariable at "site.yml":8 in good("vars: {ansible_host: a}");
    a_fact_that_says_how_hosts_are_reached: ReservedVariable at "site.yml":7 in task("ansible.builtin.set_fact: {ansible_host: a}");
    a_result_that_says_how_hosts_are_reached: ReservedVariable at "site.yml":8 in good("register: ansible_host");
    a_loop_that_says_how_hosts_are_reached: ReservedVariable at "site.yml":8 in good("loop_control: {loop_var: ansible_host}");
    a_role_that_sets_our_batches: ReservedVariable at "roles/web/vars/main.yml":1 in role("vars", "runcord_serial: 100%\n");

    // Plays.
    a_play_of_some_hosts: Hosts at "site.yml":2 in gated("- name: Play\n  hosts: web\n  serial: \"{{ runcord_serial }}\"\n  any_errors_fatal: true\n");
    a_play_of_a_list_of_hosts: Hosts at "site.yml":2 in gated("- name: Play\n  hosts: [all]\n  serial: \"{{ runcord_serial }}\"\n  any_errors_fatal: true\n");
    a_play_of_hosts_with_blanks: Hosts at "site.yml":2 in gated("- name: Play\n  hosts: a ll\n  serial: \"{{ runcord_serial }}\"\n  any_errors_fatal: true\n");
    a_play_of_no_hosts: Hosts at "site.yml":1 in gated("- name: Play\n  serial: \"{{ runcord_serial }}\"\n  any_errors_fatal: true\n");
    a_play_with_all_hosts_at_once: Serial at "site.yml":1 in gated("- name: Play\n  hosts: all\n  any_errors_fatal: true\n");
    a_play_with_batches_of_its_own: Serial at "site.yml":3 in gated("- name: Play\n  hosts: all\n  serial: [1, 2]\n  any_errors_fatal: true\n");
    a_play_that_goes_on: GoesOn at "site.yml":1 in gated("- name: Play\n  hosts: all\n  serial: \"{{runcord_serial}}\"\n");
    a_play_that_says_that_it_goes_on: GoesOn at "site.yml":4 in gated("- name: Play\n  hosts: all\n  serial: \"{{runcord_serial}}\"\n  any_errors_fatal: false\n");
    a_task_after_which_others_go_on: GoesOn at "site.yml":8 in good("any_errors_fatal: false");
    a_play_without_a_gate: Gate at "site.yml":1 in Case::new(GOOD);
    a_play_whose_gate_is_changed: Gate at "site.yml":1 in changed_gate("== batches_before", "<= batches_before").but(Kind::IndirectVariable);
    a_play_whose_gate_is_not_always_asked: Gate at "site.yml":1 in changed_gate("      vars:\n", "      when: a\n      vars:\n").but(Kind::IndirectVariable);
    a_play_whose_gate_does_not_come_first: Gate at "site.yml":1 in changed_gate("  pre_tasks:\n", "  pre_tasks:\n    - name: Before\n      ansible.builtin.ping:\n");
    a_play_with_a_role_before_its_gate: Gate at "site.yml":1 in changed_gate("  pre_tasks:\n", "  roles: [web]\n  tasks:\n").and("roles/web/tasks/main.yml", "[]");
    a_play_that_does_not_note_what_is_done: Gate at "site.yml":1 in changed_gate("        runcord_done: true\n", "        other_done: true\n");
    a_play_that_notes_it_not_always: Gate at "site.yml":1 in changed_gate("        runcord_done: true\n", "        runcord_done: true\n      when: a\n").but(Kind::ReservedVariable);
    a_play_that_notes_it_before_its_end: Gate at "site.yml":1 in changed_gate("        runcord_done: true\n", "        runcord_done: true\n    - name: After\n      ansible.builtin.ping:\n").but(Kind::ReservedVariable);
    a_play_that_notes_it_before_its_handlers: Gate at "site.yml":1 in changed_gate("flush_handlers\n", "noop\n").and_last("  handlers:\n    - name: Ping\n      ansible.builtin.ping:\n");
    a_gate_that_says_more: Gate at "site.yml":1 in changed_gate("quiet: true\n", "quiet: true\n        success_msg: a\n").but(Kind::IndirectVariable);
    a_gate_with_more_variables: Gate at "site.yml":1 in changed_gate("vars:\n", "vars:\n        hostvars: {}\n").but(Kind::IndirectVariable);
    a_gate_that_leaves_out_a_host: Gate at "site.yml":1 in changed_gate("[: ansible", "[1: ansible").but(Kind::IndirectVariable);
    a_gate_that_computes_what_it_says: Gate at "site.yml":1 in changed_gate("a host of a batch before is not done, so this one is not begun", "\"{{ a }}\"").but(Kind::IndirectVariable);
    a_task_that_opens_the_gate: ReservedVariable at "site.yml":7 in task("ansible.builtin.set_fact: {runcord_done: true}");
    a_share_that_may_fail: MaxFailPercentage at "site.yml":5 in play("max_fail_percentage: 50");
    hosts_that_do_not_wait: Strategy at "site.yml":5 in play("strategy: free");
    hosts_in_any_order: HostOrder at "site.yml":5 in play("order: shuffle");
    a_play_that_asks: VarsPrompt at "site.yml":5 in play("vars_prompt: [{name: a}]");
    variables_from_a_file: VarsFiles at "site.yml":5 in play("vars_files: [a.yml]");
    variables_from_a_file_as_it_runs: VarsFiles at "site.yml":7 in task("ansible.builtin.include_vars: {file: a.yml}");
    an_environment: Environment at "site.yml":8 in good("environment: {PATH: /tmp}");
    collections_for_short_names: CollectionsKeyword at "site.yml":5 in play("collections: [a.b]");
    collections_of_a_role: CollectionsKeyword at "roles/web/meta/main.yml":1 in role("meta", "collections: [a.b]\n");
    parameters_from_elsewhere: ModuleDefaults at "site.yml":5 in play("module_defaults: {ansible.builtin.file: {state: absent}}");
    the_machine_where_ansible_runs: Connection at "site.yml":5 in play("connection: local");
    another_user: Connection at "site.yml":8 in good("remote_user: root");
    another_port: Connection at "site.yml":8 in good("port: 2222");
    programs_for_facts: FactPath at "site.yml":5 in play("fact_path: /tmp");
    a_debugger: Debugger at "site.yml":8 in good("debugger: always");
    facts_that_are_computed: Shape at "site.yml":5 in play("gather_facts: \"{{ a }}\"");

    a_role_that_leaves_check_mode: CheckMode at "site.yml":6 in play("roles:\n  - {role: web, check_mode: false}").and("roles/web/tasks/main.yml", "[]");
    a_block_that_leaves_check_mode: CheckMode at "site.yml":7 in tasks("- block: []\n  check_mode: false");

    // Roles, collections and files.
    tasks_that_are_not_there: MissingFile at "site.yml":7 in task("ansible.builtin.import_tasks: a.yml");
    a_role_that_is_not_there: MissingFile at "site.yml":5 in play("roles: [web]");
    a_part_of_a_role_that_is_not_there: MissingFile at "site.yml":7 in task("ansible.builtin.import_role: {name: web, tasks_from: a}").and("roles/web/tasks/main.yml", "[]");
    a_template_that_is_not_there: MissingFile at "site.yml":7 in task("ansible.builtin.template: {src: a.j2, dest: /a}");
    a_playbook_that_is_not_there: MissingFile at "site.yml":2 in imported("b.yml", "");
    two_files_for_one_name: AmbiguousFile at "site.yml":7 in task("ansible.builtin.template: {src: a.j2, dest: /a}").and("a.j2", "").and("templates/a.j2", "");
    two_mains_of_a_role: AmbiguousFile at "site.yml":5 in role("tasks", "[]").and("roles/web/tasks/main.yaml", "[]");
    two_roles_of_one_name: AmbiguousFile at "site.yml":5 in role("tasks", "[]").and("web/tasks/main.yml", "[]");
    a_file_from_elsewhere: OutsideProject at "site.yml":7 in task("ansible.builtin.copy: {src: /etc/shadow, dest: /a}");
    a_file_above_the_project: OutsideProject at "site.yml":7 in task("ansible.builtin.copy: {src: ../a, dest: /a}");
    a_file_of_the_user: OutsideProject at "site.yml":7 in task("ansible.builtin.copy: {src: ~/.ssh/id, dest: /a}");
    tasks_from_elsewhere: OutsideProject at "site.yml":7 in task("ansible.builtin.import_tasks: ../a.yml");
    a_playbook_from_elsewhere: OutsideProject at "site.yml":2 in imported("../a.yml", "");
    a_part_of_a_role_from_elsewhere: OutsideProject at "site.yml":7 in task("ansible.builtin.import_role: {name: web, tasks_from: ../../../a}").and("roles/web/tasks/main.yml", "[]");
    a_file_that_is_computed: ComputedSource at "site.yml":7 in task("ansible.builtin.copy: {src: \"{{ a }}\", dest: /a}");
    a_file_that_is_computed_in_part: ComputedSource at "site.yml":7 in task("ansible.builtin.copy: {src: \"{{ a }}.conf\", dest: /a}").enumerated("a");
    tasks_as_it_runs: DynamicInclude at "site.yml":7 in task("ansible.builtin.include_tasks: a.yml").and("a.yml", "[]");
    a_role_as_it_runs: DynamicInclude at "site.yml":7 in task("ansible.builtin.include_role: {name: web}").and("roles/web/tasks/main.yml", "[]");
    computed_tasks: ComputedInclude at "site.yml":7 in task("ansible.builtin.import_tasks: \"{{ a }}\"");
    a_computed_role: ComputedInclude at "site.yml":7 in task("ansible.builtin.import_role: {name: \"{{ a }}\"}");
    a_computed_part_of_a_role: ComputedInclude at "site.yml":7 in task("ansible.builtin.import_role: {name: web, tasks_from: \"{{ a }}\"}").and("roles/web/tasks/main.yml", "[]");
    a_computed_playbook: ComputedInclude at "site.yml":2 in imported("\"{{ a }}\"", "");
    a_role_of_a_collection: ForeignRole at "site.yml":5 in play("roles: [a.b.c]");
    a_role_from_a_repository: ForeignRole at "roles/web/meta/main.yml":3 in role("meta", "dependencies:\n  - role: db\n    src: https://example.org/db\n").and("roles/db/tasks/main.yml", "[]");
    a_role_by_a_path: ForeignRole at "site.yml":5 in play("roles: [/srv/web]");
    a_role_above_the_project: ForeignRole at "site.yml":5 in play("roles: [../web]");
    a_plugin: Plugin at "filter_plugins/a.py":1 in good("").and("filter_plugins/a.py", "");
    a_module_of_a_role: Plugin at "roles/web/library/a.py":1 in good("").and("roles/web/library/a.py", "");

    // Tasks: what they are.
    a_short_name: ShortName at "site.yml":7 in task("file: {path: /a, state: absent}");
    a_name_that_a_project_may_take_over: ShortName at "site.yml":7 in task("ansible.legacy.file: {path: /a}").but(Kind::UnknownModule).but(Kind::UnpinnedCollection);
    a_short_include: ShortName at "site.yml":7 in task("include_tasks: a.yml");
    a_short_import: ShortName at "site.yml":2 in Case::new("- name: Import\n  import_playbook: a.yml\n").and("a.yml", &format!("{GOOD}{GATE}"));
    an_unknown_module: UnknownModule at "site.yml":7 in task("ansible.builtin.fiel: {path: /a}");
    parameters_in_one_text: FreeForm at "site.yml":7 in task("ansible.builtin.file: path=/a state=absent");
    parameters_from_a_variable: FreeForm at "site.yml":7 in task("ansible.builtin.file: \"{{ a }}\"");
    parameters_apart: FreeForm at "site.yml":8 in good("args: {path: /b}");
    a_module_under_action: FreeForm at "site.yml":7 in task("action: {module: ansible.builtin.ping}");
    a_computed_step_of_the_run: FreeForm at "site.yml":7 in task("ansible.builtin.meta: \"{{ a }}\"");
    a_role_in_one_text: FreeForm at "site.yml":7 in task("ansible.builtin.import_role: name=web");
    a_command: Command at "site.yml":7 in task("ansible.builtin.command: {cmd: uptime}");
    a_shell: Command at "site.yml":7 in task("ansible.builtin.shell: {cmd: uptime}");
    a_raw_command: Command at "site.yml":7 in task("ansible.builtin.raw: {cmd: uptime}");
    a_script: Command at "site.yml":7 in task("ansible.builtin.script: {cmd: a.sh}").and("files/a.sh", "");
    a_dialogue: Command at "site.yml":7 in task("ansible.builtin.expect: {command: a}");
    a_module_without_check_mode: NoCheckMode at "site.yml":7 in task("ansible.builtin.tempfile: {state: file}");
    a_module_that_does_not_say: NoCheckMode at "site.yml":7 in task("ansible.builtin.deb822_repository: {name: a}");
    a_request_that_changes: NoCheckMode at "site.yml":7 in task("ansible.builtin.uri: {url: 'http://a/', method: POST}");
    a_request_that_is_kept: NoCheckMode at "site.yml":7 in task("ansible.builtin.uri: {url: 'http://a/', dest: /a}");
    a_module_with_half_a_check_mode: PartialCheckMode at "site.yml":7 in task("ansible.builtin.get_url: {url: 'http://a/', dest: /a}");
    a_module_that_depends_on_the_host: HostDecides at "site.yml":7 in task("ansible.builtin.service: {name: a, state: restarted}");
    a_wait: LookSkipped at "site.yml":7 in task("ansible.builtin.wait_for: {port: 80}");
    a_validating_command: Validate at "site.yml":7 in task("ansible.builtin.copy: {content: a, dest: /a, validate: 'nginx -t -c %s'}");
    a_change_in_what_only_reads: Changes at "site.yml":7 in good("").reads();
    a_command_in_what_only_reads: Changes at "site.yml":7 in task("ansible.builtin.command: {cmd: uptime}").reads();
    a_new_host: Inventory at "site.yml":7 in task("ansible.builtin.meta: refresh_inventory");
    a_file_fetched: ControllerWrite at "site.yml":7 in task("ansible.builtin.fetch: {src: /a, dest: /b}");
    a_collection_of_any_version: UnpinnedCollection at "site.yml":7 in task("community.general.ufw: {state: enabled}");
    a_collection_of_a_range_of_versions: UnpinnedCollection at "site.yml":7 in task("community.general.ufw: {state: enabled}").and("requirements.yml", "collections:\n  - {name: community.general, version: '>=9.0.0'}\n");
    a_collection_of_the_family: UnpinnedCollection at "site.yml":7 in task("ansible.posix.acts: {state: enabled}").but(Kind::ControllerPart);
    a_module_that_acts_here: ControllerPart at "site.yml":7 in task("community.general.acts: {a: b}").and("requirements.yml", PINNED);
    a_module_that_says_that_it_acts_here: ControllerPart at "site.yml":7 in task("ansible.posix.acts: {a: b}").and("requirements.yml", PINNED);
    programs_for_the_facts_of_a_task: FactPath at "site.yml":7 in task("ansible.builtin.setup: {fact_path: /tmp}");
    the_run_itself: Meta at "site.yml":7 in task("ansible.builtin.meta: end_play");

    // Tasks: how they run.
    a_task_that_leaves_check_mode: CheckMode at "site.yml":8 in good("check_mode: false");
    a_task_that_never_leaves_check_mode: CheckMode at "site.yml":8 in good("check_mode: true");
    an_import_that_leaves_check_mode: CheckMode at "site.yml":8 in task("ansible.builtin.import_tasks: a.yml\ncheck_mode: false").and("a.yml", "[]");
    a_role_import_that_leaves_check_mode: CheckMode at "site.yml":8 in task("ansible.builtin.import_role: {name: web}\ncheck_mode: false").and("roles/web/tasks/main.yml", "[]");
    a_flush_that_leaves_check_mode: CheckMode at "site.yml":8 in task("ansible.builtin.meta: flush_handlers\ncheck_mode: false");
    an_import_that_never_fails: NeverFails at "site.yml":8 in task("ansible.builtin.import_tasks: a.yml\nfailed_when: false").and("a.yml", "[]");
    a_play_that_leaves_check_mode: CheckMode at "site.yml":5 in play("check_mode: no");
    something_else_in_check_mode: AsksCheckMode at "site.yml":8 in good("when: ansible_check_mode");
    something_else_in_check_mode_by_a_value: AsksCheckMode at "site.yml":7 in template("{{ 'a' if ansible_check_mode else 'b' }}");
    nothing_in_check_mode: SkippedInCheck at "site.yml":8 in good("when: not ansible_check_mode");
    ignored_errors: IgnoreErrors at "site.yml":8 in good("ignore_errors: yes");
    perhaps_ignored_errors: IgnoreErrors at "site.yml":8 in good("ignore_errors: \"{{ a }}\"");
    ignored_hosts: IgnoreUnreachable at "site.yml":8 in good("ignore_unreachable: true");
    no_failure: NeverFails at "site.yml":8 in good("failed_when: false");
    no_failure_in_a_list: NeverFails at "site.yml":8 in good("failed_when: [a, no]");
    another_failure: FailedWhen at "site.yml":8 in good("failed_when: a");
    a_hidden_change: HidesChange at "site.yml":8 in good("changed_when: false");
    another_change: ChangedWhen at "site.yml":8 in good("changed_when: a");
    a_rescue: Rescue at "site.yml":7 in tasks("- block: []\n  rescue: []");
    another_host: Delegation at "site.yml":8 in good("delegate_to: localhost");
    facts_of_another_host: Delegation at "site.yml":8 in good("delegate_facts: true");
    the_machine_itself: LocalAction at "site.yml":7 in task("local_action: {module: ansible.builtin.ping}");
    one_host_for_all: RunOnce at "site.yml":8 in good("run_once: true");
    a_module_once_for_all: RunOnce at "site.yml":7 in task("ansible.builtin.pause: {seconds: 1}");
    behind_our_back: Async at "site.yml":8 in good("async: 10");
    not_waited_for: Async at "site.yml":8 in good("poll: 0");
    perhaps_another_user: Become at "site.yml":8 in good("become: \"{{ a }}\"");
    another_way_to_become: Become at "site.yml":8 in good("become_method: su");
    a_computed_user: Become at "site.yml":8 in good("become_user: \"{{ a }}\"");
    options_to_become: Become at "site.yml":8 in good("become_flags: -E");
    a_shown_log: LogShown at "site.yml":8 in good("no_log: false");
    a_perhaps_shown_log: LogShown at "site.yml":8 in good("no_log: \"{{ a }}\"");
    a_hidden_diff: DiffHidden at "site.yml":8 in good("diff: false");
    always: SpecialTag at "site.yml":8 in good("tags: [a, always]");
    never_among_others: SpecialTag at "site.yml":8 in good("tags: a, never");
    a_task_without_a_name: Unnamed at "site.yml":6 in tasks("- ansible.builtin.ping:");
    a_play_without_a_name: Unnamed at "site.yml":1 in gated(&GOOD.replace("- name: Play\n  hosts", "- hosts"));
    a_lost_handler: LostHandler at "site.yml":8 in good("notify: Restart");
    a_lost_handler_of_a_block: LostHandler at "site.yml":7 in tasks("- block: []\n  notify: Restart");
    a_task_that_is_only_declared: NoSuchTask at "site.yml":1 in good("").named("Do something else");
}

/// Whatever is on none of these lists is denied. To let more through is a decision, so it is made in two places.
#[test]
fn what_is_let_through_is_decided() {
    let decided = |verdict| -> Vec<String> {
        let kinds = Kind::ALL.iter().filter(|kind| kind.rule().verdict == verdict);
        kinds.map(Kind::to_string).collect()
    };
    assert_eq!(
        decided(Verdict::Doubted),
        [
            "unknown_filter",
            "unknown_test",
            "unknown_call",
            "indirect_variable",
            "environment",
            "computed_source",
            "dynamic_include",
            "command",
            "no_check_mode",
            "controller_part",
            "meta",
            "asks_check_mode",
            "hides_change",
            "rescue",
            "rests_on_skipped",
            "run_once",
        ]
    );
    assert_eq!(
        decided(Verdict::Undetermined),
        [
            "partial_check_mode",
            "host_decides",
            "look_skipped",
            "validate",
            "skipped_in_check",
            "failed_when",
            "changed_when",
            "diff_hidden",
        ]
    );
    assert_eq!(decided(Verdict::Fine), ["no_diff"]);
}
