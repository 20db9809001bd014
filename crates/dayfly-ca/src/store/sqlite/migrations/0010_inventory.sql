-- What the sources of the inventory said last, so that a CA that is started again knows its targets.
CREATE TABLE inventory_source (
    name TEXT PRIMARY KEY,
    -- What was read, in words.
    place TEXT NOT NULL,
    -- The targets, a JSON array; NULL if it never said anything that could be used.
    targets TEXT,
    -- When it said that last, and when it was read last.
    read_at INTEGER NOT NULL,
    tried_at INTEGER NOT NULL,
    -- What is wrong with it, and since when; NULL if nothing is.
    failure_kind TEXT,
    failure TEXT,
    failed_since INTEGER
) STRICT;
