"""Political participation: turnout in presidential elections. Method file political_participation.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series

YEARS = (2016, 2020)

PREDICTOR = Predictor(
    key="political_participation",
    title="Political participation",
    pillar="governance",
    definition="Votes cast for president as a share of the citizens of voting age.",
    metrics=(
        Metric(
            "share_election_turnout",
            "Share of the citizen voting-age population who voted",
            "share",
            maximum=1.0,
            sentence="In {year}, {value:.1%} of the citizens of voting age in {name} voted for president.",
        ),
    ),
    series=(
        Series("elections", YEARS, ("votes_county", "cvap"), levels=("county",)),
        Series("elections", YEARS, ("votes_place", "cvap"), levels=("place",)),
    ),
    sources=("mit_elections", "cvap", "vest_precincts", "boundaries"),
    method="political_participation.md",
    notes=(
        "Citizens of voting age are a survey estimate over five years. County turnout above 100 percent is set to 100 "
        "percent.",
        "Alaska counts votes by election district, so its counties have no figure; neither has Kalawao, Hawaii.",
        "Kansas City, Missouri, counts its votes apart from its counties. They are in no county, so turnout in Jackson "
        "County, and slightly in Clay, Platte and Cass, is far too low.",
        "City votes are estimated from precincts by the part of each precinct's area inside the city. Precincts in "
        "Kentucky and New Jersey in 2020 are themselves estimates and graded weak.",
    ),
)
