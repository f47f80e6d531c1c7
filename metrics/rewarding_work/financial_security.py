"""Financial security: debt and medical debt in collections. Method file financial_security.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series

# The source knows no mixed neighborhoods.
NEIGHBORHOODS: dict[str, tuple[str, ...]] = {"race-share": ("Neighborhoods of color", "White neighborhoods")}

PREDICTOR = Predictor(
    key="financial_security",
    title="Financial security",
    pillar="rewarding_work",
    definition=(
        "Share of adults with a credit record who have debt in collections, and the share who have medical debt in "
        "collections."
    ),
    metrics=(
        Metric(
            "share_debt_coll",
            "Share of adults with debt in collections",
            "share",
            maximum=1.0,
            interval="sampling",
            sentence="In {year}, {value:.1%} of adults with a credit record in {name} had debt in collections.",
        ),
        Metric(
            "share_medical_debt_coll",
            "Share of adults with medical debt in collections",
            "share",
            maximum=1.0,
            sentence="In {year}, {value:.1%} of adults with a credit record in {name} had medical debt in collections.",
        ),
    ),
    series=(
        Series(
            "debt_in_america",
            (2018, 2022),
            ("debt_county",),
            levels=("county",),
            subgroups=NEIGHBORHOODS,
            metrics=("share_debt_coll",),
        ),
        Series("debt_in_america", (2023,), ("debt_county",), levels=("county",), subgroups=NEIGHBORHOODS),
        Series(
            "debt_in_america",
            (2021,),
            ("debt_place",),
            levels=("place",),
            subgroups=NEIGHBORHOODS,
            metrics=("share_debt_coll",),
        ),
    ),
    sources=("debt_in_america",),
    method="financial_security.md",
    notes=(
        "The figures are the publisher's, made from a sample of credit-bureau records that is not public. It withholds "
        "areas with fewer than 50 records.",
        "City figures (2021) measure derogatory debt, which includes charge-offs and more, for about 100 cities. They "
        "do not compare with the county figures.",
        "Only the county figures of 2018 have an interval.",
        "Neighborhood type is the racial makeup of the ZIP code. The dividing line is 60 percent in 2018 and 2022, "
        "and 50 percent in the city figures of 2021 and the county figures of 2023; areas between the lines are in no "
        "group.",
        "The source lists Connecticut's former counties, so the planning regions have no figures in 2022 and 2023. In "
        "2022 it also lists Valdez-Cordova, Alaska, in place of Chugach and Copper River.",
    ),
    breaks=(
        (2022, "Connecticut has no figures from this year on."),
        (
            2023,
            "From 2022 credit bureaus dropped paid and small medical collections from their records, so part of the "
            "fall since the earlier years is a change of rules.",
        ),
        (2023, "The dividing line between neighborhood types moves from 60 to 50 percent."),
    ),
)
