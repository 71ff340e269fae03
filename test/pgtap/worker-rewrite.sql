-- The tests of rewrite.sql, with the background worker.
\i rewrite.sql
