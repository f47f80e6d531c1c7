"""The account as a page of HTML: whole, self-contained, safe, and saying what the text says."""

from html.parser import HTMLParser

import polars as pl
import pytest
from test_outputs_explain import MADE, PREDICTOR, REST, ROW, tell

from metrics.explanation import Explanation, Step
from outputs.explain import account
from outputs.glossary import INPUT_COLUMNS
from outputs.page import MOST_ROWS, as_html, headline

VOID = {"meta", "line", "circle", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Text and tags of a page; refuses tags that are closed in the wrong order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.said, self.ids = [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [v for k, v in attrs if k == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.said.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.said).split())


CODE = {"version": "c0de", "module": "metrics.x", "built_at": "2026-01-03", "command": "mobility trace 37067"}


def test_the_page_says_everything():
    page = Page(as_html(tell(code=CODE)))
    for said in (
        "Share of adults ages 25 to 54 who are employed",
        "Forsyth County, North Carolina",
        "(county 37067), 2021, everyone",
        "75.0%",
        "exactly 0.75 (share)",
        "95 % interval: 0.7 to 0.8",
        "Quality: Marginal (2)",
        "area smaller than its sampling area: The survey samples",
        "puma2010-37-01801, shared with 2 other areas",
        "75 / 100 = 0.75",
        "Worked out again: 0.75; agrees with the stored figure to the last digit",
        "01801 0.5 1200",
        "ages 25 to 54 1,000 400 600",
        "effective sample 38.5 at least 30 kept",
        "One PUMA lies outside in part.",
        "Armed forces count as employed.",
        "We publish the codes of the year.",
        "usa.dat.gz",
        "ab12",
        "2026-01-02",
        "IPUMS terms of use",
        "passed gate",
        "FAILED coverage 3 of 4",
        "2 checks: 1 failed",
        "Release 2026.1",
        "c0de",
        "mobility trace 37067",
    ):
        assert said in page.text, said
    assert "SYNTHETIC" not in page.text
    assert "SYNTHETIC" in Page(as_html(tell(synthetic=True))).text


def test_the_page_stands_alone_and_can_be_read_by_everyone():
    page = Page(as_html(tell(code=CODE)))
    names = [t for t, _ in page.tags]
    assert not {"script", "link", "img", "iframe"} & set(names)
    assert not [a for t, a in page.tags if "src" in a or any(k.startswith("on") for k in a)]
    assert dict(page.tags)["html"]["lang"] == "en"
    assert names.count("h1") == 1
    assert len(page.ids) == len(set(page.ids))
    jumps = [a["href"].removeprefix("#") for t, a in page.tags if t == "a" and a.get("href", "").startswith("#")]
    assert jumps
    assert set(jumps) <= set(page.ids)
    assert all(a.get("scope") for t, a in page.tags if t == "th")
    assert names.count("table") == names.count("caption")


def test_what_comes_from_files_cannot_break_out_of_the_page():
    nasty = "<script>alert('x')</script>"
    made = Explanation(
        nasty, 0.75, pl.DataFrame({"name": [nasty]}), (nasty,), (Step(nasty, 1, 1, nasty),), (), (nasty,)
    )
    files = [REST["provenance"][0] | {"url": "javascript:alert(1)", "file": nasty}]
    html = as_html(tell(made=made, name=nasty, provenance=files))
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert 'href="javascript' not in html


def test_a_figure_that_differs_or_is_missing_says_so():
    made = Explanation("f", 0.7500000000000001, MADE.inputs, ())
    assert "Worked out again: DIFFERS" in Page(as_html(tell(made=made))).text
    row = ROW | dict.fromkeys(("value", "lb", "ub", "quality", "n", "n_effective", "se", "estimation_area"))
    row |= {"reason": "input owed"}
    told = account(row, Explanation("not computed", None, pl.DataFrame(), ()), predictor=PREDICTOR)
    text = Page(as_html(told)).text
    assert "No figure" in text
    assert "Input owed. A source file this figure needs" in text
    assert "Worked out again: no figure, as stored" in text
    assert "Input rows" not in text


def test_very_many_rows_are_cut_and_the_page_says_so():
    made = Explanation("f", 0.75, pl.DataFrame({"tract": [f"t{i}" for i in range(MOST_ROWS + 1)]}), ())
    text = Page(as_html(tell(made=made))).text
    assert f"The first {MOST_ROWS} of {MOST_ROWS + 1} rows" in text
    assert f"t{MOST_ROWS} " not in text


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.7034, "share", "70.3%"),
        (41234.6, "dollars", "$41,235"),
        (12.0, "count", "12"),
        (0.8507983, "ratio", "0.851"),
        (1234.567, "rate per 100,000", "1,234.6"),
        (None, "share", "missing"),
    ],
)
def test_headline(value, unit, said):
    assert headline(value, unit) == said


def test_the_glossary_is_in_whole_sentences():
    assert all(meaning.endswith((".", "it.")) and meaning[0].isupper() for meaning in INPUT_COLUMNS.values())
