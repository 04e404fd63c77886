"""How does a database come to hold very many closed cases as if they had come one by one?

Closed cases that a loop really had are copied inside PostgreSQL, in every table where a closed case stays for good, and
the inbox; each copy has ids and moments of its own. What goes away when a survey has expired (timers, surveys, handles)
is not copied. No index is dropped for it. A stored case takes 23 kB with its indexes.
While it is filled the database writes neither whole pages to its log nor vacuums: both are done once at the end.
"""

import asyncio

import asyncpg

from tests.support.floor import until

SETTLED_SECONDS = 60.0
PORTION = 30
"""Copies of all templates in one transaction."""
TABLES = (
    ("intake", "customers"), ("intake", "identifiers"), ("intake", "conversations"), ("intake", "cases"),
    ("intake", "inbox"), ("router", "cases"), ("router", "inbox"), ("followup", "cases"), ("followup", "inbox"),
    ("notify", "cases"), ("notify", "deliveries"), ("notify", "inbox"),
    ("desk", "cases"), ("desk", "timeline"), ("desk", "clocks"), ("desk", "deliveries"),
)  # fmt: skip
TEMPLATE = """
-- The statement that keeps what a table has now as the templates of its copies.
SELECT format('CREATE TABLE templates.%I AS TABLE %I.%I', $1::text || '_' || $2::text, $1, $2)
"""
COPY = """
-- The statement that stores copies with these numbers: ids are others, but the same in every table; a copy is as many
-- seconds older as its number says.
SELECT format(
    'INSERT INTO %I.%I (%s) SELECT %s FROM templates.%I, generate_series($1::bigint, $2::bigint) AS copies (number)',
    table_schema, table_name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position),
    string_agg(format(CASE
        WHEN data_type = 'uuid' THEN 'md5(%I::text || number)::uuid'
        WHEN column_name IN ('conversation_id', 'case_number', 'value', 'provider_ref')
            THEN 'left(md5(%I || '':'' || number), 16)'
        WHEN data_type = 'timestamp with time zone' THEN '%I - number * interval ''1 second'''
        ELSE '%I'
    END, column_name), ', ' ORDER BY ordinal_position),
    table_schema || '_' || table_name)
FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 AND is_generated = 'NEVER'
GROUP BY table_schema, table_name
"""
HASTE = (
    "ALTER SYSTEM SET full_page_writes = off",
    "ALTER SYSTEM SET autovacuum = off",
    "SELECT pg_reload_conf()",
)
REST = (
    "ALTER SYSTEM RESET full_page_writes",
    "ALTER SYSTEM RESET autovacuum",
    "SELECT pg_reload_conf()",
    "VACUUM (ANALYZE)",
    "CHECKPOINT",
)
"""A crash meanwhile would cost the database, which nobody else uses."""
SETTLED = """
-- Whether everybody has heard that the templates are closed, and nothing of them is on its way.
SELECT (SELECT count(*) FROM desk.cases WHERE state = 'closed') = $1
    AND (SELECT count(*) FROM intake.cases WHERE state = 'closed') = $1
    AND (SELECT count(*) FROM notify.cases WHERE state = 'closed') = $1
    AND NOT EXISTS (SELECT FROM notify.deliveries WHERE state IN ('queued', 'sending', 'unknown'))
"""


async def keep_templates(connection: asyncpg.Connection, cases: int) -> None:
    """Keep so many closed cases, which are all there are, as the templates of copies, when all have heard of them."""

    async def settled() -> bool:
        return bool(await connection.fetchval(SETTLED, cases))

    await until(settled, SETTLED_SECONDS)
    await connection.execute("CREATE SCHEMA templates")
    for schema, table in TABLES:
        await keep(connection, schema, table)


async def keep(connection: asyncpg.Connection, schema: str, table: str) -> None:
    """Keep what this table has now as the templates of its copies."""
    await connection.execute(await connection.fetchval(TEMPLATE, schema, table))


async def fill(dsn: str, first: int, last: int) -> None:
    """Store the copies with these numbers, each table by a connection of its own, and leave nothing to be tidied up."""
    connection = await asyncpg.connect(dsn)
    for statement in HASTE:
        await connection.execute(statement)
    await asyncio.gather(*(copy(dsn, schema, table, first, last) for schema, table in TABLES))
    for statement in REST:
        await connection.execute(statement)
    await connection.close()


async def copy(dsn: str, schema: str, table: str, first: int, last: int) -> None:
    """Store the copies of this table's templates with these numbers, each a row of its own."""
    connection = await asyncpg.connect(dsn)
    statement = await connection.fetchval(COPY, schema, table)
    for start in range(first, last + 1, PORTION):
        await connection.execute(statement, start, min(start + PORTION - 1, last))
    await connection.close()
