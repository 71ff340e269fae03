-- What ALTER DATABASE and ALTER ROLE set for everybody does not reach a visit.
\i settings.sql
