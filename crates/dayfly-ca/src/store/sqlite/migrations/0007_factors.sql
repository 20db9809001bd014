-- Authenticators: what one-time codes (RFC 6238) are made from, and when codes were used. A wrong one delays the next.
CREATE TABLE authenticator (
    subject TEXT PRIMARY KEY,
    secret BLOB NOT NULL,
    -- When the first code was given; NULL until then. Only a confirmed one proves anything.
    confirmed_at INTEGER,
    -- The time step of the last code that was used: no code of it, or of an earlier one, is good again.
    last_step INTEGER NOT NULL DEFAULT 0,
    -- Wrong codes since the last right one, and until when no code is looked at.
    failures INTEGER NOT NULL DEFAULT 0,
    retry_at INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Second factors that were proven, each with the key that signed the request: another key of the same person has proven nothing.
CREATE TABLE factor_proof (
    subject TEXT NOT NULL,
    key_fingerprint TEXT NOT NULL,
    method TEXT NOT NULL,
    proven_at INTEGER NOT NULL,
    PRIMARY KEY (subject, key_fingerprint, method)
) STRICT;
