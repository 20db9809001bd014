-- How whoever a certificate was issued to had proven who they are, with what second factors, on what device: JSON. A session looks at its ages again.
-- NULL for certificates of before; none of those lives longer than a day.
ALTER TABLE certificate ADD COLUMN evidence TEXT;
