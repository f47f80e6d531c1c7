"""A plain Excel workbook of one sheet, written directly: large national tables take seconds through a library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from sources.synthetic.files import write_zip

Cell = str | int | float
_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE: Final = "http://schemas.openxmlformats.org"
_PACKAGE: Final = f"{_OFFICE}/package/2006"
_DOCUMENT: Final = f"{_OFFICE}/officeDocument/2006/relationships"
_SHEET: Final = f"{_OFFICE}/spreadsheetml/2006/main"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"

_TYPES: Final = (
    f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
    f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Default Extension="txt" ContentType="text/plain"/><Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>'
)


def _relation(kind: str, target: str) -> str:
    return (
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_DOCUMENT}/{kind}" Target="{target}"/></Relationships>'
    )


def _cell(value: Cell) -> str:
    """A text cell or a number; an empty text is an empty cell."""
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>' if value else "<c/>"
    return f"<c><v>{value!r}</v></c>"


def write_workbook(path: Path, rows: Iterable[Sequence[Cell]], *, sheet: str = "Sheet1") -> Path:
    """A workbook whose one sheet holds `rows`, the first of them the header."""
    lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    workbook = (
        f'{_XML}<workbook xmlns="{_SHEET}" xmlns:r="{_DOCUMENT}"><sheets>'
        f'<sheet name="{escape(sheet)}" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    members = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": _relation("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": workbook,
        "xl/_rels/workbook.xml.rels": _relation("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f'{_XML}<worksheet xmlns="{_SHEET}"><sheetData>{lines}</sheetData></worksheet>',
    }
    return write_zip(path, {name: text.encode() for name, text in members.items()})
