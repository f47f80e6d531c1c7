"""The queries behind a place profile, as SQL views and table macros that every release's database carries.

select * from place_profile('37067');
select * from place_trend('37067', 'share_employed');
select * from compare_places(['37067', '3775000'], 'ratio_living_wage');
select * from peers('37067', 10);
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Query:
    """A view or table macro: its name, the statement that creates it, and its comment."""

    name: str
    sql: str
    comment: str
    is_view: bool = False


OVERALL: Final = Query(
    "overall_figures",
    """
    create view overall_figures as
    select e.*
    from estimates e
    join overall_series s on s.level = e.level and s.metric = e.metric and s.year = e.year and s.sample = e.sample
    where e.subgroup = 'All'
    """,
    "The figures for everyone, each from the sample that the overall files take it from.",
    is_view=True,
)
PROFILE: Final = Query(
    "place_profile",
    """
    create macro place_profile(place_geoid) as table
    with latest as (
        select *,
            row_number() over (partition by metric order by (value is null), year desc) as nth
        from overall_figures
        where geoid = place_geoid
    )
    select f.geoid, f.name, f.state_name, m.pillar, m.predictor_title as predictor, f.metric, m.title, m.unit, f.year,
        f.value, f.lb, f.ub, f.quality_label as quality,
        n.median as national_median, s.median as state_median,
        f.sample, f.reference_period, f.n_areas, f.reason_text as reason
    from latest f
    join metrics m on m.metric = f.metric
    left join medians n on n.level = f.level and n.year = f.year and n.metric = f.metric and n.area = 'US'
    left join medians s on s.level = f.level and s.year = f.year and s.metric = f.metric and s.area = f.state
    where f.nth = 1
    order by m.position
    """,
    "place_profile(geoid): every metric of a county (5 digits) or city (7 digits) in the latest year with a value, with"
    " bounds, quality, national and state medians, and the reason where there is none.",
)
TREND: Final = Query(
    "place_trend",
    """
    create macro place_trend(place_geoid, metric_name) as table
    select f.geoid, f.name, f.metric, f.year, f.value, f.lb, f.ub, f.quality_label as quality,
        n.median as national_median, s.median as state_median, f.reason_text as reason,
        (
            select string_agg(c.text, ' ' order by c.kind, c.text)
            from comparability c
            where c.metric = f.metric and c.scope = 'across years' and c.to_year = f.year
                and coalesce(c.level, f.level) = f.level and coalesce(c.sample, f.sample) = f.sample
                and (c.subgroup_types is null or list_contains(string_split(c.subgroup_types, ' '), 'all'))
                and (c.states is null or list_contains(string_split(c.states, ' '), f.state))
        ) as break_before
    from overall_figures f
    left join medians n on n.level = f.level and n.year = f.year and n.metric = f.metric and n.area = 'US'
    left join medians s on s.level = f.level and s.year = f.year and s.metric = f.metric and s.area = f.state
    where f.geoid = place_geoid and f.metric = metric_name
    order by f.year
    """,
    "place_trend(geoid, metric): a metric over the years beside the medians; break_before says what a reader must know"
    " before comparing a year with the ones before it.",
)
COMPARE: Final = Query(
    "compare_places",
    """
    create macro compare_places(place_geoids, metric_name) as table
    select f.year, f.geoid, f.name, f.state_name, f.value, f.lb, f.ub, f.quality_label as quality, f.n_areas,
        f.reason_text as reason
    from overall_figures f
    where list_contains(place_geoids, f.geoid) and f.metric = metric_name
    order by f.year, list_position(place_geoids, f.geoid)
    """,
    "compare_places([geoids], metric): a metric of several places side by side, year by year, in the order given.",
)
PEERS: Final = Query(
    "peers",
    """
    create macro peers(place_geoid, how_many) as table
    with newest as (
        select level, state || geo as geoid, name, state_name, population
        from geographies
        where year = (select max(year) from geographies) and population > 0
    ),
    own as (select * from newest where geoid = place_geoid)
    select p.geoid, p.name, p.state_name, p.population, p.population / own.population as population_ratio
    from newest p, own
    where p.level = own.level and p.geoid <> own.geoid
    order by abs(ln(p.population / own.population)), p.geoid
    limit how_many
    """,
    "peers(geoid, n): the n counties (or cities) whose population of the newest year is nearest, as a ratio.",
)
QUERIES: Final = (OVERALL, PROFILE, TREND, COMPARE, PEERS)
