"""The database: SQLite in a file, or PostgreSQL by URL. Its tables, how it is opened, and its errors as ours.

Both are used with what is the same in both; the differences are all here. A transaction that has returned is on the
disk: SQLite in WAL syncs on each commit (synchronous=FULL), and PostgreSQL does by default.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from overpaint.errors import FolderInUseError, StoreError, StoreFullError
from overpaint.server.records import STATES

LAYOUT = 1  # of the tables and of the JSON in them; another one is refused
_PATIENCE = 10  # seconds that a writer waits for another process's transaction, and a connection for PostgreSQL
_CONNECTIONS = 8
_OPENING = 0x6F76657270616E74  # the name of PostgreSQL's lock for making the tables
_SERVING = 0x6F76657273657276  # and of the one that a server holds
_POSTGRES_FULL = "53100"  # disk_full

_all = MetaData()

# one row: the layout, how many jobs were ever accepted, and how those ended that were forgotten since. Whoever adds
# or forgets jobs locks it, so that they take turns.
totals = Table(
    "overpaint_store",
    _all,
    Column("one", Integer, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("layout", Integer, nullable=False),
    Column("accepted", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("cancelled", BigInteger, nullable=False),
)

jobs = Table(
    "overpaint_jobs",
    _all,
    Column("id", String(32), primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("owner", String(100), nullable=False),
    Column("state", String(10), nullable=False),
    Column("asked", Text, nullable=False),
    Column("created", Float(53), nullable=False),
    Column("started", Float(53)),
    Column("finished", Float(53), index=True),
    Column("deadline", Float(53)),
    Column("cost", BigInteger, nullable=False),
    Column("sweep", String(32)),
    Column("attempts", Integer, nullable=False),
    Column("cancel_asked", Boolean, nullable=False),
    Column("key", String(255)),
    Column("fingerprint", String(64), nullable=False),
    Column("failure", Text),
    Column("made", Text),
    UniqueConstraint("owner", "key"),
    CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})"),
    CheckConstraint("(finished IS NULL) = (state IN ('queued', 'running'))"),
    CheckConstraint("(failure IS NOT NULL) = (state = 'failed')"),
    CheckConstraint("(made IS NOT NULL) = (state = 'done')"),
    Index("overpaint_jobs_waiting", "state", "number"),
    Index("overpaint_jobs_of_sweep", "sweep", "number"),
    Index("overpaint_jobs_of_owner", "owner", "number"),
)

inputs = Table(  # the files that a job needs
    "overpaint_inputs",
    _all,
    Column("job", String(32), ForeignKey("overpaint_jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", String(64), primary_key=True, index=True),
)

pictures = Table(
    "overpaint_pictures",
    _all,
    Column("id", String(32), primary_key=True),
    Column("owner", String(100), nullable=False),
    Column("digest", String(64), nullable=False, index=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("notes", Text, nullable=False),
    Column("created", Float(53), nullable=False, index=True),
)


class Database:
    """An open database whose tables are there. For any number of threads.

    Raises:
        StoreError: from every use, where the database cannot be reached or written; the next use tries again.
    """

    def __init__(self, where: str | os.PathLike[str]) -> None:
        url = _url(where)
        self.name = url.render_as_string(hide_password=True)
        self._engine = _engine(url)
        self._held: Connection | None = None
        self._writer = self._engine.execution_options(writes=True)
        # SQLite has one writer at a time: threads wait here, where they are woken at once, not in its polling
        self._turn: AbstractContextManager[Any] = threading.Lock() if url.drivername == "sqlite" else nullcontext()
        try:
            with self.writing() as c:
                _make_tables(c, self.name)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """For one statement: it sees what was committed before it, and nothing by halves."""
        with _our_errors(self.name), self._engine.begin() as c:
            yield c

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: all of it is on the disk at the end, or nothing is."""
        with _our_errors(self.name), self._turn, self._writer.begin() as c:
            yield c

    def hold(self) -> None:
        """Keep other servers out of a PostgreSQL until it is closed; a SQLite file is in a folder that is held."""
        if self._engine.dialect.name != "postgresql" or self._held is not None:
            return
        with _our_errors(self.name):
            c = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if not c.execute(text("SELECT pg_try_advisory_lock(:name)"), {"name": _SERVING}).scalar_one():
                c.close()
                raise FolderInUseError(f"another server works with {self.name}; give this one a database of its own")
            self._held = c

    def close(self) -> None:
        if self._held is not None:
            self._held.invalidate()  # ends its session, and with it the lock
            self._held.close()
            self._held = None
        self._engine.dispose()


def _url(where: str | os.PathLike[str]) -> URL:
    if "://" not in os.fspath(where):
        return URL.create("sqlite", database=str(Path(where).absolute()))
    try:
        url = make_url(os.fspath(where))
    except (SQLAlchemyError, ValueError) as e:
        raise StoreError("the database's URL cannot be read; sqlite:///FILE or postgresql://USER@HOST/NAME can") from e
    kind = url.get_backend_name()
    if kind == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if kind != "sqlite" or url.database in (None, "", ":memory:"):
        raise StoreError(f"{url.render_as_string()} is no database for jobs; a SQLite file or PostgreSQL is")
    return url.set(drivername="sqlite")


def _engine(url: URL) -> Engine:
    pool = {"pool_size": _CONNECTIONS, "max_overflow": _CONNECTIONS}
    if url.drivername != "sqlite":
        # a connection that the server has dropped is found out before it is used
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": _PATIENCE}, **pool)
    engine = create_engine(url, connect_args={"timeout": _PATIENCE}, **pool)

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # transactions begin where `_begun` says, not where the driver thinks
        _into_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # a transaction that will write says so at once: one that finds out later cannot wait for its turn
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _into_wal(connection: sqlite3.Connection) -> None:
    """Two processes may open an empty database at once, and SQLite changes the journal's mode without waiting."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as e:
            busy = getattr(e, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > until:
                raise
        time.sleep(0.01)


def _make_tables(c: Connection, name: str) -> None:
    if c.dialect.name == "postgresql":  # elsewhere the transaction itself keeps others out
        c.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": _OPENING})
    if not inspect(c).has_table(totals.name):
        _all.create_all(c)
        c.execute(insert(totals).values(one=1, layout=LAYOUT, accepted=0, done=0, failed=0, cancelled=0))
    layout = c.execute(select(totals.c.layout)).scalar_one()
    if layout != LAYOUT:
        age = "newer" if layout > LAYOUT else "older"
        raise StoreError(
            f"{name} was made by {'a' if age == 'newer' else 'an'} {age} Overpaint: its tables have layout {layout}, "
            f"this program uses {LAYOUT}. Run that version, or give an empty database"
        )


@contextmanager
def _our_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as e:  # the latter from what `_connected` does
        cause = e.orig if isinstance(e, DBAPIError) and e.orig is not None else e
        said = (str(cause).splitlines() or [type(cause).__name__])[0]
        if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StoreFullError(f"{name}: {said}") from e
        if getattr(cause, "sqlstate", None) == _POSTGRES_FULL:
            raise StoreFullError(f"{name}: {said}") from e
        raise StoreError(f"{name} cannot be used: {said}") from e
