-- The tests of settings.sql, with the background worker.
\i settings.sql
