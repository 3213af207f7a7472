"""The tables of a ledger file, and the numbered steps that lead to them.

`PRAGMA user_version` is the format: the number of steps of `MIGRATIONS` that were taken. `PRAGMA application_id` says
that the file is one of ours. Counters live in `cells` and `paces`, each with its present figures in one packed body
(`sqlite_rows`): a batch rewrites a cell whole, and a group of batches writes it once. Holds are kept for good; what
their entries say is shared by many of them and lies in `plans`, named by its SHA-256. `head` is the one row that every
group of writes updates, on condition that nobody else did: `groups` counts them, `owner` is the process that opened the
file, `time_us` the latest time that an answer can have carried, and `writer`, `seq`, `hash` where the audit chain ends;
`last_us`, `moved_us` and `seen_floor_us` are the times that the ledger itself keeps (`core.ledger.state`).
"""

APPLICATION_ID = 0x52656D74
"""`Remt`: what `file` and SQLite show of whose file it is."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
        """CREATE TABLE head (
            one INTEGER PRIMARY KEY CHECK (one = 1), groups INTEGER NOT NULL, owner TEXT NOT NULL,
            time_us INTEGER NOT NULL, last_us INTEGER NOT NULL, moved_us INTEGER NOT NULL,
            seen_floor_us INTEGER NOT NULL, epoch INTEGER NOT NULL, writer INTEGER NOT NULL, seq INTEGER NOT NULL,
            hash BLOB NOT NULL) STRICT""",
        """CREATE TABLE cells (
            key TEXT PRIMARY KEY, frozen INTEGER NOT NULL, body BLOB NOT NULL) STRICT, WITHOUT ROWID""",
        "CREATE TABLE paces (key TEXT PRIMARY KEY, arrival_us INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        """CREATE TABLE gates (
            key TEXT PRIMARY KEY, rung INTEGER NOT NULL, factor_permille INTEGER NOT NULL, until_us INTEGER NOT NULL,
            version INTEGER NOT NULL, reason TEXT NOT NULL) STRICT, WITHOUT ROWID""",
        "CREATE TABLE seen (key TEXT PRIMARY KEY, not_after_us INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        """CREATE TABLE begun (
            key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, hold TEXT NOT NULL, expires_us INTEGER NOT NULL,
            answer BLOB) STRICT, WITHOUT ROWID""",
        "CREATE INDEX begun_answered ON begun (expires_us) WHERE answer IS NOT NULL",
        "CREATE TABLE plans (hash BLOB PRIMARY KEY, entries BLOB NOT NULL) STRICT, WITHOUT ROWID",
        """CREATE TABLE holds (
            id TEXT PRIMARY KEY, state TEXT NOT NULL, admitted_us INTEGER NOT NULL, expires_us INTEGER NOT NULL,
            ended_us INTEGER NOT NULL, plan BLOB NOT NULL, body BLOB NOT NULL) STRICT, WITHOUT ROWID""",
        "CREATE INDEX holds_by_state ON holds (state, admitted_us)",
        """CREATE TABLE documents (
            kind TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE refusals_open (
            caller TEXT NOT NULL, reason TEXT NOT NULL, limited TEXT NOT NULL, body BLOB NOT NULL,
            PRIMARY KEY (caller, reason, limited)) STRICT, WITHOUT ROWID""",
        "CREATE TABLE writers (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
        # `mention` is the decision, hold or subject that a record is about, `also` a second one where there are two;
        # `until` makes it a range of decision ids: refusals that were counted together.
        """CREATE TABLE audit (
            writer INTEGER NOT NULL, seq INTEGER NOT NULL, time_us INTEGER NOT NULL, mention TEXT NOT NULL, also TEXT,
            until TEXT, body BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (writer, seq)) STRICT""",
        "CREATE INDEX audit_mention ON audit (mention) WHERE until IS NULL",
        "CREATE INDEX audit_also ON audit (also) WHERE also IS NOT NULL",
        "CREATE INDEX audit_refusals ON audit (mention, until) WHERE until IS NOT NULL",
        "CREATE TABLE checkpoints (id INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, line TEXT NOT NULL) STRICT",
    ),
)

FORMAT = len(MIGRATIONS)
"""What this version writes. It reads every format up to this one."""
