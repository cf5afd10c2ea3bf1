"""The SQL of the migration that serves the list of runs. Append only, as `schema.py`."""

M007_LIST = (
    """\
create table facet (
  -- What lists find a run by, each value once: its name, the agents, tools, models and providers
  -- in it, that a step failed or a note was made in it, and the tags a person gave it.
  run integer not null references run (key),
  field text not null
    check (field in ('name', 'agent', 'tool', 'model', 'provider', 'has', 'tag')),
  value text not null,
  primary key (run, field, value)
) strict, without rowid""",
    "create index facet_value on facet (field, value)",
    """\
create table label (
  -- What a person did with a run in the list: pinned it, wrote a note, threw it away. A deleted
  -- run stays until the trash is emptied. A row is added when there is something to keep.
  run integer primary key references run (key),
  pinned_ns integer,
  deleted_ns integer, -- one time for all that were deleted together, so that they come back so
  note text not null default ''
) strict""",
    """\
create table saved_filter (
  -- A list of runs that somebody wants to come back to.
  name text primary key,
  query text not null, -- in the language of tracer.core.runquery
  sort text not null default '' -- as in the address of the list
) strict""",
    # Few runs are not "ok"; without this, looking for them reads the whole table.
    "create index run_not_ok on run (started_ns) where status <> 'ok'",
    # What is compared (the first) and what is sorted by (the others), so that neither reads whole
    # rows. Only of runs that have ended: recording a step need not touch them.
    """\
create index run_numbers on run (
  started_ns desc, ended_ns, cost_usd, input_tokens, output_tokens, steps, status
) where status <> 'running'""",
    """\
create index run_by_duration on run (coalesce(ended_ns - started_ns, -1), started_ns)
  where status <> 'running'""",
    """\
create index run_by_cost on run (coalesce(cost_usd, -1), started_ns)
  where status <> 'running'""",
    """\
create index run_by_tokens on run
  (coalesce(input_tokens + output_tokens, input_tokens, output_tokens, -1), started_ns)
  where status <> 'running'""",
    "create index run_by_steps on run (steps, started_ns) where status <> 'running'",
    "create index run_forked on run (started_ns) where fork is not null",
    "create index run_diverged on run (started_ns) where divergences <> '[]'",
    "insert into facet select key, 'name', name from run",
    "insert or ignore into facet select run, kind, name from step where kind in ('agent', 'tool')",
    """\
insert or ignore into facet select run, 'model', model from step
  where kind = 'model' and model is not null""",
    """\
insert or ignore into facet select run, 'provider', provider from step
  where kind = 'model' and provider is not null""",
    "insert or ignore into facet select run, 'has', 'error' from step where status = 'error'",
    "insert or ignore into facet select run, 'has', 'note' from step where kind = 'note'",
    "insert or ignore into facet select key, 'has', 'error' from run where error is not null",
)
