"""Dagster's event log in one SQLite file, with one engine and open connections for the life of the process.

Dagster's own SQLite storage opens the file, and compiles its statements, anew for each statement. With some ten events
a step, of several statements each, that takes most of the time of a run with many small steps. Named in `dagster.yaml`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import local
from typing import Any

from dagster import EventLogEntry
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.event import listens_for


class OneEngineEventLogStorage(ConsolidatedSqliteEventLogStorage):
    """`ConsolidatedSqliteEventLogStorage` that keeps its connections; an event is stored in one transaction.

    Configuration: `base_dir`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._current = local()
        self._there: set[str] = set()
        super().__init__(*args, **kwargs)

    @cached_property
    def _engine(self) -> Engine:
        engine = create_engine(self._conn_string, max_overflow=-1, connect_args={"timeout": 20})

        @listens_for(engine, "connect")
        def _prepare(connection: Any, _record: object) -> None:
            # The log can be made again by a rebuild: losing the last events in a power cut is no harm.
            connection.execute("PRAGMA synchronous=OFF")

        return engine

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        """The connection of the transaction that this thread is in, else a transaction of its own."""
        mine = getattr(self._current, "connection", None)
        if mine is not None:
            yield mine
            return
        with self._engine.connect() as connection, connection.begin():
            self._current.connection = connection
            try:
                yield connection
            finally:
                self._current.connection = None

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event with its tags and what it says of assets and checks, whole or not at all."""
        with self._connect():
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store several events, all or none."""
        with self._connect():
            super().store_event_batch(events)

    # Tables and columns that are there stay there: they are looked for once, not at each event.

    def has_table(self, table_name: str) -> bool:
        """Whether the file has this table."""
        if table_name not in self._there and super().has_table(table_name):
            self._there.add(table_name)
        return table_name in self._there

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        column = f"asset_keys.{column_name}"
        if column not in self._there and super()._has_asset_key_col_on_connection(conn, column_name):
            self._there.add(column)
        return column in self._there

    def dispose(self) -> None:
        """Close the connections."""
        super().dispose()  # type: ignore[no-untyped-call]
        self._engine.dispose()
