"""What the tests of the wage sources share: a retrieval that serves a folder, and writers of the agency's layouts."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl
import xlsxwriter

from schemas.errors import OwedError
from sources.framework.declare import Source
from sources.framework.retrieve import RawFile, Scope


class FolderRetrieval:
    """Serves files that lie in `<root>/<source>/<vintage>/`, under any accepted name; nothing else can be had."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self.scope = Scope()
        self.scratch = scratch
        self.used: list[RawFile] = []
        self.notes: dict[str, object] = {}

    def _find(self, source: Source, vintage: str, names: tuple[str, ...] | None) -> dict[str, Path | None]:
        folder = self.root / source.key / vintage
        found: dict[str, Path | None] = {}
        for file in source.vintage(vintage).files:
            if names is None or file.name in names:
                known = [n for name in (file.name, *file.accept) for n in (name, f"{name}.gz")]
                found[file.name] = next((folder / n for n in known if (folder / n).is_file()), None)
        return found

    def has(self, source: Source, vintage: str, names: tuple[str, ...] | None = None) -> bool:
        return None not in self._find(source, vintage, names).values()

    def obtain(self, source: Source, vintage: str, names: tuple[str, ...] | None = None) -> list[RawFile]:
        files = []
        for name, path in self._find(source, vintage, names).items():
            if path is None:
                raise OwedError(source=source.key, vintage=vintage, files=(name,), recipe=source.recipe)
            data = path.read_bytes()
            files.append(
                RawFile(
                    source=source.key,
                    vintage=vintage,
                    name=name,
                    path=path,
                    sha256=hashlib.sha256(data).hexdigest(),
                    bytes=len(data),
                    how="mirror",
                )
            )
        self.used += files
        return files


WORKBOOK_HEADERS = (
    *("Area\r\nCode", "St", "Cnty", "Own", "NAICS", "Year", "Qtr", "Area Type", "St Name", "Area", "Ownership"),
    *("Industry", "Annual Average\nStatus Code", "Annual Average\nEstablishment Count", "Annual Average\nEmployment"),
    *("Annual Total\nWages", "Annual Average\nWeekly Wage", "Annual Average\nPay"),
    *("Employment Location Quotient Relative to U.S.", "Total Wage Location Quotient Relative to U.S."),
)
OWNERS = {"0": "Total Covered", "1": "Federal Government", "2": "State Government", "3": "Local Government"}


def workbook_row(cell: dict[str, str]) -> list[str]:
    """One county row of the annual high-level workbook, numbers as text with thousands commas."""

    def grouped(number: str) -> str:
        return f"{int(number):,}" if number.isdigit() else number

    kind = cell.get("area_type", "County")
    return [
        *(cell["area"], cell["area"][:2], cell["area"][2:], cell["own"], cell["naics"], cell["year"], "A", kind),
        *("State", "Area", OWNERS.get(cell["own"], "Private"), "Industry", cell["status"], grouped(cell["estabs"])),
        *(grouped(cell["jobs"]), grouped(cell["payroll"]), grouped(cell["wage"]), "0", "1.00", "1.00"),
    ]


def workbook_bytes(
    rows: Iterable[Sequence[str | int | float]],
    headers: Sequence[str] = WORKBOOK_HEADERS,
    sheet: str = "US_St_Cn_MSA",
) -> bytes:
    """An .xlsx with the sheets of the high-level workbook; ints and floats become number cells."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        page = book.add_worksheet(sheet)
        page.write_row(0, 0, headers)
        number = book.add_format({"num_format": "#,##0"})
        for at, row in enumerate(rows, start=1):
            for column, value in enumerate(row):
                if isinstance(value, str):
                    page.write_string(at, column, value)
                else:
                    page.write_number(at, column, value, number)
        book.add_worksheet("US_PR_VI").write_row(0, 0, headers)
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


ANNUAL_HEADERS = (
    *("area_fips", "own_code", "industry_code", "agglvl_code", "size_code", "year", "qtr", "disclosure_code"),
    *("annual_avg_estabs", "annual_avg_emplvl", "total_annual_wages", "taxable_annual_wages", "annual_contributions"),
    *("annual_avg_wkly_wage", "avg_annual_pay"),
)
QUARTERLY_HEADERS = (
    *ANNUAL_HEADERS[:8],
    *("qtrly_estabs", "month1_emplvl", "month2_emplvl", "month3_emplvl", "total_qtrly_wages", "avg_wkly_wage"),
)


def level_of(cell: dict[str, str]) -> str:
    if cell["naics"] == "10":
        return "70" if cell["own"] == "0" else "71"
    return "72" if len(cell["naics"]) == 3 else "73"


def annual_row(cell: dict[str, str]) -> list[str]:
    return [
        *(cell["area"], cell["own"], cell["naics"], cell.get("level", level_of(cell)), "0", cell["year"], "A"),
        *(cell["status"], cell["estabs"], cell["jobs"], cell["payroll"], "0", "0", cell["wage"], "0"),
    ]


def quarterly_rows(cell: dict[str, str]) -> list[list[str]]:
    """Four equal quarters of an annual cell."""
    quarter = str(int(cell["payroll"]) // 4)
    return [
        [
            *(cell["area"], cell["own"], cell["naics"], level_of(cell), "0", cell["year"], str(number)),
            *(cell["status"], cell["estabs"], cell["jobs"], cell["jobs"], cell["jobs"], quarter, "0"),
        ]
        for number in (1, 2, 3, 4)
    ]


def csv_text(rows: Iterable[Sequence[str]], headers: Sequence[str] = ANNUAL_HEADERS) -> str:
    """All cells in quotes, as the agency writes them."""
    return "\n".join(",".join(f'"{c}"' for c in row) for row in (headers, *rows)) + "\n"


def county_spine(realcases: Path, year: int) -> pl.LazyFrame:
    """The reference's county list of the year as a spine: level, state, geo."""
    text = (realcases / "living_wage/raw/county-populations.csv").read_bytes()
    lines = [line.decode("utf-8", errors="replace").split(",") for line in text.splitlines()[1:]]
    rows = [("county", line[1], line[2]) for line in lines if line[0] == str(year)]
    return pl.LazyFrame(rows, schema=["level", "state", "geo"], orient="row")
