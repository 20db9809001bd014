-- Rotations: which key of an authority gives way to which, and how far that is. What is over stays: it tells which keys an authority has had.
CREATE TABLE rotation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    purpose TEXT NOT NULL,
    -- The keys, OpenSSH lines.
    old_key TEXT NOT NULL,
    new_key TEXT NOT NULL,
    -- The file that the new key was made in; NULL where the configuration names who holds it.
    file TEXT,
    -- The stage and its times, JSON.
    stage TEXT NOT NULL,
    is_over INTEGER NOT NULL DEFAULT 0 CHECK (is_over IN (0, 1)),
    -- Who may be left behind, a JSON array.
    despite TEXT NOT NULL DEFAULT '[]',
    -- The old key's word for the new one: an armored SSHSIG.
    endorsement TEXT,
    started_at INTEGER NOT NULL
) STRICT;

-- An authority has one rotation at a time.
CREATE UNIQUE INDEX rotation_under_way ON rotation (purpose) WHERE is_over = 0;

-- A key takes another's place once. Where that was given up it may be tried again.
CREATE UNIQUE INDEX rotation_new_key ON rotation (new_key) WHERE instr(stage, 'abandoned') = 0;

-- What a bastion was last seen to trust: when, and the keys' fingerprints, a JSON array.
ALTER TABLE bastion ADD COLUMN seen_at INTEGER;
ALTER TABLE bastion ADD COLUMN trusted TEXT NOT NULL DEFAULT '[]';
