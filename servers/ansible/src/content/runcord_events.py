# Writes what Ansible does as JSON lines into the file that the variable RUNCORD_EVENTS names, and nothing to the terminal.
# One line is one event; it is flushed before Ansible goes on, so what was begun is known even if this process is killed.
#
# What cannot be told ends Ansible at once, before the task in question is sent to its host: it would go on after a callback
# that failed, and what it did then would be on no record.
#
# https://docs.ansible.com/ansible/latest/dev_guide/developing_plugins.html#callback-plugins

import functools
import hashlib
import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: runcord_events
    type: stdout
    short_description: events as JSON lines
    description: Writes events as JSON lines into a file.
"""

# What a module says of its own, and of what a value is shown to a person who asked for it.
LONGEST = 64 * 1024

# How Ansible ends where something cannot be told; it has no such code of its own.
UNTOLD = 98


def or_end(tell):
    @functools.wraps(tell)
    def told(*args, **kwargs):
        try:
            tell(*args, **kwargs)
        except BaseException:
            os._exit(UNTOLD)

    return told


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "runcord_events"

    def __init__(self):
        super().__init__()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(os.environ["RUNCORD_EVENTS"], flags, 0o600)

    def _tell(self, event, **fields):
        line = json.dumps({"event": event, **fields}, default=str, ensure_ascii=True).encode() + b"\n"
        while line:
            line = line[os.write(self._file, line) :]

    def _task(self, task):
        return {"task": str(task._uuid), "name": task.get_name(include_role_fqcn=False).strip()}

    @or_end
    def v2_playbook_on_play_start(self, play):
        self._tell("play", name=play.get_name().strip(), check=bool(play.check_mode))

    @or_end
    def v2_playbook_on_no_hosts_matched(self):
        self._tell("no_hosts")

    @or_end
    def v2_playbook_on_task_start(self, task, is_conditional):
        self._begin(task, handler=False)

    @or_end
    def v2_playbook_on_handler_task_start(self, task):
        self._begin(task, handler=True)

    def _begin(self, task, handler):
        self._tell(
            "task",
            **self._task(task),
            module=task.resolved_action or task.action,
            place=task.get_path(),
            check=bool(task.check_mode),
            no_log=bool(task.no_log),
            handler=handler,
        )

    @or_end
    def v2_runner_on_start(self, host, task):
        self._tell("begin", host=host.get_name(), task=str(task._uuid))

    @or_end
    def v2_runner_on_ok(self, result):
        self._result("changed" if result._result.get("changed") else "ok", result)

    @or_end
    def v2_runner_on_skipped(self, result):
        self._result("skipped", result)

    @or_end
    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._result("ignored" if ignore_errors else "failed", result)

    @or_end
    def v2_runner_on_unreachable(self, result):
        self._result("unreachable", result)

    def v2_on_any(self, *args, **kwargs):
        pass

    def _result(self, status, result):
        task, said = result._task, result._result
        hidden = bool(task.no_log) or bool(said.get("_ansible_no_log")) or "censored" in said
        fields = {"host": result._host.get_name(), "status": status, **self._task(task), "hidden": hidden}
        if not hidden:
            differences = said.get("diff") or []
            if isinstance(differences, dict):
                differences = [differences]
            for part in said.get("results", []) if isinstance(said.get("results"), list) else []:
                one = part.get("diff") if isinstance(part, dict) and not part.get("_ansible_no_log") else None
                differences = differences + (one if isinstance(one, list) else [one] if one else [])
            fields["diff"] = [self._difference(one) for one in differences if isinstance(one, dict)]
            if status in ("failed", "unreachable", "ignored"):
                fields["message"] = str(said.get("msg", ""))[:LONGEST]
            elif task.action in ("ansible.builtin.debug", "debug") and "msg" in said:
                fields["says"] = said["msg"]
        self._tell("result", **fields)

    def _difference(self, one):
        kept = {}
        for key in ("before_header", "after_header", "before", "after", "prepared"):
            if key in one:
                value = one[key]
                kept[key] = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
        return {key: self._cut(value) for key, value in kept.items()}

    def _cut(self, value):
        if len(value) <= LONGEST:
            return value
        # What is cut off is compared all the same.
        digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()
        return f"{value[:LONGEST]}\n(cut; in all sha256:{digest})"

    @or_end
    def v2_playbook_on_stats(self, stats):
        hosts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        self._tell("end", hosts=hosts)
