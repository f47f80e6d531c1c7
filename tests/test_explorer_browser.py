"""The explorer in a real headless browser, at national size: what a planner does, and what the pages must never do."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from explorer_support import FORSYTH, GUILFORD, META, WINSTON_SALEM, chromium, served

from outputs.explorer import write_explorer
from outputs.files import FILES

pytestmark = pytest.mark.xdist_group("explorer")
SIX = (FORSYTH, GUILFORD, WINSTON_SALEM, "06037", "4835000", "48301")
AXE = Path(__file__).parent / "vendor/axe-core/axe.min.js"
PATIENCE = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = chromium()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        message = "playwright is not installed: the explorer is not tried in a browser"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(national) -> Iterator[str]:
    with served(national / "explorer") as at:
        yield at


@pytest.fixture
def page(browser, address) -> Iterator[Any]:
    """A page that fails the test if a script fails, or if anything is asked of another host."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE)
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    tab.on("request", lambda request: None if _own(request.url, address) else faults.append(f"asked {request.url}"))
    yield tab
    context.close()
    assert not faults


def _own(url: str, address: str) -> bool:
    return url.startswith((address, "blob:", "data:"))


def _compare(page, address: str, places, **more: str) -> None:
    query = "&".join([f"places={'.'.join(places)}", *(f"{k.replace('__', '.')}={v}" for k, v in more.items())])
    page.goto(f"{address}/about.html")
    page.goto(f"{address}/index.html#{query}")
    page.wait_for_function(f"document.body.dataset.ready === '{len(places)}'")


def _card(page, metric: str):
    card = page.locator(f"#card-{metric}")
    card.scroll_into_view_if_needed()
    card.locator(".sentences, .nothing").first.wait_for()
    return card


def _only(page, address, metric: str, predictor: str, places=(FORSYTH,), **card: str):
    said = "~".join(f"{k}.{v}" for k, v in card.items())
    more = {"predictors": predictor} | ({f"card__{metric}": said} if said else {})
    _compare(page, address, places, **more)
    return _card(page, metric)


# --- Compare --------------------------------------------------------------------------------------------------------


def test_search_finds_forsyth_and_chooses_it(page, address):
    page.goto(f"{address}/index.html")
    field = page.get_by_role("combobox", name="Add a county or city")
    field.fill("Forsyth")
    ids = page.locator("#search-list li").evaluate_all("items => items.map(i => i.dataset.id)")
    assert ids[:2] == [FORSYTH, "13117"]
    assert "Forsyth County, North Carolina" in page.locator("#search-list li").first.inner_text()
    page.locator(f"#search-list li[data-id='{FORSYTH}']").click()
    page.wait_for_function("document.body.dataset.ready === '1'")
    assert page.locator(".chip").all_inner_texts()[0].startswith("Forsyth County, NC")
    assert f"places={FORSYTH}" in page.url


def test_search_by_code_state_and_without_apostrophe(page, address):
    page.goto(f"{address}/index.html")
    field = page.get_by_role("combobox", name="Add a county or city")
    for typed, wanted in {
        "37067": FORSYTH,
        "winston salem": WINSTON_SALEM,
        "prince georges": "24033",
        "durham nc": "37063",
    }.items():
        field.fill(typed)
        page.wait_for_selector(f"#search-list li[data-id='{wanted}']")
    field.fill("Nowhere at all")
    assert "No county, and no city" in page.locator("#search-list").inner_text()


def test_six_places_and_no_more(page, address):
    page.goto(f"{address}/index.html")
    field = page.get_by_role("combobox", name="Add a county or city")
    for n, code in enumerate(SIX, 1):
        field.fill(code)
        field.press("Enter")
        page.wait_for_function(f"document.body.dataset.ready === '{n}'")
    assert field.is_disabled()
    card = _card(page, "share_employed")
    assert card.locator(".sentences li").count() == 6
    assert card.locator("figure svg").count() == 2
    page.get_by_role("button", name=re.compile("Remove Guilford")).click()
    page.wait_for_function("document.body.dataset.ready === '5'")
    assert field.is_enabled()
    assert GUILFORD not in page.url


def test_predictors_by_pillar_all_and_none(page, address):
    _compare(page, address, [FORSYTH])
    assert page.locator("#picked").inner_text() == "24/24"
    assert page.locator("#predictors fieldset").count() == 5
    page.get_by_role("button", name="Clear all").click()
    page.wait_for_selector("text=No predictors are chosen")
    assert page.locator("#picked").inner_text() == "0/24"
    page.get_by_role("checkbox", name="Access to preschool").check()
    _card(page, "share_in_preschool")
    assert page.locator(".card").count() == 1
    assert "predictors=preschool" in page.url
    page.get_by_role("button", name="Select all").click()
    page.wait_for_function("document.querySelectorAll('section.predictor').length === 24")


def test_the_sentence_and_the_anchor_of_the_living_wage(page, address):
    card = _only(page, address, "ratio_living_wage", "living_wage", y="2022")
    assert "In 2022, the average job in Forsyth County, North Carolina paid 0.73 times" in card.inner_text()
    card.get_by_label("Groups").select_option("industry")
    assert card.locator("figure svg").first.get_attribute("aria-label").startswith("Ratio of average pay")


def test_year_category_interval_and_table(page, address):
    card = _only(page, address, "share_employed", "employment", (FORSYTH, WINSTON_SALEM))
    card.get_by_label("Year", exact=True).select_option("2018")
    assert "In 2018, 78.3% of adults" in card.inner_text()
    bars = card.locator("figure").first.locator("g[data-mark=rule]")
    assert bars.count() == 1
    card.get_by_label("Show intervals").uncheck()
    assert bars.count() == 0
    card.get_by_label("Groups").select_option("race-ethnicity")
    card.get_by_role("button", name="Table").click()
    head = card.locator("thead th").all_inner_texts()
    assert head == ["Location", "Year", "Group", "Value", "Interval", "Quality"]
    rows = card.locator("tbody tr").all_inner_texts()
    assert any("Black, Non-Hispanic" in row and "Winston-Salem, NC" in row for row in rows)
    for said in ("k.race-ethnicity", "i.0", "v.table"):
        assert said in page.url


def test_quality_in_words_and_form_and_weak_greyed(page, address):
    card = _only(page, address, "share_employed", "employment", (WINSTON_SALEM,), y="2018")
    badge = card.locator(".sentences .badge")
    assert badge.inner_text() == "Weak"
    assert badge.locator("svg [stroke-dasharray]").count() == 1
    dot = card.locator("figure").first.locator("g[data-mark=dot] > *").first
    assert dot.get_attribute("fill").lower() in ("#ffffff", "white")
    assert dot.get_attribute("stroke") == "#7c878f"


def test_a_pair_is_drawn_as_two_shares_and_over_the_years_as_their_ratio(page, address):
    metric = "ratio_black_nh_house_value_households"
    card = _only(page, address, metric, "housing_wealth", (FORSYTH, GUILFORD), y="2022")
    assert "held 13.6% of the value of owned homes in Forsyth County" in card.inner_text()
    assert "25.6% of its households" in card.inner_text()
    shares = card.locator("figure").first
    assert shares.locator("g[data-mark=dot] > *").count() == 2
    assert shares.locator("g[data-mark=rule] line").count() == 4
    assert "Forsyth County, NC" in shares.locator("svg").text_content()
    ratios = card.locator("figure").nth(1).locator("g[data-mark=dot] > *")
    assert ratios.count() == 18


def test_blanks_give_their_reason(page, address):
    card = _only(page, address, "ratio_living_wage", "living_wage", (FORSYTH, WINSTON_SALEM))
    assert "published for counties only: its source does not report by city" in card.inner_text()
    card = _only(page, address, "share_employed", "employment", ("48301",))
    assert "This predictor gives no figure for this group or year." in card.inner_text()


def test_breaks_are_marked(page, address):
    card = _only(page, address, "share_employed", "employment")
    assert "sampling areas follow the 2020 census" in card.locator(".notes").first.inner_text()
    assert "Connecticut" not in card.locator(".notes").first.inner_text()
    card = _only(page, address, "index_air_hazard", "environment", (FORSYTH,))
    assert "Break in comparability from 2018" in card.locator(".notes").first.inner_text()
    card = _only(page, address, "share_transportation_cost", "transportation")
    assert "Break in comparability from 2022" in card.locator(".notes").first.inner_text()
    assert card.locator(f".verdict[data-place='{FORSYTH}'] .word").inner_text() in ("Not comparable", "Cannot tell")


@pytest.mark.parametrize(("start", "verdict"), [("2018", "Not a real change"), ("2014", "Real change")])
def test_is_the_change_in_forsyth_real(page, address, start, verdict):
    """Published: 0.783 in 2018 and 0.815 in 2023; the difference is within the error of sampling."""
    card = _only(page, address, "share_employed", "employment", (FORSYTH, GUILFORD, WINSTON_SALEM))
    card.get_by_label("From").select_option(start)
    first = card.locator(f".verdict[data-place='{FORSYTH}']")
    assert first.locator(".word").inner_text() == verdict
    if start == "2018":
        assert "78.3% in 2018, 81.5% in 2023 (+3.2 percentage points)" in first.inner_text()
    assert "both figures are strong or marginal" in first.inner_text().lower()
    # Winston-Salem's figure of 2018 is Weak: there the new sampling areas are a break.
    last = card.locator(f".verdict[data-place='{WINSTON_SALEM}'] .word")
    assert last.inner_text() == "Not comparable"


def test_a_copied_link_restores_the_view(page, address, browser):
    card = _only(page, address, "share_hs_degree", "college", (FORSYTH, GUILFORD))
    card.get_by_label("Groups").select_option("gender")
    card.get_by_label("Year", exact=True).select_option("2018")
    card.get_by_label("Show intervals").uncheck()
    card.get_by_role("button", name="Table").click()
    card.get_by_label("From").select_option("2016")
    card.get_by_role("button", name="Copy link").click()
    page.wait_for_selector("text=Link copied.")
    link = page.evaluate("navigator.clipboard.readText()")
    other = browser.new_page()
    other.goto(link)
    other.wait_for_function("document.body.dataset.ready === '2'")
    restored = _card(other, "share_hs_degree")
    assert other.locator(".card").count() == 1
    assert (
        restored.inner_text().replace("Link copied.", "").strip()
        == card.inner_text().replace("Link copied.", "").strip()
    )
    for label, value in {"Groups": "gender", "From": "2016"}.items():
        assert restored.get_by_label(label).input_value() == value
    assert restored.get_by_label("Year", exact=True).input_value() == "2018"
    assert not restored.get_by_label("Show intervals").is_checked()
    other.close()


def test_downloads_hold_the_published_figures(page, address, national):
    card = _only(page, address, "share_employed", "employment", (FORSYTH, WINSTON_SALEM), k="gender")
    with page.expect_download() as waiting:
        card.get_by_role("button", name="Download CSV").click()
    assert waiting.value.suggested_filename == f"share_employed_{FORSYTH}-{WINSTON_SALEM}.csv"
    rows = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text())))
    long = pl.read_parquet(national / "estimates.parquet").filter(
        pl.col("geoid").is_in([FORSYTH, WINSTON_SALEM])
        & (pl.col("metric") == "share_employed")
        & (pl.col("sample") == "acs5")
        & pl.col("subgroup_type").is_in(["all", "gender"])
    )
    key = ("geoid", "year", "subgroup")
    wanted = {tuple(str(row[c]) for c in key): row for row in long.iter_rows(named=True)}
    found = {tuple(row[c] for c in key): row for row in rows if row["value"]}
    assert {k for k, row in wanted.items() if row["value"] is not None} == set(found)
    assert len(found) >= 15
    for cell, row in found.items():
        for name in ("value", "lb", "ub"):
            assert (float(row[name]) if row[name] else None) == wanted[cell][name]
        assert row["quality"] == wanted[cell]["quality_label"]
        assert row["release"] == "national-test"


def test_pictures_can_be_downloaded(page, address):
    card = _only(page, address, "share_employed", "employment")
    with page.expect_download() as waiting:
        card.get_by_role("button", name="Picture (SVG)").click()
    svg = Path(waiting.value.path()).read_text()
    assert svg.startswith("<svg")
    for text in ("Share of adults aged 25 to 54 who are employed", "Forsyth County, NC", "release national-test"):
        assert text in svg
    assert "A From 2022: The survey" in svg
    with page.expect_download() as waiting:
        card.get_by_role("button", name="Picture (PNG)").click()
    picture = Path(waiting.value.path()).read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(picture[16:20], "big") > 1200


NUMBER = re.compile(r"[-−]?[\d,]*\.?\d+")


def _shown(text: str) -> tuple[float, float] | None:
    """The number a cell shows, as a plain number, and half a unit of its last digit."""
    found = NUMBER.search(text.replace("$", ""))
    if found is None:
        return None
    digits = found[0].replace(",", "").replace("−", "-")
    unit = 10.0 ** -len(digits.partition(".")[2])
    scale = 100.0 if "%" in text else 1.0
    return float(digits) / scale, unit / 2 / scale


def _published(national: Path) -> dict[str, pl.DataFrame]:
    overall = {f.level: f for f in FILES if f.overall}
    return {level: pl.read_parquet(national / f"parquet/{file.stem}.parquet") for level, file in overall.items()}


def test_figures_of_two_hundred_random_cards_equal_the_published_file(page, address, national):
    """Random places, metrics and years; each card as a table, against the overall files."""
    chance = random.Random(20230411)
    wide = _published(national)
    by_place = {
        level: {(row["state"] + row[level], row["year"]): row for row in frame.iter_rows(named=True)}
        for level, frame in wide.items()
    }
    facts = json.loads((national / "explorer/data/catalog.json").read_text())
    latest = {level: frame.filter(pl.col("year") == 2021) for level, frame in wide.items()}
    codes = {level: (frame["state"] + frame[level]).to_list() for level, frame in latest.items()}
    page.set_viewport_size({"width": 1100, "height": 40_000})
    cards = figures = 0
    while cards < 200:
        places = [*chance.sample(codes["county"], 3), *chance.sample(codes["place"], 2)]
        years = {}
        for name, metric in facts["metrics"].items():
            both = [t["all"]["years"] for t in metric["tables"].values() if "all" in t]
            years[name] = chance.choice(both[0])
        _compare(page, address, places, **{f"card__{m}": f"y.{y}~v.table" for m, y in years.items()})
        page.wait_for_function(
            "document.querySelectorAll('.card').length ==="
            " document.querySelectorAll('.card .sentences, .card > .nothing').length"
        )
        tables = page.evaluate(
            "[...document.querySelectorAll('.card')].map(c => [c.dataset.metric,"
            " [...c.querySelectorAll('tbody tr')].map(r => [...r.children].map(x => x.innerText.trim()))])"
        )
        names = page.locator(".chip a").all_inner_texts()
        for metric, rows in tables:
            cards += 1
            pair = facts["metrics"][metric]["pair"]
            for name, year, group, value, interval, quality in rows:
                code = places[names.index(name)]
                level = "county" if len(code) == 5 else "place"
                row = by_place[level].get((code, int(year)))
                published = None if row is None else row.get(metric)
                assert group == "Everyone"
                if published is None:
                    assert value == "no figure", (metric, code, year)
                    continue
                figures += 1
                assert quality.startswith(row[f"{metric}_quality"]), (metric, code, year)
                if pair:
                    wanted = [float(x) for x in published.split(":")]
                    shares = [float(x) / 100 for x in re.findall(r"([\d.]+)%", value)]
                    assert shares == pytest.approx(wanted, abs=0.00101), (metric, code, year)
                    continue
                number, half = _shown(value)
                assert abs(number - published) <= half * 1.0001, (metric, code, year, value, published)
                if row.get(f"{metric}_lb") is not None and row.get(f"{metric}_ub") is not None:
                    for text, part in zip(interval.split(" to "), ("lb", "ub"), strict=True):
                        number, half = _shown(text)
                        assert abs(number - row[f"{metric}_{part}"]) <= half * 1.0001, (metric, code, year, part)
    assert figures > 400


# --- Keyboard, screen readers, phones ---------------------------------------------------------------------------------


def _tab_to(page, selector: str, most: int = 80) -> None:
    for _ in range(most):
        if page.evaluate(f"document.activeElement?.matches({json.dumps(selector)}) ?? false"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{selector} cannot be reached with the Tab key")


def test_by_keyboard_alone(page, address):
    page.goto(f"{address}/index.html#predictors=employment")
    page.wait_for_function("document.body.dataset.ready === '0'")
    _tab_to(page, "#search-input")
    page.keyboard.type("Forsyth")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    assert page.locator("#search-input").get_attribute("aria-activedescendant") == "search-0"
    page.keyboard.press("Enter")
    page.wait_for_function("document.body.dataset.ready === '1'")
    _card(page, "share_employed")
    _tab_to(page, "[data-control=year]")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.querySelector('.sentences').innerText.includes('In 2022')")
    assert page.evaluate("document.activeElement.dataset.control") == "year"
    _tab_to(page, "[data-control=interval]")
    page.keyboard.press("Space")
    _tab_to(page, "[data-control=table]")
    page.keyboard.press("Enter")
    page.wait_for_selector(".card tbody tr")
    assert page.evaluate("document.activeElement.dataset.control") == "table"
    _tab_to(page, "[data-control=from]")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.control") == "from"
    _tab_to(page, ".card summary")
    page.keyboard.press("Enter")
    assert page.locator(".card details[open]").count() == 1
    _tab_to(page, "[data-control=link]")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Link copied.")


VIEWS = {
    "start": ("index.html", "0"),
    "card": (f"index.html#places={FORSYTH}.{WINSTON_SALEM}&predictors=employment.living_wage", "2"),
    "groups": (f"index.html#places={FORSYTH}.{WINSTON_SALEM}&predictors=college&card.share_hs_degree=k.gender", "2"),
    "table": (f"index.html#places={FORSYTH}&predictors=employment&card.share_employed=v.table", "1"),
    "counties": ("country.html#metric=share_employed&year=2022", "share_employed county 2022"),
    "cities": ("country.html#metric=share_employed&year=2022&level=place&state=37", "share_employed place 2022"),
    "profile": (f"profile.html?place={FORSYTH}", "profile"),
    "about": ("about.html", "about"),
}


def _open(page, address, view: str) -> None:
    path, ready = VIEWS[view]
    page.goto(f"{address}/{path}")
    page.wait_for_function(f"document.body.dataset.ready === '{ready}'")
    for card in page.locator(".card").all():
        card.scroll_into_view_if_needed()
        card.locator(".sentences, .nothing").first.wait_for()


@pytest.mark.parametrize("view", VIEWS)
def test_an_accessibility_audit_finds_nothing(page, address, view):
    _open(page, address, view)
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
    told = [f"{v['id']}: {v['help']}: {[n['html'][:200] for n in v['nodes'][:3]]}" for v in found]
    assert not told, "\n".join(told)


@pytest.mark.parametrize("view", VIEWS)
def test_on_a_phone_nothing_sticks_out(page, address, view):
    page.set_viewport_size({"width": 375, "height": 800})
    _open(page, address, view)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 375, page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 376)"
        ".slice(0, 5).map(e => e.outerHTML.slice(0, 160))"
    )


def test_what_a_page_loads(page, address):
    """Data and shapes of the heaviest views, as they come over the wire, stay below two megabytes."""
    for path, ready in (
        (f"index.html#places={'.'.join(SIX)}", "6"),
        ("country.html#metric=share_employed&year=2019", "share_employed county 2019"),
        (f"profile.html?place={FORSYTH}", "profile"),
    ):
        sizes: list[int] = []

        def note(response, sizes=sizes) -> None:
            if "/data/" in response.url or "us-atlas" in response.url or "geonames" in response.url:
                sizes.append(len(response.body()))

        page.on("response", note)
        page.goto(f"{address}/about.html")
        sizes.clear()
        page.goto(f"{address}/{path}")
        page.wait_for_function(f"document.body.dataset.ready === '{ready}'")
        page.remove_listener("response", note)
        assert 100_000 < sum(sizes) < 2_000_000, path


# --- The country, and profiles --------------------------------------------------------------------------------------


def test_map_of_counties(page, address):
    _open(page, address, "counties")
    assert page.locator("#map path.area").count() == 3142
    assert "Connecticut's 9 planning regions" in page.locator("#map-notes").inner_text()
    forsyth = page.locator(f"#map path[data-id='{FORSYTH}']")
    weak = page.locator("#map path[data-id='37169']")
    assert forsyth.get_attribute("fill") not in ("#d4d8db", "url(#blank)")
    before = weak.get_attribute("fill")
    assert before in ("#d4d8db", "url(#blank)")
    forsyth.hover()
    assert "Forsyth County, North Carolina" in page.locator(".tip").inner_text()
    assert "78.7%" in page.locator(".tip").inner_text()
    page.get_by_label("Count weak figures in").check()
    page.wait_for_function("document.querySelector('#rank-note').innerText.includes('are Weak')")
    page.get_by_label("Year", exact=True).select_option("2019")
    page.wait_for_function("document.body.dataset.ready === 'share_employed county 2019'")
    assert "planning regions" not in page.locator("#map-notes").inner_text()
    assert page.locator("#map path[data-id='09001']").get_attribute("fill") != "url(#blank)"


def test_ranking_equals_the_published_file(page, address, national):
    _open(page, address, "counties")
    wide = _published(national)["county"].filter(pl.col("year") == 2022)
    counted = wide.filter(pl.col("share_employed_quality").is_in(["Strong", "Marginal"]))
    best = counted.sort("share_employed", descending=True).head(25)
    ids = page.locator("#rank tbody tr").evaluate_all("rows => rows.map(r => r.dataset.id)")
    assert ids == (best["state"] + best["county"]).to_list()
    assert f"{counted.height:,} of {wide.height:,} counties ranked" in page.locator("#rank-note").inner_text()
    page.get_by_label("Order").select_option("low")
    worst = counted.sort("share_employed").head(1)
    first = (worst["state"] + worst["county"]).item()
    page.wait_for_selector(f"#rank tbody tr:first-child[data-id='{first}']")
    page.get_by_role("combobox", name="Find a county").fill("37067")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#rank tr.mark[data-id='{FORSYTH}']")


def test_map_of_cities(page, address):
    _open(page, address, "cities")
    assert page.locator("#map path.dot").count() >= page.locator("#rank tbody tr").count() > 5
    assert page.locator(f"#map path.dot[data-id='{WINSTON_SALEM}']").count() == 1
    assert page.locator("#map path.dot[data-id='0644000']").count() == 0
    page.get_by_label("State").select_option("")
    page.wait_for_selector("#map path.dot[data-id='0644000']")
    page.get_by_label("Metric").select_option("ratio_living_wage")
    page.wait_for_function("document.body.dataset.ready.startsWith('ratio_living_wage county')")


def test_profile_of_a_place(page, address, national):
    _open(page, address, "profile")
    assert page.get_by_role("heading", level=1).inner_text() == "Forsyth County, North Carolina"
    facts = json.loads((national / "explorer/data/catalog.json").read_text())
    assert page.locator("tr[data-metric]").count() == len(facts["metrics"])
    row = page.locator("tr[data-metric=share_employed]").inner_text()
    wide = _published(national)["county"]
    for text in ("81.5%", "78.7% to 84.3%", "Strong", "not a real change"):
        assert text in row
    medians = json.loads((national / "explorer/data/medians/US.json").read_text())
    assert f"{medians['share_employed']['county']['2023']:.1%}" in row
    people = wide.filter((pl.col("state") == "37") & (pl.col("county") == "067")).sort("year")["population"].last()
    assert f"{people:,} people" in page.locator(".facts").inner_text()
    assert "same census region" in page.locator(".peers").inner_text()
    assert page.locator(".peers a").count() == 5
    page.emulate_media(media="print")
    assert not page.get_by_role("button", name="Print").is_visible()
    assert not page.locator("#search-input").is_visible()
    assert page.locator("tr[data-metric=share_employed]").is_visible()
    page.emulate_media(media="screen")
    page.get_by_role("link", name="Compare with its peers").click()
    page.wait_for_function("document.body.dataset.ready === '6'")


def test_profile_of_a_city_names_what_has_no_city_figures(page, address):
    page.goto(f"{address}/profile.html?place={WINSTON_SALEM}")
    page.wait_for_function("document.body.dataset.ready === 'profile'")
    assert "counties only" in page.locator("tr[data-metric=ratio_living_wage]").inner_text()


# --- Made-up figures, and figures that several areas share ------------------------------------------------------------


@pytest.fixture(scope="module")
def marked(national, tmp_path_factory) -> Iterator[str]:
    """A small synthetic release with the shape of a planning region, and a figure that three counties share."""
    folder = tmp_path_factory.mktemp("marked")
    here = (pl.col("geoid") == FORSYTH) & (pl.col("year") == 2023)
    pl.scan_parquet(national / "estimates.parquet").filter(
        pl.col("state").is_in(["09", "37"]) & (pl.col("predictor") == "employment")
    ).with_columns(pl.when(here).then(3).otherwise(1).cast(pl.Int32).alias("n_areas")).collect().write_parquet(
        folder / "estimates.parquet"
    )
    ring = [[-72.9, 41.5], [-72.9, 42.0], [-72.3, 42.0], [-72.3, 41.5], [-72.9, 41.5]]
    region = {"type": "Feature", "id": "09110", "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]}}
    write_explorer(folder, replace(META, synthetic=True), regions={"type": "FeatureCollection", "features": [region]})
    with served(folder / "explorer") as at:
        yield at


def test_every_page_says_that_figures_are_made_up(browser, marked):
    page = browser.new_page()
    for path in (f"index.html#places={FORSYTH}", "country.html", f"profile.html?place={FORSYTH}", "about.html"):
        page.goto(f"{marked}/{path}")
        page.wait_for_function("document.body.dataset.ready !== undefined")
        assert page.get_by_text("SYNTHETIC: generated figures").is_visible()
        assert page.title().startswith("SYNTHETIC") or "SYNTHETIC" in page.title()
    page.goto(f"{marked}/profile.html?place={FORSYTH}")
    page.emulate_media(media="print")
    assert page.get_by_text("SYNTHETIC: generated figures").is_visible()
    page.close()


def test_a_shared_figure_says_how_many_counties_it_describes(browser, marked):
    page = browser.new_page(accept_downloads=True)
    page.set_default_timeout(PATIENCE)
    _compare(page, marked, (FORSYTH, GUILFORD))
    card = _card(page, "share_employed")
    told = card.locator(".sentences li").all_inner_texts()
    assert "This value describes an area of 3 counties." in told[0]
    assert "describes an area" not in told[1]
    with page.expect_download() as waiting:
        card.get_by_role("button", name="Download CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text())))
    assert all(row["notice"].startswith("SYNTHETIC") for row in rows)
    assert {row["areas_described"] for row in rows if row["geoid"] == FORSYTH and row["year"] == "2023"} == {"3"}
    with page.expect_download() as waiting:
        card.get_by_role("button", name="Picture (SVG)").click()
    assert "SYNTHETIC" in Path(waiting.value.path()).read_text()
    page.goto(f"{marked}/profile.html?place={FORSYTH}")
    page.wait_for_function("document.body.dataset.ready === 'profile'")
    assert "describes an area of 3 counties" in page.locator("tr[data-metric=share_employed]").inner_text()
    page.close()


def test_planning_regions_are_drawn_where_their_shapes_are_at_hand(browser, marked):
    page = browser.new_page()
    page.goto(f"{marked}/country.html#metric=share_employed&year=2022&state=09")
    page.wait_for_function("document.body.dataset.ready === 'share_employed county 2022'")
    ids = page.locator("#map path.area").evaluate_all("areas => areas.map(a => a.dataset.id)")
    assert ids == ["09110"]
    box = page.locator("#map path.area").bounding_box()
    assert box["width"] > 50
    assert "8 planning regions" in page.locator("#map-notes").inner_text()
    page.goto(f"{marked}/about.html")
    page.goto(f"{marked}/country.html#metric=share_employed&year=2021&state=09")
    page.wait_for_function("document.body.dataset.ready === 'share_employed county 2021'")
    assert page.locator("#map path.area").count() == 8
    page.close()


# --- The rule of the verdict ------------------------------------------------------------------------------------------


def _figure(value, lb=None, ub=None, *, year=2018, sample="acs1", period=None, quality=1) -> dict[str, Any]:
    return {
        "value": value,
        "lb": lb,
        "ub": ub,
        "year": year,
        "sample": sample,
        "period": period,
        "quality": quality if value is not None else 0,
        "reason": "" if value is not None else "Too few people.",
        "group": "All",
        "kind": "all",
    }


SHARE = {"interval": "sampling", "percentile": False, "minimum": 0, "maximum": 1, "unit": "share", "pair": False}
NEW_AREAS = {"last": 2021, "year": 2022, "kind": "sampling areas", "text": "New areas.", "sample": "acs1"}
REGIONS = {"last": 2021, "year": 2022, "kind": "geography", "text": "Regions.", "states": ["09"]}
INCOME_LINE = {"last": 2018, "year": 2023, "kind": "definition", "text": "A line moves.", "groups": ["income"]}
SHARED = {"last": 2014, "year": 2023, "kind": "note", "text": "Shared interviews."}
T, Z = 1.990, 1.96


def _around(value: float, se: float, quantile: float, **more: Any) -> dict[str, Any]:
    return _figure(value, value - quantile * se, value + quantile * se, **more)


CASES: dict[str, tuple[dict, dict, dict, list, str, str]] = {
    # |0.0392| against 1.96 * sqrt(2) * 0.01 * 1.41...: just above and just below the limit of 0.03920
    "above": (_around(0.5, 0.02, T), _around(0.5556, 0.02, T, year=2023), SHARE, [], "37", "real"),
    "below": (_around(0.5, 0.02, T), _around(0.5553, 0.02, T, year=2023), SHARE, [], "37", "not-real"),
    # The same intervals outside the survey: a standard error that is 1.99/1.96 times larger.
    "above, not ACS": (
        _around(0.5, 0.02, T, sample="seda"),
        _around(0.5556, 0.02, T, year=2023, sample="seda"),
        SHARE,
        [],
        "37",
        "not-real",
    ),
    "2 of 5 years shared": (
        _around(0.5, 0.02, T, sample="acs5", period="2014-2018"),
        _around(0.545, 0.02, T, year=2021, sample="acs5", period="2017-2021"),
        SHARE,
        [],
        "37",
        "real",
    ),
    "2 of 5 years shared, less": (
        _around(0.5, 0.02, T, sample="acs5", period="2014-2018"),
        _around(0.542, 0.02, T, year=2021, sample="acs5", period="2017-2021"),
        SHARE,
        [],
        "37",
        "not-real",
    ),
    "none shared": (
        _around(0.5, 0.02, T, sample="acs5", period="2014-2018"),
        _around(0.545, 0.02, T, year=2023, sample="acs5", period="2019-2023"),
        SHARE,
        [],
        "37",
        "not-real",
    ),
    "percentile, apart": (
        _figure(10, 9, 11),
        _figure(14, 12, 16, year=2023),
        SHARE | {"percentile": True, "maximum": None},
        [],
        "37",
        "real",
    ),
    "percentile, touching": (
        _figure(10, 9, 12),
        _figure(14, 12, 16, year=2023),
        SHARE | {"percentile": True},
        [],
        "37",
        "cannot-tell",
    ),
    "clipped at 1": (_figure(0.95, 0.8, 1.0), _figure(0.7, 0.65, 0.82, year=2023), SHARE, [], "37", "cannot-tell"),
    "clipped at 0, apart": (_figure(0.01, 0.0, 0.1), _figure(0.5, 0.4, 0.6, year=2023), SHARE, [], "37", "real"),
    "1-year and 5-year": (
        _around(0.1, 0.001, T),
        _around(0.9, 0.001, T, year=2023, sample="acs5"),
        SHARE,
        [],
        "37",
        "not-comparable",
    ),
    "break of areas, both good": (
        _around(0.5, 0.02, T, quality=2),
        _around(0.7, 0.02, T, year=2023),
        SHARE,
        [NEW_AREAS],
        "37",
        "real",
    ),
    "break of areas, one weak": (
        _around(0.5, 0.02, T, quality=3),
        _around(0.7, 0.02, T, year=2023),
        SHARE,
        [NEW_AREAS],
        "37",
        "not-comparable",
    ),
    "after the break": (
        _around(0.5, 0.02, T, year=2022, quality=3),
        _around(0.7, 0.02, T, year=2023),
        SHARE,
        [NEW_AREAS],
        "37",
        "real",
    ),
    "break of other groups": (
        _around(0.5, 0.02, T),
        _around(0.7, 0.02, T, year=2023),
        SHARE,
        [INCOME_LINE, SHARED],
        "37",
        "real",
    ),
    "break of this group": (
        _around(0.5, 0.02, T),
        _around(0.7, 0.02, T, year=2023) | {"kind": "income"},
        SHARE,
        [INCOME_LINE],
        "37",
        "not-comparable",
    ),
    "break elsewhere": (_around(0.5, 0.02, T), _around(0.7, 0.02, T, year=2023), SHARE, [REGIONS], "37", "real"),
    "break here": (_around(0.5, 0.02, T), _around(0.7, 0.02, T, year=2023), SHARE, [REGIONS], "09", "not-comparable"),
    "no interval": (_figure(0.5), _figure(0.9, year=2023), SHARE | {"interval": "none"}, [], "37", "cannot-tell"),
    "one bound": (_figure(0.5, 0.4), _figure(0.9, 0.8, 0.95, year=2023), SHARE, [], "37", "cannot-tell"),
    "no width": (_figure(0.5, 0.5, 0.5), _figure(0.9, 0.9, 0.9, year=2023), SHARE, [], "37", "cannot-tell"),
    "missing": (_figure(None), _figure(0.9, 0.8, 0.95, year=2023), SHARE, [], "37", "missing"),
    "suppressed counts, overlapping": (
        _figure(20, 18, 24, sample="edfacts"),
        _figure(26, 23, 30, year=2022, sample="edfacts"),
        SHARE | {"interval": "suppression", "maximum": None},
        [],
        "37",
        "cannot-tell",
    ),
    "suppressed counts, apart": (
        _figure(20, 20, 20, sample="edfacts"),
        _figure(26, 23, 30, year=2022, sample="edfacts"),
        SHARE | {"interval": "suppression", "maximum": None},
        [],
        "37",
        "real",
    ),
}


def test_verdicts(page, address):
    page.goto(f"{address}/about.html")
    page.wait_for_function("document.body.dataset.ready === 'about'")
    found = page.evaluate(
        """async (cases) => {
          const { verdict } = await import('./js/change.js');
          const place = (state) => ({ level: 'county', state });
          return cases.map(([a, b, metric, breaks, state]) => verdict(a, b, metric, breaks, place(state)));
        }""",
        [list(case[:5]) for case in CASES.values()],
    )
    kinds = {name: told["kind"] for name, told in zip(CASES, found, strict=True)}
    assert kinds == {name: case[5] for name, case in CASES.items()}
    assert all(told["why"] for told in found)
    limits = {name: told["limit"] for name, told in zip(CASES, found, strict=True)}
    assert limits["above"] == pytest.approx(Z * 0.02 * 2**0.5)
    assert limits["above, not ACS"] == pytest.approx(Z * 0.02 * T / Z * 2**0.5)
    assert limits["2 of 5 years shared"] == pytest.approx(Z * 0.02 * 2**0.5 * 0.6**0.5)
