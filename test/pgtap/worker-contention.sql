-- The tests of contention.sql, with the background worker.
\i contention.sql
