-- Others write the same rows at the same time as a visit.
\i contention.sql
