//! The keywords of plays, blocks, tasks and roles, and what follows of each. A keyword that is not here is not known.
//!
//! <https://docs.ansible.com/ansible/latest/reference_appendices/playbooks_keywords.html>

use super::finding::Kind;

/// What is done about a keyword. Whatever it is, the templates in what it is given are vetted too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It may have any value.
    Any,
    /// Its value is a bare expression, or several.
    Expression,
    /// It may not be there.
    Never(Kind),
    /// It may have these values.
    Only(&'static [&'static str], Kind),
    /// Its value is written out.
    Literal(Kind),
    /// Read by those who walk through plays and tasks.
    Apart,
}

use Treatment::{Any, Apart, Expression, Literal, Never, Only};

const TRUE: &[&str] = &["true"];
const FALSE: &[&str] = &["false"];
const EITHER: &[&str] = &["true", "false"];

/// What plays, blocks, tasks and roles have in common.
fn common(keyword: &str) -> Option<Treatment> {
    Some(match keyword {
        "become" => Only(&["true", "false", "{{ runcord_become }}"], Kind::Become),
        "become_exe" | "become_flags" => Never(Kind::Become),
        "become_method" => Only(&["sudo", "ansible.builtin.sudo"], Kind::Become),
        "become_user" => Literal(Kind::Become),
        "collections" => Never(Kind::CollectionsKeyword),
        "connection" | "port" | "remote_user" => Never(Kind::Connection),
        "debugger" => Never(Kind::Debugger),
        "diff" => Only(TRUE, Kind::DiffHidden),
        "environment" => Never(Kind::Environment),
        "ignore_errors" => Only(FALSE, Kind::IgnoreErrors),
        "ignore_unreachable" => Only(FALSE, Kind::IgnoreUnreachable),
        "module_defaults" => Never(Kind::ModuleDefaults),
        "name" => Literal(Kind::TemplatedName),
        "no_log" => Only(TRUE, Kind::LogShown),
        "run_once" => Only(FALSE, Kind::RunOnce),
        "tags" | "vars" => Apart,
        "throttle" | "timeout" => Any,
        _ => return None,
    })
}

/// What blocks, tasks and roles have in common, and plays do not.
fn below_play(keyword: &str) -> Option<Treatment> {
    Some(match keyword {
        "any_errors_fatal" => Only(TRUE, Kind::GoesOn),
        "delegate_to" | "delegate_facts" => Never(Kind::Delegation),
        "when" => Apart,
        _ => return common(keyword),
    })
}

/// Of a play.
pub(crate) fn of_play(keyword: &str) -> Option<Treatment> {
    Some(match keyword {
        "check_mode" => Never(Kind::CheckMode),
        "fact_path" => Never(Kind::FactPath),
        "force_handlers" | "gather_facts" => Only(EITHER, Kind::Shape),
        "gather_subset" | "gather_timeout" => Any,
        "hosts" => Only(&["all"], Kind::Hosts),
        "max_fail_percentage" => Never(Kind::MaxFailPercentage),
        "order" => Only(&["inventory"], Kind::HostOrder),
        "strategy" => Only(&["linear", "ansible.builtin.linear"], Kind::Strategy),
        "vars_files" => Never(Kind::VarsFiles),
        "vars_prompt" => Never(Kind::VarsPrompt),
        "any_errors_fatal" | "serial" | "roles" | "pre_tasks" | "tasks" | "post_tasks" | "handlers" => Apart,
        _ => return common(keyword),
    })
}

/// Of a block.
pub(crate) fn of_block(keyword: &str) -> Option<Treatment> {
    Some(match keyword {
        "block" | "always" | "rescue" | "notify" => Apart,
        "check_mode" => Never(Kind::CheckMode),
        _ => return below_play(keyword),
    })
}

/// Of a task or handler. What is none of these is its module.
pub(crate) fn of_task(keyword: &str) -> Option<Treatment> {
    Some(match keyword {
        "action" | "args" => Never(Kind::FreeForm),
        "async" | "poll" => Never(Kind::Async),
        "local_action" => Never(Kind::LocalAction),
        "changed_when" | "check_mode" | "failed_when" | "listen" | "loop_control" | "notify" | "register" => {
            Apart
        }
        "delay" | "loop" | "retries" => Any,
        "until" => Expression,
        _ if keyword.starts_with("with_") => Never(Kind::LookupLoop),
        _ => return below_play(keyword),
    })
}

/// Of an entry of `roles` or of a role's `dependencies`.
pub(crate) fn of_role(keyword: &str) -> Option<Treatment> {
    Some(match keyword {
        "role" | "name" => Apart,
        "check_mode" => Never(Kind::CheckMode),
        "src" | "scm" | "version" => Never(Kind::ForeignRole),
        _ => return below_play(keyword),
    })
}

/// Of an entry that imports a playbook.
pub(crate) fn of_import(keyword: &str) -> Option<Treatment> {
    Some(match keyword {
        "import_playbook" => Never(Kind::ShortName),
        "ansible.builtin.import_playbook" => Apart,
        "name" | "tags" | "vars" => return common(keyword),
        _ => return None,
    })
}

/// Of `loop_control`.
pub(crate) fn of_loop_control(keyword: &str) -> Option<Treatment> {
    Some(match keyword {
        "label" | "pause" | "extended" | "extended_allitems" => Any,
        "loop_var" | "index_var" => Apart,
        "break_when" => Expression,
        _ => return None,
    })
}
