-- A target that changes meanwhile, as rewrite.sql has it, in a visit.
\i rewrite.sql
