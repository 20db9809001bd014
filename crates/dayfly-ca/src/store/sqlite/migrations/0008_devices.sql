-- Devices: whose each is, by which key it is known, and what it told of itself last.
CREATE TABLE device (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL REFERENCES person (subject),
    key_fingerprint TEXT NOT NULL UNIQUE REFERENCES enrolled_key (fingerprint),
    added_at INTEGER NOT NULL,
    -- NULL: it waits for approval.
    approved_at INTEGER,
    seen_at INTEGER NOT NULL,
    -- JSON. Self-reported: whoever rules the device rules it.
    posture TEXT NOT NULL,
    -- An id and a key stay taken: neither comes back as another device.
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1))
) STRICT;

CREATE INDEX device_of_owner ON device (owner);
