-- The log. Only ever appended to: the triggers hold against programs that write here by mistake, the links against everybody else.
CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    event TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER log_is_in_order BEFORE INSERT ON log
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM log)
BEGIN SELECT raise(ABORT, 'rows of the log are numbered one after the other'); END;

CREATE TRIGGER log_is_never_changed BEFORE UPDATE ON log
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;

CREATE TRIGGER log_is_never_cut BEFORE DELETE ON log
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;

-- The latest time that the CA's own host put into the log, in Unix milliseconds. Bastions' clocks do not move it.
CREATE TABLE clock (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    latest INTEGER NOT NULL
) STRICT;
INSERT INTO clock (only, latest) VALUES (1, 0);

-- A key is enrolled once, for one holder of either kind.
CREATE TABLE enrolled_key (
    fingerprint TEXT PRIMARY KEY,
    public_key TEXT NOT NULL
) STRICT;

-- Sets are JSON arrays: they are only ever read whole.
CREATE TABLE person (
    subject TEXT PRIMARY KEY,
    key_fingerprint TEXT NOT NULL UNIQUE REFERENCES enrolled_key (fingerprint),
    groups TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1))
) STRICT;

CREATE TABLE bastion (
    name TEXT PRIMARY KEY,
    key_fingerprint TEXT NOT NULL UNIQUE REFERENCES enrolled_key (fingerprint),
    targets TEXT NOT NULL,
    dials_from TEXT NOT NULL,
    host_names TEXT NOT NULL,
    address TEXT,
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    -- The number of its last event that is in the log.
    last_event INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE certificate (
    serial INTEGER PRIMARY KEY,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    subject TEXT NOT NULL REFERENCES person (subject),
    ends_at INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    parent_serial INTEGER NOT NULL REFERENCES certificate (serial),
    -- The session certificate's, where one was minted.
    serial INTEGER UNIQUE,
    bastion TEXT NOT NULL REFERENCES bastion (name),
    target TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE inner_host_key (
    fingerprint TEXT PRIMARY KEY,
    bastion TEXT NOT NULL REFERENCES bastion (name),
    target TEXT NOT NULL
) STRICT;
