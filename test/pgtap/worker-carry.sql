-- Custom settings, as carry.sql has them, in a visit.
\i carry.sql
