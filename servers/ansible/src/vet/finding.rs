//! What vetting finds, and what follows of it: one table says of each kind whether it may be at all.

use std::fmt;

use runcord_model::text::visible;
use serde::{Deserialize, Serialize};

/// What follows of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Refused, whoever reviewed it.
    Denied,
    /// Refused, unless the declaration of the playbook says that it was reviewed.
    Doubted,
    /// Let through; what it does is undetermined until it is applied.
    Undetermined,
    /// Let through; said, since a reader may want to know.
    Fine,
}

/// Something that stands in a file of the project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// Below the project's folder.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// What it is.
    pub kind: Kind,
    /// The name of the task, as it is written, where it is about one.
    pub task: Option<String>,
    /// The word that it is about, such as a keyword or a filter; cleaned.
    pub about: Option<String>,
}

/// As one line for a person, with what to write instead.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.kind.rule();
        write!(f, "{}:{}: {}", visible(&self.file, LONGEST_WORD), self.line, rule.says)?;
        if let Some(about) = &self.about {
            write!(f, " (`{about}`)")?;
        }
        write!(f, "; {}", rule.instead)
    }
}

/// The longest word of a file that is shown, in bytes.
pub(crate) const LONGEST_WORD: usize = 160;

/// What is known of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What follows.
    pub verdict: Verdict,
    /// What is wrong with it, a lowercase fragment.
    pub says: &'static str,
    /// What to write instead, or what to do.
    pub instead: &'static str,
}

/// Makes the kinds, their names and their rules from one table, so that no kind is without a rule.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $verdict:ident, $says:literal, $instead:literal;)*) => {
        /// What can be found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// What follows of it, and what to do.
            pub fn rule(self) -> Rule {
                match self {
                    $(Self::$kind => Rule { verdict: Verdict::$verdict, says: $says, instead: $instead },)*
                }
            }
        }
    };
}

kinds! {
    // How the files are written.
    /// Not YAML, several documents, too deep or too long, or a key that is no text.
    UnreadableYaml: Denied, "cannot be read as one YAML document", "write plain YAML, one document in a file";
    /// A control character, a tab, a byte order mark or a Unicode line separator.
    DisputedCharacter: Denied, "holds a character that not every reader of YAML takes alike", "write spaces, `\\n` and letters that can be seen";
    /// `&name` or `*name`.
    Anchor: Denied, "an anchor or alias hides what stands elsewhere", "write it out";
    /// `<<:`.
    MergeKey: Denied, "a merge key hides what stands elsewhere", "write it out";
    /// The same key twice: only one of them counts.
    DuplicateKey: Denied, "a key stands twice", "take one of them out";
    /// `!vault`, `!unsafe` or any other tag.
    YamlTag: Denied, "a tag, such as `!vault`, cannot be vetted", "give secrets by a declared environment variable, the rest without a tag";
    /// Text where a mapping should be, and the like.
    Shape: Denied, "not in the form that Ansible documents", "write it as the documentation of Ansible has it";
    /// A key that this version of Runcord does not know.
    UnknownKeyword: Denied, "a keyword that is not known", "take it out, or mend its spelling";
    /// More files or tasks than anybody reviews, or files that include each other.
    TooMuch: Denied, "too many tasks, or files that include each other", "split the playbook";

    // Templates.
    /// Jinja that cannot be taken apart, or a template with delimiters of its own.
    UnreadableTemplate: Denied, "a template that cannot be vetted", "write plain Jinja with its usual delimiters";
    /// A template within a text of a template, or delimiters within a bare expression.
    NestedTemplate: Denied, "a template within a template", "write the expression without delimiters of its own";
    /// Jinja in the name of a play or task.
    TemplatedName: Denied, "a name that is computed cannot be reviewed", "write the name out";
    /// Jinja in a key, a module's name, a variable's name or a tag.
    TemplatedKey: Denied, "what is to be done is computed", "write it out";
    /// `lookup`, `query` or `q`: runs where Ansible runs, in check mode too.
    Lookup: Denied, "a lookup runs where Ansible runs, in check mode too", "give the value by a declared variable";
    /// `with_*`, which is a lookup.
    LookupLoop: Denied, "`with_` loops run lookups", "use `loop`";
    /// A filter that is not known to only compute.
    UnknownFilter: Doubted, "a filter that is not known to only compute", "use one of Jinja's, or have it reviewed";
    /// A test that is not known to only compute.
    UnknownTest: Doubted, "a test that is not known to only compute", "use one of Jinja's, or have it reviewed";
    /// A function that is not known to only compute.
    UnknownCall: Doubted, "a function that is not known to only compute", "use a filter, or have it reviewed";
    /// A statement other than `if`, `for` and `set`.
    TemplateStatement: Denied, "a statement that is not `if`, `for` or `set`", "write what it stands for in place";
    /// A name that begins with `_`, or Jinja's own context.
    PrivateName: Denied, "reaches into the template engine", "use the variables of the playbook";
    /// `vars` or `hostvars`: a variable by a name that is computed.
    IndirectVariable: Doubted, "takes a variable by a name that may be computed, or of another host", "name the variable itself";
    /// A variable that says how and where a host is reached, or one of ours.
    ReservedVariable: Denied, "sets a variable that steers Ansible or Runcord", "leave it to the inventory, or choose another name";

    // Plays.
    /// `hosts` other than `all`.
    Hosts: Denied, "not exactly `hosts: all`", "write `hosts: all`: the inventory of a run holds exactly its hosts";
    /// A play that changes hosts without taking its batches from us.
    Serial: Denied, "does not take its batches from the run", "write `serial: \"{{ runcord_serial }}\"`";
    /// A play that goes on when a host failed.
    GoesOn: Denied, "goes on after a host has failed", "write `any_errors_fatal: true`";
    /// A play without the gate between batches, or without the note that opens it.
    Gate: Denied, "goes on to the next batch though a host of an earlier one could not be reached", "begin it as the playbooks of the library begin, with \"Go on only if all hosts of the batches before are done\", and end it with `flush_handlers` and `set_fact: {runcord_done: true}`";
    /// `max_fail_percentage`.
    MaxFailPercentage: Denied, "`max_fail_percentage` goes on after a host has failed", "take it out";
    /// `strategy` other than `linear`.
    Strategy: Denied, "hosts would not go step by step", "take `strategy` out";
    /// `order` other than that of the inventory.
    HostOrder: Denied, "another host than the planned one would be the first", "take `order` out";
    /// `vars_prompt`.
    VarsPrompt: Denied, "asks a person who is not there", "declare the variable";
    /// `vars_files` or `include_vars`.
    VarsFiles: Denied, "variables from a file that is chosen while it runs", "write them under `vars`, or in the role's `defaults` or `vars`";
    /// `environment`.
    Environment: Doubted, "sets variables of the environment, which steer what modules run", "take it out, or have it reviewed";
    /// `collections`.
    CollectionsKeyword: Denied, "`collections` decides what a short name means", "take it out, and write names out in full";
    /// `module_defaults`.
    ModuleDefaults: Denied, "parameters that do not stand at the task", "write them at each task";
    /// `connection`, `port`, `remote_user`.
    Connection: Denied, "reaches hosts otherwise than the inventory says", "leave it to the inventory";
    /// `fact_path`.
    FactPath: Denied, "programs in `fact_path` run as facts are gathered", "take it out";
    /// `debugger`.
    Debugger: Denied, "waits for a person who is not there", "take it out";

    // Roles, collections and files.
    /// A file that is included and is not in the project.
    MissingFile: Denied, "is not in the project", "put it below the project's folder, or mend the path";
    /// Several files that could be meant.
    AmbiguousFile: Denied, "several files of the project could be meant", "give one of them another name";
    /// A path that leaves the project: a file of the machine where Ansible runs.
    OutsideProject: Denied, "reads a file of the machine where Ansible runs, outside of the project", "put it into the project, or write `remote_src: true` where it is on the host";
    /// A file of the project whose path is computed from what nobody declared.
    ComputedSource: Doubted, "which file goes out is computed", "name the file, or declare the variable with a `value` or an `enum`";
    /// `include_*`: decided while it runs, host by host.
    DynamicInclude: Doubted, "is included while it runs, host by host", "use `import_tasks` or `import_role`";
    /// An include whose path or name is computed.
    ComputedInclude: Denied, "what is included is computed", "write the name out";
    /// A role of a collection or repository.
    ForeignRole: Denied, "a role from outside of the project", "copy it into `roles/` of the project";
    /// A collection that `requirements.yml` does not pin to one version.
    UnpinnedCollection: Denied, "a collection that is not pinned", "name it in `requirements.yml` with an exact version";
    /// A folder that Ansible loads code from.
    Plugin: Denied, "code that Ansible would load from the project", "put it into a collection that is pinned";

    // Tasks: what they are.
    /// A module's name without its collection, or of `ansible.legacy`.
    ShortName: Denied, "a module's name that is not written out", "write it in full, such as `ansible.builtin.copy`";
    /// A module that `ansible-doc` does not know.
    UnknownModule: Denied, "a module that is not installed", "mend its spelling, or install its collection";
    /// Parameters as one text, as a template, or under `args` or `action`.
    FreeForm: Denied, "parameters that are not a mapping below the module's name", "write each parameter on a line of its own below the module's name";
    /// `command`, `shell`, `raw`, `script`, `expect`: skipped in check mode, or worse.
    Command: Doubted, "a command, which check mode cannot try", "use a module, or have it reviewed";
    /// A module that changes hosts and does nothing in check mode.
    NoCheckMode: Doubted, "a module that changes hosts and has no check mode", "use another module, or have it reviewed";
    /// A module that is only partly tried in check mode.
    PartialCheckMode: Undetermined, "a module that check mode tries only in part", "look at its documentation for what is left out";
    /// A module whose check mode depends on the host.
    HostDecides: Undetermined, "a module whose check mode depends on the host", "name the module that is meant, where all hosts are alike";
    /// A module that only looks or waits, and is skipped in check mode.
    LookSkipped: Undetermined, "only looks or waits, and is skipped in check mode", "nothing: what it would find is known after it is applied";
    /// `validate`: a command that runs on the host once it is applied.
    Validate: Undetermined, "runs a command that check mode does not try", "nothing: whether it takes the file is known after it is applied";
    /// A module that cannot say what it would change.
    NoDiff: Fine, "a module that does not say what exactly would change", "nothing: that it would change something is said";
    /// A module of a collection that partly runs where Ansible runs, in check mode too.
    ControllerPart: Doubted, "a module that partly runs where Ansible runs", "use another module, or have it reviewed";
    /// A module that changes things, in a playbook that is declared to only read.
    Changes: Denied, "a module that may change hosts, in a playbook that only reads", "take it out, or do not declare the playbook as one that reads";
    /// `add_host`, `group_by`, `meta: refresh_inventory`.
    Inventory: Denied, "changes which hosts there are", "leave it to the inventory";
    /// `meta` other than `flush_handlers` and `noop`.
    Meta: Doubted, "steers the run itself", "take it out, or have it reviewed";
    /// `fetch`: writes where Ansible runs.
    ControllerWrite: Denied, "writes to the machine where Ansible runs", "use `ansible.builtin.slurp`";

    // Tasks: how they run.
    /// `check_mode` at a play, block or task.
    CheckMode: Denied, "decides by itself whether it runs in check mode", "take `check_mode` out; a playbook that only reads may have `check_mode: true` at a task";
    /// A question for check mode other than `when: not ansible_check_mode`.
    AsksCheckMode: Doubted, "does something else in check mode", "write only `when: not ansible_check_mode`, or have it reviewed";
    /// `when: not ansible_check_mode`.
    SkippedInCheck: Undetermined, "is skipped in check mode", "nothing: what it does is known after it is applied";
    /// `ignore_errors`.
    IgnoreErrors: Denied, "goes on after it has failed", "take `ignore_errors` out";
    /// `ignore_unreachable`.
    IgnoreUnreachable: Denied, "goes on with hosts that cannot be reached", "take `ignore_unreachable` out";
    /// `failed_when: false`.
    NeverFails: Denied, "never counts as failed", "say when it has failed";
    /// `failed_when` with an expression.
    FailedWhen: Undetermined, "says by itself when it has failed", "nothing: the expression was reviewed with the playbook";
    /// `changed_when: false` at a module that changes things: check mode would tell of nothing.
    HidesChange: Doubted, "never counts as a change", "take `changed_when` out, or have it reviewed";
    /// `changed_when` with an expression.
    ChangedWhen: Undetermined, "says by itself when it has changed something", "nothing: the expression was reviewed with the playbook";
    /// `rescue`: a failure that does not count.
    Rescue: Doubted, "a failure would be taken for a success", "let it fail, or have it reviewed";
    /// Asks for the result of a task that is skipped in check mode, and then reads as a success.
    RestsOnSkipped: Doubted, "rests on what is skipped in check mode, and there reads as a success", "look with a module that has a check mode, or have it reviewed";
    /// `delegate_to`, `delegate_facts`.
    Delegation: Denied, "acts on another host than the planned one", "declare a playbook for that host";
    /// `local_action`.
    LocalAction: Denied, "acts on the machine where Ansible runs", "take it out";
    /// `run_once`, and modules that run once for all hosts.
    RunOnce: Doubted, "runs on one host of each batch only", "let it run on each host, or have it reviewed";
    /// `async`, `poll`.
    Async: Denied, "goes on behind the run's back", "take `async` and `poll` out";
    /// `become` otherwise than by `sudo` and our variable.
    Become: Denied, "becomes another user in a way that is not known", "write `become: true`, `false` or \"{{ runcord_become }}\", and `sudo`";
    /// `no_log` other than `true`.
    LogShown: Denied, "shows what another `no_log` hides", "take it out, or write `no_log: true`";
    /// `diff: false`.
    DiffHidden: Undetermined, "does not show what it changes", "take `diff` out, or use `no_log` for a secret";
    /// The tags `always` and `never`, and those that select by what else is selected.
    SpecialTag: Denied, "a tag that runs or skips whatever was selected", "use a tag of your own";
    /// A task without a name.
    Unnamed: Denied, "has no name, so that no review can speak of it", "name it";
    /// `notify` with no handler of that name.
    LostHandler: Denied, "no handler has that name", "mend the name";
    /// The declaration speaks of a task that is not there.
    NoSuchTask: Denied, "the declaration speaks of a task that is not there", "mend its name in playbooks.yaml";
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
