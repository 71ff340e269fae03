-- What base/blot.c leaves of a text that quotes a secret, in each form of JSON and URLs; offline.
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\i :functions
\pset format unaligned
\pset tuples_only on
-- as it is, at each end, twice, beside another secret, cut, and of another case
SELECT unit_blot('sk-a/b+4711', t)
FROM (VALUES ('sk-a/b+4711'), ('bad key: sk-a/b+4711.'), ('sk-a/b+4711sk-a/b+4711'),
          ('sksk-a/b+4711 and another-secret'), ('sk-a/b+471'), ('k-a/b+4711'), ('SK-A/B+4711'),
          ('nothing'), ('')) v(t);
-- in JSON's escapes, wholly or in part, within JSON within JSON
SELECT unit_blot('sk-a/b+4711', t)
FROM (VALUES ('"sk-a\/b+4711"'),
          ('"\u0073\u006b\u002d\u0061\u002F\u0062\u002b\u0034\u0037\u0031\u0031"'),
          ('"\u0073k-a/b\u002B4711"'), ('"sk-a\\\/b+4711"'), ('"{\"k\":\"\\u0073k-a\\\/b+4711\"}"'),
          ('\\\\\\\\u0073k-a/b+4711'), ('"\nsk-a/b+4711\n"'), ('"\\sk-a/b+4711\\"'),
          ('"\u0173k-a/b+4711"'), ('"\u007'), ('\'), ('\\\\')) v(t);
-- in a URL's, within each other's
SELECT unit_blot('sk-a/b+4711', t)
FROM (VALUES ('?key=sk-a%2Fb%2B4711&x=%2'), ('%73%6b%2d%61%2f%62%2b%34%37%31%31'),
          ('sk-a%252fb%25252B4711'), ('sk\u002da%2Fb+4711'), ('%'), ('%25%25')) v(t);
-- characters that escapes begin with are characters of the secret
SELECT unit_blot(s, t)
FROM (VALUES ('a%41b\u0041c"d', 'x a%41b\u0041c"d y'), ('a%41b\u0041c"d', 'x a%2541b\\u0041c\"d y'),
          ('\\\\\\\\', 'x\\\\\\\\\y'), ('\\\\\\\\key', '\\\\\\\\\\key'),
          ('%%%%%%%%', '%%%%%%%%%')) v(s, t);
-- documents: the members that are secrets, at any depth, lines included; ids are not
SELECT unit_blot(
    '{"client_email": "who@example.org", "private_key": "-----BEGIN\nabc\n-----END\n", '
    '"x": {"headers": {"Authorization": "a secret header"}}, '
    '"SecretAccessKey": "wJalr/XUtn", "Token": "FQoGZXIvYXdz"}',
    t)
FROM (VALUES ('who@example.org'), (E'-----BEGIN\nabc\n-----END\n'),
          ('"-----BEGIN\nabc\n-----END\n"'), ('"-----BEGIN\\nabc\\n-----END\\n"'),
          ('-----BEGIN%0Aabc%0A-----END%0A'), ('a secret header'),
          ('wJalr\/XUtn, FQoGZXIvYXdz')) v(t);
-- what is shorter than 8 characters is no secret
SELECT unit_blot(s, 'the test is testing 1234567 and 12345678')
FROM (VALUES (''), ('t'), ('the'), ('test'), ('testing'), ('12345678')) v(s);
-- long runs take no longer than their length
SELECT length(unit_blot('sk-a/b+4711', repeat('\', 1000000) || 'u0073')),
    length(unit_blot('sk-a/b+4711', repeat('%25', 1000000))),
    length(unit_blot('%%%%%%%%', repeat('%25', 300000) || 'x'));
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
