-- Which addresses a request may not reach (base/address.c), as text and as they would be connected
-- to.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\i :functions
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
CREATE FUNCTION judge(VARIADIC addresses text[]) RETURNS TABLE (kind text, address text)
LANGUAGE sql AS $$
    SELECT coalesce(unit_address(a), 'name'), a FROM unnest(addresses) WITH ORDINALITY AS u(a, n)
    ORDER BY n
$$;

-- where clouds give keys to whoever asks, and all that is link-local
SELECT *
FROM judge('169.254.169.254', '169.254.170.2', '169.254.170.23', '169.254.0.0', '169.254.255.255',
    '100.100.100.200', '168.63.129.16', '192.0.0.192', '[fd00:ec2::254]', '[fd00:ec2::23]',
    'fd00:ec2::1', '[fd20:ce::254]');
-- the same in the clothes of others
SELECT *
FROM judge('[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '[::169.254.169.254]',
    '[::ffff:0:169.254.169.254]', '[64:ff9b::169.254.169.254]', '[64:ff9b:1::169.254.169.254]',
    '[2002:a9fe:a9fe::]', '[0:0:0:0:0:ffff:a9fe:aa02]', '169.254.169.254.',
    '[::ffff:169.254.169.254].');
-- their neighbours
SELECT *
FROM judge('169.253.255.255', '169.255.0.0', '100.100.100.199', '100.100.100.201', '168.63.129.15',
    '168.63.129.17', '192.0.0.191', '192.0.1.0', '[fd00:ec1::254]', '[fd00:ec3::254]',
    '[fd20:cd::254]', '[fd20:ce0::254]', '[2002:a9ff:a9fe::]', '[64:ff9b::8.8.8.8]',
    '[64:ff9b:1::8.8.8.8]', '[64:ff9b:2::169.254.169.254]');
-- loopback, private and the like, first and last of each
SELECT *
FROM judge('0.0.0.0', '0.255.255.255', '10.0.0.0', '10.255.255.255', '100.64.0.0',
    '100.127.255.255', '127.0.0.1', '127.255.255.255', '172.16.0.0', '172.31.255.255', '192.0.0.0',
    '192.0.0.255', '192.168.0.0', '192.168.255.255', '198.18.0.0', '198.19.255.255', '224.0.0.0',
    '255.255.255.255');
SELECT *
FROM judge('[::]', '[::1]', '[::ffff:127.0.0.1]', '[64:ff9b::10.0.0.1]', '[2002:7f00:1::]',
    '[fc00::]', '[fdff:ffff::1]', '[fe80::1]', '[fec0::1]', '[ff02::1]', '127.0.0.1.');
-- the public ones around them
SELECT *
FROM judge('1.0.0.0', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0',
    '126.255.255.255', '128.0.0.0', '172.15.255.255', '172.32.0.0', '192.167.255.255',
    '192.169.0.0', '198.17.255.255', '198.20.0.0', '223.255.255.255', '8.8.8.8',
    '[2001:4860:4860::8888]', '[2606:4700::1111]', '[fbff::1]', '[::ffff:8.8.8.8]',
    '[2002:808:808::]');
-- what is no address: libcurl writes such hosts as addresses before they are judged, and what is a
-- name is judged when it is resolved
SELECT *
FROM judge('', '.', '[]', 'localhost', 'metadata.google.internal', '0xa9fea9fe', '2852039166',
    '169.254.43518', '0251.0376.0251.0376', '169.254.169.254..', '169.254.169.254 ',
    'fd00:ec2::254]', '1:2:3:4:5:6:7:8:9', repeat('1', 500));
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
