-- Hosts: who may enrol by which token, with which key they did, and what they were last seen to hold.
CREATE TABLE host (
    name TEXT PRIMARY KEY,
    names TEXT NOT NULL,
    -- The target that it is; targets themselves stand in the configuration.
    target TEXT,
    -- SHA-256 of the newest token. It stays when it was used, so that a second use is told from a guess.
    token_digest BLOB NOT NULL UNIQUE CHECK (length(token_digest) = 32),
    token_expires_at INTEGER NOT NULL,
    token_used INTEGER NOT NULL DEFAULT 0 CHECK (token_used IN (0, 1)),
    key_fingerprint TEXT UNIQUE REFERENCES enrolled_key (fingerprint),
    certificate_serial INTEGER,
    certificate_ends_at INTEGER,
    -- The last report: when, the list's number and digest, when it was last the current one, and the CA keys, a JSON array.
    seen_at INTEGER,
    krl_number INTEGER,
    krl_digest TEXT,
    krl_current_at INTEGER,
    trusted TEXT NOT NULL DEFAULT '[]',
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1))
) STRICT;
