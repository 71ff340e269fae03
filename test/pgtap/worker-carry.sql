-- The tests of carry.sql, with the background worker.
\i carry.sql
