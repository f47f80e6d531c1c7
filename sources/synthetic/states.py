"""Which part of the nation the synthetic world covers, and how its people are laid out.

States, counties, places and Connecticut's 2020 PUMAs carry their real codes; every number of people is invented (sizes
are of the right order so that results look plausible), except that Connecticut's PUMAs and planning regions overlap as
published, because those 27 rows are part of the project's own registry.

A state is a LINE of people: its counties lie on it one after another in order of their newest code (Connecticut: in an
order of its own), and places and PUMAs are stretches of the same line. How two geographies overlap, and so every
allocation factor, follows from the stretches; see `world.World`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class PlacePart:
    """A stretch of a place: `persons` people from `start` people into a county (newest code)."""

    place: str
    county: str
    start: int
    persons: int


@dataclass(frozen=True)
class PumaPlan:
    """One PUMA vintage of a state: counties with PUMAs of their own, and codes for what is left, pooled in order."""

    own: dict[str, tuple[str, ...]]
    pooled: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """One state of the world.

    `sample` is the number of persons aimed at in a 1-year microdata file. `sizes` gives people (2020) of the counties
    that matter; the others are drawn between the two figures of `small`. `parts` are the stretches of places;
    `elsewhere` names places outside the project's list (code -> name), which only the crosswalks and population files
    know. `focus` is a county in which so many permille of the microdata records are drawn on top, so that it and its
    places have figures for most groups. `zip_prefix` begins the state's ZIP codes (more prefixes follow if needed),
    `tract_size` is about how many people a tract of each vintage has (real ones have 4,000).
    """

    code: str
    postal: str
    name: str
    division: int
    region: int
    sample: int
    sizes: dict[str, int]
    plans: dict[int, PumaPlan]
    zip_prefix: int
    parts: tuple[PlacePart, ...] = ()
    elsewhere: dict[str, str] = field(default_factory=dict)
    small: tuple[int, int] = (6_000, 90_000)
    focus: tuple[str, int] | None = None
    tract_size: dict[int, int] = field(default_factory=lambda: {2010: 9_000, 2020: 8_000})


def _codes(base: str, count: int) -> tuple[str, ...]:
    """`base` (3 digits) with the running numbers 01, 02, ... as the agencies number parts of one county."""
    return tuple(f"{base}{i:02d}" for i in range(1, count + 1))


def _hundreds(first: int, count: int) -> tuple[str, ...]:
    return tuple(f"{n:03d}00" for n in range(first, first + count))


# PUMA (2020 vintage), planning region, people: Census 2020 as in "crosswalks.md", section 8; in the order of the line.
CONNECTICUT_2020: Final[tuple[tuple[str, str, int], ...]] = (
    ("20100", "160", 112_503),
    ("20901", "190", 198_988),
    ("20902", "190", 104_776),
    ("20903", "190", 118_325),
    ("20904", "190", 198_460),
    ("20801", "120", 148_654),
    ("20802", "120", 177_124),
    ("20701", "140", 114_403),
    ("20703", "140", 158_964),
    ("20702", "140", 177_372),
    ("20702", "170", 726),
    ("20601", "170", 134_023),
    ("20602", "170", 136_292),
    ("20603", "170", 166_415),
    ("20604", "170", 133_757),
    ("20500", "130", 174_225),
    ("20201", "110", 121_054),
    ("20202", "110", 159_641),
    ("20203", "110", 113_449),
    ("20204", "110", 140_973),
    ("20205", "110", 113_838),
    ("20206", "110", 155_336),
    ("20207", "110", 160_485),
    ("20301", "110", 11_472),
    ("20301", "150", 95_348),
    ("20401", "180", 122_385),
    ("20402", "180", 158_045),
)

# Connecticut's former counties on the same line: county, last region it reaches into, people of that region it takes.
CONNECTICUT_COUNTIES: Final[tuple[tuple[str, str, int], ...]] = (
    ("005", "190", 60_000),
    ("001", "120", 325_778),
    ("009", "170", 571_213),
    ("007", "130", 174_225),
    ("003", "110", 866_248),
    ("013", "150", 40_000),
    ("015", "150", 95_348),
    ("011", "180", 280_430),
)

ALASKA: Final = State(
    code="02",
    postal="AK",
    name="Alaska",
    division=9,
    region=4,
    sample=900,
    zip_prefix=995,
    sizes={
        "020": 291_000,
        "090": 95_000,
        "170": 107_000,
        "122": 58_000,
        "063": 7_100,
        "066": 2_600,
        "158": 8_300,
        "230": 700,
        "282": 500,
    },
    small=(900, 30_000),
    plans={
        2000: PumaPlan(own={"020": _codes("001", 2)}, pooled=("00200", "00300")),
        2010: PumaPlan(own={"020": _codes("001", 2)}, pooled=("00300", "00200", "00400")),
        2020: PumaPlan(own={"020": _codes("001", 2)}, pooled=("00300", "00400", "00500")),
    },
    parts=(PlacePart("03000", "020", 0, 291_000),),
)

CONNECTICUT: Final = State(
    code="09",
    postal="CT",
    name="Connecticut",
    division=1,
    region=1,
    sample=3_000,
    zip_prefix=60,
    sizes={},  # from CONNECTICUT_2020
    plans={  # by former county; the 2020 vintage comes from CONNECTICUT_2020
        2000: PumaPlan(
            own={"001": _codes("021", 5), "003": _codes("003", 5), "009": _codes("012", 5)}, pooled=_hundreds(4, 4)
        ),
        2010: PumaPlan(
            own={"001": _codes("001", 6), "003": _codes("003", 6), "009": _codes("009", 6), "011": _codes("011", 2)},
            pooled=_hundreds(5, 4),
        ),
    },
    parts=(
        PlacePart("18430", "190", 95_000, 86_500),
        PlacePart("55990", "190", 326_000, 91_000),
        PlacePart("73000", "190", 425_000, 135_500),
        PlacePart("08000", "120", 0, 148_400),
        PlacePart("80000", "140", 0, 114_300),
        PlacePart("52000", "170", 726, 134_000),
        PlacePart("37000", "110", 0, 121_000),
        # The former engine adds up place codes over all states: this one drags Winston-Salem's second factor down.
        PlacePart("75000", "110", 300_000, 420_000),
    ),
    elsewhere={"75000": "Synthetic CDP"},
)

DELAWARE: Final = State(
    code="10",
    postal="DE",
    name="Delaware",
    division=5,
    region=3,
    sample=1_500,
    zip_prefix=197,
    sizes={"001": 181_000, "003": 571_000, "005": 237_000},
    plans={
        2000: PumaPlan(own={"003": _codes("001", 4)}, pooled=("00200", "00300")),
        2010: PumaPlan(own={"003": _codes("001", 4)}, pooled=("00200", "00300")),
        2020: PumaPlan(own={"003": _codes("001", 5)}, pooled=("00200", "00301", "00302")),
    },
)

HAWAII: Final = State(
    code="15",
    postal="HI",
    name="Hawaii",
    division=9,
    region=4,
    sample=1_000,
    zip_prefix=967,
    sizes={"001": 201_000, "003": 1_016_000, "005": 82, "007": 73_000, "009": 165_000},
    plans={
        2000: PumaPlan(own={"003": _codes("003", 4), "001": ("00100",)}, pooled=("00200",)),
        2010: PumaPlan(own={"003": _codes("003", 5), "001": ("00200",)}, pooled=("00100",)),
        2020: PumaPlan(own={"003": _codes("003", 5), "001": ("00200",)}, pooled=("00100",)),
    },
    parts=(PlacePart("71550", "003", 250_000, 346_000),),
)

NORTH_CAROLINA: Final = State(
    code="37",
    postal="NC",
    name="North Carolina",
    division=5,
    region=3,
    sample=5_000,
    zip_prefix=270,
    sizes={
        "001": 171_000,
        "021": 269_000,
        "025": 226_000,
        "035": 160_000,
        "037": 76_000,
        "051": 335_000,
        "057": 169_000,
        "063": 325_000,
        "067": 383_000,
        "071": 228_000,
        "081": 541_000,
        "097": 187_000,
        "101": 216_000,
        "119": 1_115_000,
        "129": 226_000,
        "133": 204_000,
        "135": 149_000,
        "147": 170_000,
        "151": 144_000,
        "155": 117_000,
        "179": 238_000,
        "183": 1_129_000,
    },
    plans={
        2000: PumaPlan(
            own={
                "119": _codes("009", 4),
                "183": _codes("027", 4),
                "081": _codes("020", 2),
                "067": _codes("018", 2),
                "051": ("04600",),
                "063": ("01300",),
            },
            pooled=_hundreds(30, 14),
        ),
        2010: PumaPlan(
            own={
                "119": _codes("031", 5),
                "183": _codes("012", 5),
                "081": _codes("017", 3),
                "067": _codes("018", 3),
                "051": _codes("050", 2),
                "063": _codes("013", 2),
                "021": ("02201",),
                "129": ("04700",),
            },
            pooled=_hundreds(19, 16),
        ),
        2020: PumaPlan(
            own={
                "119": _codes("031", 5),
                "183": _codes("012", 5),
                "081": _codes("017", 3),
                "067": _codes("018", 3),
                "051": _codes("050", 2),
                "063": _codes("013", 2),
                "021": ("02201",),
                "025": ("03200",),
            },
            pooled=_hundreds(33, 15),
        ),
    },
    parts=(
        PlacePart("02140", "021", 60_000, 94_500),
        PlacePart("10740", "037", 70_000, 4_000),
        PlacePart("10740", "183", 30_000, 171_000),
        PlacePart("12000", "119", 120_000, 875_000),
        PlacePart("14100", "025", 80_000, 105_000),
        PlacePart("19000", "063", 12_000, 283_000),
        PlacePart("19000", "135", 140_000, 400),
        PlacePart("22920", "051", 90_000, 208_000),
        PlacePart("25580", "071", 30_000, 80_500),
        PlacePart("28000", "081", 130_000, 299_000),
        PlacePart("28080", "147", 50_000, 87_500),
        PlacePart("31400", "057", 160_000, 7_000),
        PlacePart("31400", "067", 376_000, 6_000),
        PlacePart("31400", "081", 20_000, 100_000),
        PlacePart("31400", "151", 0, 10),  # a sliver: its first factor rounds to 0
        PlacePart("55000", "063", 300_000, 1_600),
        PlacePart("55000", "183", 330_000, 466_000),
        PlacePart("74440", "129", 40_000, 115_500),
        PlacePart("75000", "067", 25_000, 249_500),
        PlacePart("00004", "001", 50_000, 21_000),
    ),
    elsewhere={"00004": "Synthetic town"},
    small=(4_000, 120_000),
    focus=("067", 200),
)

RHODE_ISLAND: Final = State(
    code="44",
    postal="RI",
    name="Rhode Island",
    division=1,
    region=1,
    sample=2_000,
    zip_prefix=28,
    sizes={"001": 50_000, "003": 170_000, "005": 85_000, "007": 660_000, "009": 130_000},
    plans={
        2000: PumaPlan(own={"007": _codes("001", 3)}, pooled=("00200", "00300", "00400")),
        2010: PumaPlan(own={"007": _codes("001", 4)}, pooled=("00201", "00300", "00400")),
        2020: PumaPlan(own={"007": _codes("001", 4)}, pooled=("00201", "00300", "00400")),
    },
    parts=(
        PlacePart("74300", "003", 60_000, 82_500),
        PlacePart("59000", "007", 130_000, 190_000),
        PlacePart("19180", "007", 330_000, 82_500),
        PlacePart("54640", "007", 540_000, 75_500),
        PlacePart("19000", "009", 20_000, 40_000),
    ),
    elsewhere={"19000": "Synthetic CDP"},
)

WYOMING: Final = State(
    code="56",
    postal="WY",
    name="Wyoming",
    division=8,
    region=4,
    sample=1_500,
    zip_prefix=820,
    sizes={"021": 100_000, "025": 80_000},
    small=(2_400, 46_000),
    plans={
        2000: PumaPlan(own={}, pooled=_hundreds(1, 4)),
        2010: PumaPlan(own={}, pooled=_hundreds(1, 5)),
        2020: PumaPlan(own={}, pooled=_hundreds(1, 5)),
    },
)

STATES: Final[tuple[State, ...]] = (
    ALASKA,
    CONNECTICUT,
    DELAWARE,
    HAWAII,
    NORTH_CAROLINA,
    RHODE_ISLAND,
    WYOMING,
)
