-- A part of each day (base/window.c): when it is open, and when it opens next. Berlin's clocks go
-- from 2:00 to 3:00 on 29 March 2026, and from 3:00 to 2:00 on 25 October 2026.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\i :functions
\pset format unaligned
\pset tuples_only on
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
-- open, closed, over midnight, all day
SELECT unit_window('09:00-17:00 UTC', '2026-01-01 08:59:59.999');
SELECT unit_window('09:00-17:00 UTC', '2026-01-01 09:00');
SELECT unit_window('09:00-17:00 UTC', '2026-01-01 16:59:59');
SELECT unit_window('09:00-17:00 UTC', '2026-01-01 17:00');
SELECT unit_window('22:00-05:00 UTC', '2026-01-01 04:59');
SELECT unit_window('22:00-05:00 UTC', '2026-01-01 05:00');
SELECT unit_window('22:00-05:00 UTC', '2026-01-01 23:00');
SELECT unit_window('00:00-00:00 UTC', '2026-01-01 12:00');
SELECT unit_window('22:00-24:00 UTC', '2026-01-01 12:00');
-- the zone: of the session without one
SELECT unit_window('22:00-05:00 Europe/Berlin', '2026-07-01 12:00');
SELECT unit_window('22:00-05:00 Europe/Berlin', '2026-12-01 12:00');
SELECT unit_window('22:00-05:00', '2026-12-01 12:00');
-- clocks go forward: an opening time that does not exist is as much later
SELECT unit_window('02:30-05:00 Europe/Berlin', '2026-03-28 12:00');
SELECT unit_window('02:30-05:00 Europe/Berlin', '2026-03-29 01:15');
SELECT unit_window('02:30-05:00 Europe/Berlin', '2026-03-29 01:30');
-- a window within the gap does not open that day
SELECT unit_window('02:10-02:50 Europe/Berlin', '2026-03-29 00:30');
SELECT unit_window('02:10-02:50 Europe/Berlin', '2026-03-29 01:10');
-- clocks go back: it is open in both hours
SELECT unit_window('02:10-02:50 Europe/Berlin', '2026-10-25 00:20');
SELECT unit_window('02:10-02:50 Europe/Berlin', '2026-10-25 00:55');
SELECT unit_window('02:10-02:50 Europe/Berlin', '2026-10-25 01:20');
-- what is none
SELECT unit_window('9:00-17:00', now());
SELECT unit_window('09:00', now());
SELECT unit_window('09:00-25:00', now());
SELECT unit_window('09:60-17:00', now());
SELECT unit_window('09:00-17:00Berlin', now());
SELECT unit_window('09:00-17:00 Europe/Nowhere', now());
SELECT unit_window('', now());
