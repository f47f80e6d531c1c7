"""The explorer: a static site that goes with a release, made from the release's own published files.

    explorer/index.html, country.html, profile.html, about.html   pages; plain HTML, CSS and ES modules
    explorer/vendor/                                              libraries, fonts and shapes, with licences
    explorer/data/catalog.json                                    what there is: metrics, years, groups, notes, breaks
    explorer/data/places.json                                     all counties and cities
    explorer/data/place/<geoid>.json                              all figures of one place
    explorer/data/metric/<metric>/<level>-<year>.json             one metric and year, everywhere
    explorer/data/medians/<US or state code>.json                 medians of the nation and of each state

Any web server can serve the folder; nothing is fetched from elsewhere. The same release gives the same bytes.
"""

from outputs.explorer.build import EXPLORER, write_explorer

__all__ = ["EXPLORER", "write_explorer"]
