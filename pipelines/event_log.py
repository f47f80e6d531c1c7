"""Dagster's event log in one SQLite file, with one engine for the life of the process.

Dagster's own SQLite storage makes a new SQLAlchemy engine for each statement, so that each is compiled anew; with some
ten events a step that takes most of the time of a run with many small steps. Named in `dagster.yaml`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from sqlalchemy import Connection, Engine, NullPool, create_engine


class OneEngineEventLogStorage(ConsolidatedSqliteEventLogStorage):
    """`ConsolidatedSqliteEventLogStorage` whose statements are compiled once. Configuration: `base_dir`."""

    @cached_property
    def _engine(self) -> Engine:
        return create_engine(self._conn_string, poolclass=NullPool, connect_args={"timeout": 20})

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._engine.connect() as connection, connection.begin():
            # The log can be made again by a rebuild: losing the last events in a power cut is no harm.
            connection.exec_driver_sql("PRAGMA synchronous=OFF")
            yield connection
