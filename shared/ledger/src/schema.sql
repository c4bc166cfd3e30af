-- Version 1. Text columns named plan, extras, at, … hold JSON. Times are moments (see runcord-model), as JSON.
CREATE TABLE installation (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  name TEXT NOT NULL
) STRICT;

-- The newest wall time that anything was written at, in milliseconds since 1970.
CREATE TABLE clock (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  newest_ms INTEGER
) STRICT;
INSERT INTO clock (id, newest_ms) VALUES (1, NULL);

CREATE TABLE plans (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  plan TEXT NOT NULL,
  extras TEXT NOT NULL,
  principal TEXT NOT NULL,
  target TEXT NOT NULL,
  made TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'spent', 'rejected', 'void')),
  detail TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TRIGGER plans_are_frozen BEFORE UPDATE ON plans
WHEN OLD.status <> 'open' OR NEW.seq <> OLD.seq OR NEW.id <> OLD.id OR NEW.plan <> OLD.plan
  OR NEW.extras <> OLD.extras OR NEW.principal <> OLD.principal OR NEW.target <> OLD.target OR NEW.made <> OLD.made
BEGIN SELECT RAISE(ABORT, 'a plan is frozen, and ends once'); END;
CREATE TRIGGER plans_stay BEFORE DELETE ON plans BEGIN SELECT RAISE(ABORT, 'plans stay'); END;

CREATE TABLE approvals (
  plan_id TEXT NOT NULL REFERENCES plans (id),
  approver TEXT NOT NULL,
  verdict TEXT NOT NULL,
  statement TEXT NOT NULL,
  signature TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (plan_id, approver)
) STRICT;
CREATE TRIGGER approvals_are_frozen BEFORE UPDATE ON approvals BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER approvals_stay BEFORE DELETE ON approvals BEGIN SELECT RAISE(ABORT, 'append-only'); END;

CREATE TABLE records (
  idx INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  at TEXT NOT NULL,
  statement TEXT NOT NULL,
  previous TEXT NOT NULL,
  digest TEXT NOT NULL,
  signature TEXT NOT NULL
) STRICT;
CREATE TRIGGER records_are_frozen BEFORE UPDATE ON records BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER records_stay BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'append-only'); END;

-- machine, acts: as the run began. snapshot: the state after the newest journal entry, as the machine
-- `snapshot_machine` writes it. outcome: NULL until the run is over.
CREATE TABLE runs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  plan_id TEXT NOT NULL UNIQUE REFERENCES plans (id),
  principal TEXT NOT NULL,
  target TEXT NOT NULL,
  concurrency TEXT,
  machine INTEGER NOT NULL,
  acts TEXT NOT NULL,
  deadline TEXT NOT NULL,
  extras TEXT NOT NULL,
  epoch INTEGER NOT NULL DEFAULT 0,
  snapshot TEXT NOT NULL,
  snapshot_machine INTEGER NOT NULL,
  cancelled_by TEXT,
  view TEXT,
  intent INTEGER NOT NULL REFERENCES records (idx),
  outcome INTEGER REFERENCES records (idx)
) STRICT;
CREATE INDEX runs_unended ON runs (target) WHERE outcome IS NULL;
CREATE TRIGGER runs_end_once BEFORE UPDATE ON runs
WHEN OLD.outcome IS NOT NULL OR NEW.epoch < OLD.epoch OR NEW.plan_id <> OLD.plan_id OR NEW.intent <> OLD.intent
BEGIN SELECT RAISE(ABORT, 'a run ends once, and its epoch only rises'); END;
CREATE TRIGGER runs_stay BEFORE DELETE ON runs BEGIN SELECT RAISE(ABORT, 'runs stay'); END;

CREATE TABLE journal (
  run_id TEXT NOT NULL REFERENCES runs (id),
  seq INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  event TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT;
CREATE TRIGGER journal_is_frozen BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER journal_stays BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'append-only'); END;

-- One row for each scope: `*`, which is always there (without it nothing may run), and principals as JSON.
-- pull: NULL when armed, else {by, reason, at}.
CREATE TABLE cord (
  scope TEXT PRIMARY KEY,
  pull TEXT
) STRICT;
INSERT INTO cord (scope, pull) VALUES ('*', NULL);

CREATE TABLE authority (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  digest TEXT NOT NULL,
  statement TEXT NOT NULL,
  signatures TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT;
CREATE TRIGGER authority_is_frozen BEFORE UPDATE ON authority BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER authority_stays BEFORE DELETE ON authority BEGIN SELECT RAISE(ABORT, 'append-only'); END;

CREATE TABLE reads (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  principal TEXT NOT NULL,
  runbook TEXT NOT NULL,
  params TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT;
CREATE TRIGGER reads_are_frozen BEFORE UPDATE ON reads BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER reads_stay BEFORE DELETE ON reads BEGIN SELECT RAISE(ABORT, 'append-only'); END;
