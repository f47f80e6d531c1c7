"""The register of deviations: ids are unique, and the page in docs is made from it."""

from metrics.catalog import catalog
from outputs.deviations import page
from pipelines.settings import PROJECT


def test_page_is_up_to_date():
    assert (PROJECT / "docs" / "deviations.md").read_text() == page(catalog()), "run `make docs`"


def test_ids_are_unique_and_every_field_is_told():
    register = [d for entry in catalog().values() for d in entry.deviations]
    assert len({d.id for d in register}) == len(register)
    for deviation in register:
        for field in ("reference", "ours", "why", "effect"):
            assert getattr(deviation, field).strip(), f"{deviation.id}: {field}"
