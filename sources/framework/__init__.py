"""What all sources share: how a source declares itself, the raw store, retrieval, and strict reading."""

from sources.framework.declare import Access, Need, Source, SourceFile, Table, Vintage
from sources.framework.retrieve import RawFile, Retrieval, Scope, Status, fingerprint

__all__ = [
    "Access",
    "Need",
    "RawFile",
    "Retrieval",
    "Scope",
    "Source",
    "SourceFile",
    "Status",
    "Table",
    "Vintage",
    "fingerprint",
]
