-- Whose fault an error is, as blame.sql has it, in a visit.
\i blame.sql
