"""The layout of a CDC WONDER export: a quoted, tab-separated table, a total row, and the footer with the query."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from sources.synthetic.files import NOTICE
from sources.wonder.query import Query

# WONDER breaks footer lines after about this many characters.
_WIDTH: Final = 130
_DATE: Final = "Jan 1, 2025 12:00:00 PM"


def export(
    query: Query,
    dataset: str,
    counties: Sequence[tuple[str, str, Sequence[object]]],
    total: Sequence[object],
    *,
    caveats: Iterable[str] = (),
) -> bytes:
    """An export that answers `query` with rows of (name, 5-digit code, measures) and the measures of the total."""
    measures = "\t".join(query.measures)
    lines = [f'"Notes"\t"County"\t"County Code"\t{measures}']
    lines += [f'\t"{name}"\t"{code}"\t' + "\t".join(map(str, cells)) for name, code, cells in counties]
    lines.append('"Total"\t\t\t' + "\t".join(map(str, total)))
    lines += ['"---"', *_quoted([f"Dataset: {dataset}", "Query Parameters:"])]
    lines += _quoted(sorted(f"{f.parameter}: {'; '.join(f.choices)}" for f in query.filters))
    options = [f"{name}: {values[0]}" for name, values in query.options.items()]
    lines += _quoted(
        ["Group By: County", *options, "Rate Options: Default intercensal populations for years 2001-2009"]
    )
    lines += ['"---"', *_quoted([f"Help: See {query.page} for more information."])]
    lines += ['"---"', *_quoted([f"Query Date: {_DATE}"])]
    lines += ['"---"', *_quoted([f"Suggested Citation: None. {NOTICE.strip()}"])]
    lines += ['"---"', "Caveats:", *_quoted(f"{i}. {text}" for i, text in enumerate([NOTICE.strip(), *caveats], 1))]
    return ("\r\n".join(lines) + "\r\n").encode()


def _quoted(texts: Iterable[str]) -> list[str]:
    lines = [line for text in texts for line in textwrap.wrap(text, _WIDTH, break_long_words=False)]
    return ['"' + line.replace('"', '""') + '"' for line in lines]
