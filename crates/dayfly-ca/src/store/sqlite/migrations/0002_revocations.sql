-- What a revocation by role, grant or key finds certificates by. NULL where the log does not tell.
ALTER TABLE certificate ADD COLUMN role TEXT;
ALTER TABLE certificate ADD COLUMN grant_id TEXT;
ALTER TABLE certificate ADD COLUMN key_fingerprint TEXT;
ALTER TABLE certificate ADD COLUMN issued_at INTEGER;

CREATE TEMPORARY TABLE told AS
    SELECT json_extract(event, '$.serial') AS serial, json_extract(event, '$.role') AS role, json_extract(event, '$.facts.grant') AS grant_id,
        json_extract(event, '$.facts.key') AS key_fingerprint, unixepoch(json_extract(event, '$.time')) AS issued_at
    FROM log WHERE json_extract(event, '$.event') = 'certificate.issued';
CREATE INDEX temp.told_by_serial ON told (serial);
UPDATE certificate SET role = told.role, grant_id = told.grant_id, key_fingerprint = told.key_fingerprint, issued_at = told.issued_at
    FROM told WHERE told.serial = certificate.serial;
DROP TABLE told;

CREATE INDEX certificate_by_end ON certificate (ends_at);

-- When a session's certificate ends, in Unix seconds. NULL where none was minted, or before this was kept: it lived for a minute.
ALTER TABLE session ADD COLUMN ends_at INTEGER;

CREATE INDEX session_by_end ON session (ends_at);

-- Revocations are added and never changed. Those that have ended stay, as what was done.
CREATE TABLE revocation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    -- Unix seconds.
    revoked_at INTEGER NOT NULL,
    revoked_by TEXT NOT NULL,
    reason TEXT,
    -- The first second at which it no longer counts; NULL: for good.
    ends_at INTEGER
) STRICT;

CREATE INDEX revocation_by_value ON revocation (kind, value);

CREATE TRIGGER revocation_is_never_changed BEFORE UPDATE ON revocation
BEGIN SELECT raise(ABORT, 'revocations are added, not changed'); END;

CREATE TRIGGER revocation_is_never_taken_back BEFORE DELETE ON revocation
BEGIN SELECT raise(ABORT, 'revocations are added, not taken back'); END;

-- The key revocation list as it was last published: its number, when, and the SHA-256 of what it says.
CREATE TABLE revocation_list (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    number INTEGER NOT NULL,
    generated_at INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT;
