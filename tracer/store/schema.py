"""The SQL of each migration. Append only: shipped statements never change."""

M001_PAYLOADS = (
    """\
create table blob (
  -- Payload bytes, each stored once, however many steps and runs carry them. Rows never change;
  -- pruning deletes those that nothing refers to any more.
  id integer primary key,
  hash blob not null unique check (length(hash) = 16), -- blake2b of the plain bytes
  codec text not null check (codec in ('plain', 'zlib')),
  size integer not null check (size >= 0), -- of the plain bytes
  data blob not null
) strict""",
    """\
create table link (
  -- One message of a conversation as sent, linked to the one before it: a history that every
  -- model call resends is stored once, and a fork shares it up to its first different message.
  -- Rows never change; pruning deletes those that nothing refers to any more.
  id integer primary key,
  hash blob not null unique check (length(hash) = 16), -- of the parent's hash and the own bytes
  canonical blob not null check (length(canonical) = 16), -- the same over canonical JSON
  parent integer references link (id), -- null for the first message
  depth integer not null check (depth >= 1), -- 1 for the first message
  size integer not null check (size >= 0), -- bytes of this message and all before it
  blob integer not null references blob (id) -- separator and element
) strict""",
    """\
create table passage (
  -- One text that search finds, stored once. Kept beside the index, because taking a text out
  -- of the index needs the text. Rows never change; pruning deletes them with their steps.
  id integer primary key, -- also the rowid in `search`
  hash blob not null unique check (length(hash) = 16),
  codec text not null check (codec in ('plain', 'zlib')),
  size integer not null check (size >= 0),
  data blob not null -- UTF-8
) strict""",
)

M002_RUNS = (
    """\
create table run (
  -- One recorded execution. The only rows that change for long: totals grow with each step,
  -- until the run has ended; after that only a price that was missing may arrive.
  key integer primary key,
  id text not null unique, -- 32 hex digits, the trace id
  name text not null,
  status text not null check (status in ('running', 'ok', 'error', 'interrupted', 'stopped')),
  origin text not null check (origin in ('local', 'imported', 'otlp')),
  started_ns integer not null,
  ended_ns integer,
  parent_run text, -- id of the run this one re-executes; may be missing here
  fork text, -- JSON, null for originals and plain replays
  pid integer,
  process text, -- JSON: what tells this process from a later one of the same pid
  input_text text not null, -- first 200 characters, for lists
  output_text text not null default '',
  error text, -- JSON {type, message, traceback}
  warnings text not null default '[]', -- JSON list of text
  divergences text not null default '[]', -- JSON list
  steps integer not null default 0,
  model_calls integer not null default 0, -- those not made inside another model call
  tool_calls integer not null default 0,
  input_tokens integer,
  output_tokens integer,
  cached_input_tokens integer,
  reasoning_tokens integer,
  cache_write_tokens integer,
  cost_usd real, -- sum of the known ones, null when none is known
  unpriced integer not null default 0, -- model calls that are counted but have no known cost
  last_step_ns integer,
  entry integer not null references blob (id), -- JSON: how to start it again
  environment integer not null references blob (id), -- JSON
  input integer references blob (id), -- tagged JSON
  output integer references blob (id), -- tagged JSON
  start_passage integer references passage (id),
  end_passage integer references passage (id)
) strict""",
    "create index run_started on run (started_ns)",
    "create index run_parent on run (parent_run) where parent_run is not null",
    "create index run_start_passage on run (start_passage) where start_passage is not null",
    "create index run_end_passage on run (end_passage) where end_passage is not null",
    """\
create table step (
  -- One recorded unit of a run. Written at its start, so that a crash leaves evidence, and
  -- completed once at its end; after that only a missing price may arrive.
  key integer primary key,
  run integer not null references run (key),
  n integer not null check (n >= 1), -- 1-based, in order of start
  id text not null, -- 16 hex digits, the span id
  parent text, -- id of the enclosing step
  kind text not null check (kind in ('agent', 'model', 'tool', 'http', 'step', 'note')),
  name text not null,
  status text not null
    check (status in ('running', 'ok', 'error', 'cancelled', 'interrupted')),
  source text not null check (source in ('live', 'recorded', 'substituted', 'stubbed')),
  started_ns integer not null,
  ended_ns integer,
  start_seq integer not null, -- one counter a run for starts and ends
  end_seq integer,
  path text not null, -- scope, "/" separated
  ordinal integer not null, -- among steps of its kind in that scope
  fingerprint text, -- tagged hash of what it asked
  summary text not null,
  effect text check (effect in ('external', 'read', 'local')),
  model text,
  provider text,
  api text, -- wire format
  input_tokens integer,
  output_tokens integer,
  cached_input_tokens integer,
  reasoning_tokens integer,
  cache_write_tokens integer,
  cost_usd real,
  counted integer not null default 0 check (counted in (0, 1)), -- usage is in the run's totals
  ttft_ms real,
  error text, -- JSON {type, message, traceback}
  fidelity text check (fidelity in ('exact', 'lossy', 'opaque')),
  diverged integer not null default 0 check (diverged in (0, 1)),
  matched_step text, -- id of the parent run's step that answered this one
  callsite text,
  detail text not null default '{}', -- JSON: what only some kinds have
  input_kind text check (input_kind in ('value', 'request', 'conversation')),
  method text,
  url text,
  request_headers integer references blob (id), -- JSON [[name, value]], see reply_headers
  input integer references blob (id), -- the value, or the body up to its messages
  link integer references link (id), -- last message of the body
  tail integer references blob (id), -- the body after its messages
  output_kind text check (output_kind in ('value', 'reply')),
  output integer references blob (id), -- the value, or the body
  reply_status integer, -- HTTP status, 0 when nothing came
  reply_headers integer references blob (id), -- a null value stands for the length of the body
  complete integer check (complete in (0, 1)),
  failure text, -- JSON {type, message}
  messages integer references blob (id), -- JSON list of OpenTelemetry messages
  start_passage integer references passage (id),
  end_passage integer references passage (id),
  chunks blob, -- varints: length and microseconds since the one before, a chunk
  unique (run, n),
  unique (run, id)
) strict""",
    "create index step_slot on step (run, path, kind, ordinal)",
    "create index step_start_passage on step (start_passage) where start_passage is not null",
    "create index step_end_passage on step (end_passage) where end_passage is not null",
)

# Contentless: the text stands, compressed and once, in `passage`. Without column sizes, because
# nothing here is ranked.
M003_SEARCH = (
    """\
create virtual table search using fts5 (
  text, content = '', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2'
)""",
)

M004_AROUND = (
    """\
create table around (
  -- What happened around a step, beside what it was given and what came of it: text it printed,
  -- log records, what it touched outside the process, local variables where it raised. In pieces,
  -- written as they come, so that a crash leaves evidence. Rows never change.
  key integer primary key, -- pieces of one kind follow each other in this order
  run integer not null references run (key),
  n integer not null check (n >= 0), -- number of the step, 0: outside any step
  kind text not null check (kind in ('printed', 'logs', 'touched', 'locals', 'environment')),
  piece integer not null references blob (id) -- JSON
) strict""",
    "create index around_step on around (run, n)",
)

M005_DRAWS = (
    """\
create table draw (
  -- What a run read of the clock and drew of chance, in the scope where it stood: a re-execution
  -- reads the same. A row is added at each step, with what was drawn since the one before.
  key integer primary key,
  run integer not null references run (key),
  path text not null, -- scope, "/" separated
  kind text not null check (kind in ('clock', 'bytes', 'secret', 'uuid', 'random', 'numpy')),
  data blob not null -- for each: place in the sequence, then nanoseconds or length and bytes
) strict""",
    "create index draw_run on draw (run)",
)

M006_QUESTIONS = (
    """\
create table question (
  -- What a re-execution asks whoever watches it, before it goes on. Its process adds a row and
  -- waits; the first answer wins, from a page or a terminal. Of no use once the run has ended.
  key integer primary key,
  run integer not null references run (key),
  id text not null unique, -- 16 hex digits
  kind text not null check (kind in ('model', 'tool', 'http', 'step')),
  name text not null,
  about integer not null references blob (id), -- JSON: what is asked, why, what may be answered
  asked_ns integer not null,
  seen_ns integer not null, -- when somebody was last there to answer it
  state text not null check (state in ('open', 'answered', 'given_up')),
  answer text, -- JSON; without its secrets once the process has it
  ended_ns integer
) strict""",
    "create index question_run on question (run)",
    "create index question_open on question (run) where state = 'open'",
)
