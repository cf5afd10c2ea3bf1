"""The schema, as a list of migrations that only ever grows, and how it is brought up to date.

A name that was shipped never changes and neither does its SQL: change the schema by adding one.
The comments stand inside the statements, because SQLite keeps them there: the file explains
itself in any SQLite tool.
"""

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from tracer.store.schema import (
    M001_PAYLOADS,
    M002_RUNS,
    M003_SEARCH,
    M004_AROUND,
    M005_DRAWS,
    M006_QUESTIONS,
)
from tracer.store.schema_list import M007_LIST

if TYPE_CHECKING:
    from sqlite_utils import Database

SET_NAME = "tracer"

MIGRATIONS: dict[str, tuple[str, ...]] = {
    "m001_payloads": M001_PAYLOADS,
    "m002_runs": M002_RUNS,
    "m003_search": M003_SEARCH,
    "m004_around": M004_AROUND,
    "m005_draws": M005_DRAWS,
    "m006_questions": M006_QUESTIONS,
    "m007_list": M007_LIST,
}


def applied(conn: sqlite3.Connection) -> list[str] | None:
    """Names of our migrations this file has; `None` for a file without any table.

    Read with plain `sqlite3`, so that an agent's process never pays for importing sqlite-utils.
    """
    tables = {
        name
        for (name,) in conn.execute(
            "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%'"
            " escape '\\'"
        )
    }
    if not tables:
        return None
    if "_sqlite_migrations" not in tables:
        return []
    return [
        str(name)
        for (name,) in conn.execute(
            "select name from _sqlite_migrations where migration_set = ? order by id", (SET_NAME,)
        )
    ]


def unknown(names: list[str]) -> list[str]:
    """Those of `names` this tracer has never heard of: the file is from a newer one."""
    return [name for name in names if name not in MIGRATIONS]


def apply(conn: sqlite3.Connection) -> None:
    """Bring the schema up to date, in one transaction that other processes wait for."""
    # 90 ms to import, needed once in the life of a file.
    from sqlite_utils import Database, Migrations

    migrations = Migrations(SET_NAME)
    for name, statements in MIGRATIONS.items():
        migrations(name=name)(_runner(statements))
    conn.execute("begin immediate")
    try:
        # Plugins are the user's own code and have no business here.
        migrations.apply(Database(conn, execute_plugins=False, recursive_triggers=False))
        conn.execute("commit")
    except BaseException:
        if conn.in_transaction:
            conn.execute("rollback")
        raise


def schema_sql(conn: sqlite3.Connection) -> str:
    """The schema as it stands in the file, statement by statement, with its comments."""
    rows = conn.execute(
        "select sql from sqlite_master where sql is not null"
        " and name not like 'sqlite\\_%' escape '\\' and name not like 'search\\_%' escape '\\'"
        " and tbl_name <> '_sqlite_migrations' order by rowid"
    )
    return "\n\n".join(f"{sql};" for (sql,) in rows) + "\n"


def _runner(statements: tuple[str, ...]) -> "Callable[[Database], None]":
    def run(db: "Database") -> None:
        for statement in statements:
            db.conn.execute(statement)

    return run
