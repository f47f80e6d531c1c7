"""Look the locked packages up in the OSV database of known weaknesses. Without a network it is skipped, and says so."""

import re
import sys
from pathlib import Path

import httpx

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
ADDRESS = "https://api.osv.dev/v1/querybatch"
TIMEOUT = httpx.Timeout(30.0, connect=4.0)


def locked(text: str) -> list[tuple[str, str]]:
    """Name and version of each package of a lock file."""
    return re.findall(r"(?m)^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", text)


def known(packages: list[tuple[str, str]], address: str = ADDRESS) -> dict[str, list[str]]:
    """Package and version -> identifiers of known weaknesses. `httpx.HTTPError` if the database cannot be asked."""
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, version in packages]
    answer = httpx.post(address, json={"queries": queries}, timeout=TIMEOUT)
    answer.raise_for_status()
    results = answer.json()["results"]
    if len(results) != len(packages):
        raise httpx.DecodingError(f"{len(results)} answers to {len(packages)} questions")
    return {
        f"{name} {version}": [v["id"] for v in result["vulns"]]
        for (name, version), result in zip(packages, results, strict=True)
        if result.get("vulns")
    }


def main() -> int:
    """0 if nothing is known or nobody can be asked, 1 if a locked package has a known weakness."""
    packages = locked(LOCK.read_text(encoding="utf-8"))
    try:
        found = known(packages)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        print(f"audit skipped: the database of weaknesses cannot be asked ({type(error).__name__})")
        return 0
    for package, weaknesses in found.items():
        print(f"{package}: {', '.join(weaknesses)}")
    print(f"audit: {len(packages)} packages, {len(found)} with known weaknesses")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
