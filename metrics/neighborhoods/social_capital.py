"""Social capital: membership associations and economic connectedness. Method file social_capital.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT

ASSOCIATIONS = "count_membership_associations_per_10k"
CONNECTEDNESS = "share_economic_connectedness"
YEARS = (2014, 2015, 2016, 2017, 2018, 2019, 2020, 2021, 2022)

PREDICTOR = Predictor(
    key="social_capital",
    title="Social capital",
    pillar="neighborhoods",
    definition=(
        "Number of membership associations (civic, religious, labor, business, political and sports organizations) per "
        "10,000 people, and the share of the friends of people of low socioeconomic status who are of high status."
    ),
    metrics=(
        Metric(
            ASSOCIATIONS,
            "Membership associations per 10,000 people",
            "rate per 10,000",
            maximum=10_000.0,
            sentence="In {year}, {name} had {value:.1f} membership associations per 10,000 people.",
        ),
        Metric(
            CONNECTEDNESS,
            "Economic connectedness: share of friends of high status among people of low status",
            "share",
            maximum=1.0,
            interval="sampling",
            sentence=(
                "In {year}, {value:.1%} of the friends of people of low socioeconomic status in {name} were of high "
                "socioeconomic status."
            ),
        ),
    ),
    series=(
        Series("cbp", YEARS, ("cbp_county", "spine"), levels=("county",), metrics=(ASSOCIATIONS,)),
        Series("cbp", YEARS, ("cbp_zip", "zcta_place", "spine"), levels=("place",), metrics=(ASSOCIATIONS,)),
        Series(
            "social_capital_atlas", (2022,), ("connectedness_county",), levels=("county",), metrics=(CONNECTEDNESS,)
        ),
        Series(
            "social_capital_atlas",
            (2022,),
            ("connectedness_zcta", "zcta_place_area"),
            levels=("place",),
            metrics=(CONNECTEDNESS,),
        ),
    ),
    sources=("cbp", "popest", "geocorr", "social_capital_atlas", "boundaries"),
    method="social_capital.md",
    notes=(
        "From 2017 the source publishes no number of associations of one kind in an area that has fewer than three of "
        "them. A missing figure means that nothing was published, not that there are no associations.",
        "City figures of associations add up ZIP codes, for which more is withheld, and leave out post-office-box ZIP "
        "codes.",
        "Connectedness is one snapshot, of friendships on Facebook as of May 2022 among people aged 25 to 44.",
        "The connectedness source lists the counties of 2020: Connecticut's planning regions and Chugach and Copper "
        "River, Alaska, have no figure.",
        "City connectedness weighs ZIP areas by the part of their land and water inside the city, not by people, and "
        "has no interval.",
    ),
    breaks=(
        (2017, "Small numbers of associations are no longer published, which lowers the figures; do not chain."),
        (2022, CONNECTICUT),
    ),
)
