-- People who sign in at a provider have an account there, and no key that is enrolled.
PRAGMA defer_foreign_keys = ON;
CREATE TEMPORARY TABLE person_before AS SELECT subject, key_fingerprint, groups, disabled FROM person;
DROP TABLE person;
CREATE TABLE person (
    subject TEXT PRIMARY KEY,
    key_fingerprint TEXT UNIQUE REFERENCES enrolled_key (fingerprint),
    groups TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    -- The provider and its own id of the person, and how it calls them, which is only shown.
    issuer TEXT,
    issuer_subject TEXT,
    shown TEXT,
    UNIQUE (issuer, issuer_subject),
    CHECK ((issuer IS NULL) = (issuer_subject IS NULL))
) STRICT;
INSERT INTO person (subject, key_fingerprint, groups, disabled) SELECT subject, key_fingerprint, groups, disabled FROM person_before;
DROP TABLE person_before;

-- Keys that are signed in: never a token or code, only whose key counts until when.
CREATE TABLE sign_in (
    key_fingerprint TEXT PRIMARY KEY,
    subject TEXT NOT NULL REFERENCES person (subject),
    -- The provider's name; NULL for a machine's token.
    provider TEXT,
    issuer TEXT NOT NULL,
    issuer_subject TEXT NOT NULL,
    proven_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    is_ended INTEGER NOT NULL DEFAULT 0 CHECK (is_ended IN (0, 1)),
    -- A JSON object of texts.
    claims TEXT NOT NULL
) STRICT;

CREATE INDEX sign_in_by_end ON sign_in (ends_at);

-- Tokens that were used, by SHA-256, until they end by themselves.
CREATE TABLE used_token (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX used_token_by_end ON used_token (ends_at);
