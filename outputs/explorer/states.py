"""Postal abbreviations and census regions of the states: for short names, and for the choice of peers."""

from __future__ import annotations

from typing import Final

POSTAL: Final[dict[str, str]] = dict(
    pair.split(":")
    for pair in [
        "01:AL",
        "02:AK",
        "04:AZ",
        "05:AR",
        "06:CA",
        "08:CO",
        "09:CT",
        "10:DE",
        "11:DC",
        "12:FL",
        "13:GA",
        "15:HI",
        "16:ID",
        "17:IL",
        "18:IN",
        "19:IA",
        "20:KS",
        "21:KY",
        "22:LA",
        "23:ME",
        "24:MD",
        "25:MA",
        "26:MI",
        "27:MN",
        "28:MS",
        "29:MO",
        "30:MT",
        "31:NE",
        "32:NV",
        "33:NH",
        "34:NJ",
        "35:NM",
        "36:NY",
        "37:NC",
        "38:ND",
        "39:OH",
        "40:OK",
        "41:OR",
        "42:PA",
        "44:RI",
        "45:SC",
        "46:SD",
        "47:TN",
        "48:TX",
        "49:UT",
        "50:VT",
        "51:VA",
        "53:WA",
        "54:WV",
        "55:WI",
        "56:WY",
    ]
)
"""State FIPS code -> postal abbreviation."""

_MEMBERS: Final[dict[str, str]] = {
    "Northeast": "CT ME MA NH RI VT NJ NY PA",
    "Midwest": "IL IN MI OH WI IA KS MN MO NE ND SD",
    "South": "DE DC FL GA MD NC SC VA WV AL KY MS TN AR LA OK TX",
    "West": "AZ CO ID MT NV NM UT WY AK CA HI OR WA",
}
_REGION_OF: Final = {postal: region for region, members in _MEMBERS.items() for postal in members.split()}

REGION: Final[dict[str, str]] = {fips: _REGION_OF[postal] for fips, postal in POSTAL.items()}
"""State FIPS code -> census region."""
