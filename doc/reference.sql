-- doc/reference.sql: the page doc/reference.md, a line a row.  doc/reference.sh runs it.
SET search_path = pg_catalog, public;

-- Members of the extension.
CREATE TEMP VIEW member AS
SELECT d.classid, d.objid
FROM pg_depend d
JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'batchinf' AND d.deptype = 'e';

-- A comment after its name: a first sentence, then its words as a list.
CREATE FUNCTION pg_temp.entry(head text, comment text) RETURNS text LANGUAGE sql AS $$
    SELECT '- ' || head || ': ' ||
           string_agg(CASE WHEN n = 1 THEN l
                           ELSE regexp_replace(l, '^(\w[\w ]*):', '  - `\1`:') END,
                      E'\n' ORDER BY n)
    FROM regexp_split_to_table(COALESCE(comment, ''), E'\n') WITH ORDINALITY t(l, n) $$;

CREATE FUNCTION pg_temp.columns(relation regclass) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT pg_temp.entry(format('`%s` %s', a.attname, format_type(a.atttypid, a.atttypmod)),
                         col_description(a.attrelid, a.attnum))
    FROM pg_attribute a
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum $$;

-- Views or tables with their columns.
CREATE FUNCTION pg_temp.relations(kind "char", schema name) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT r.oid::regclass AS name, obj_description(r.oid, 'pg_class') AS comment
             FROM pg_class r JOIN member m ON m.objid = r.oid AND m.classid = 'pg_class'::regclass
             WHERE r.relkind = kind AND r.relnamespace = schema::regnamespace
             ORDER BY r.relname COLLATE "C" LOOP
        RETURN QUERY VALUES (''), ('### ' || c.name), (''), (c.comment), ('');
        RETURN QUERY SELECT pg_temp.columns(c.name);
    END LOOP;
END $$;

SELECT line FROM (VALUES
    ('# Reference'), (''),
    ('`make reference` writes this page from the comments in the catalog: change them in'),
    ('`sql/batchinf.sql`, and those of settings in `src/base/guc.c`.'), (''),
    ('[Functions](#functions) · [Views](#views) · [Settings](#settings) · [Tables](#tables)'), (''),
    ('Options of servers and user mappings: [options.md](options.md).'),
    ('Words: [words.md](words.md).'),
    (''), ('## Functions')) t(line);
SELECT line FROM (
    SELECT p.proname, p.oid, format(E'\n### %s\n\n```text\n%s%s(%s)%s\n```\n\n%s', p.proname,
               CASE p.prokind WHEN 'p' THEN 'CALL ' ELSE '' END, p.proname,
               CASE WHEN a.list = '' THEN '' ELSE E'\n    ' || a.list || E'\n' END,
               CASE WHEN p.prokind = 'p' THEN ''
                    -- a column a line, where one line has no room for all
                    WHEN length(r.result) > 90
                        THEN ' → ' || replace(regexp_replace(r.result, '^TABLE\((.*)\)$',
                                                             E'TABLE(\n    \\1\n)'),
                                              ', ', E',\n    ')
                    ELSE ' → ' || r.result END,
               obj_description(p.oid, 'pg_proc')) AS line
    FROM pg_proc p
    JOIN member m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass
    CROSS JOIN LATERAL (SELECT pg_get_function_result(p.oid)) r(result)
    CROSS JOIN LATERAL (
        SELECT replace(regexp_replace(pg_get_function_arguments(p.oid),
                                      '::[a-z_ ]+(\[\])?', '', 'g'),
                       ', ', E',\n    ')) a(list)
    WHERE p.pronamespace = 'public'::regnamespace) f
ORDER BY proname COLLATE "C", oid;

SELECT E'\n## Views';
SELECT pg_temp.relations('v', 'public');

SELECT E'\n## Settings\n\nIn parentheses: the default, and who sets it.\n';
SELECT pg_temp.entry(
    format('`%s` (%s; %s)', s.name,
           CASE WHEN s.boot_val = '' THEN 'empty'
                ELSE '`' || s.boot_val || COALESCE(' ' || s.unit, '') || '`' END,
           CASE s.context WHEN 'sighup' THEN 'configuration file' ELSE s.context END),
    concat_ws(' ', s.short_desc, s.extra_desc))
FROM pg_settings s
WHERE s.name LIKE 'batchinf.%'
ORDER BY s.name COLLATE "C";

SELECT E'\n## Tables\n\nOnly superusers read them; they may change with each version.';
SELECT pg_temp.relations('r', 'batchinf');
