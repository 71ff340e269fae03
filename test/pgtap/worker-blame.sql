-- The tests of blame.sql, with the background worker.
\i blame.sql
