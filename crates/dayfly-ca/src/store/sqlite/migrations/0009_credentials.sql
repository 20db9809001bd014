-- Passkeys and security keys: each is one person's, who calls it something. Nothing here is secret.
CREATE TABLE credential (
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    method TEXT NOT NULL,
    -- A credential id in base64url, or a key's fingerprint.
    id TEXT NOT NULL UNIQUE,
    -- What its answers are judged by.
    material TEXT NOT NULL,
    -- The last count of its answers: one that does not count onwards may be one of two.
    counter INTEGER NOT NULL DEFAULT 0,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (subject, name)
) STRICT;
