"""Make what of the documentation is made: see ``tests.documentation``."""

from __future__ import annotations

import argparse

from tests.documentation import consoles, parts, pictures, reference, site


def main() -> None:
    """Write, build or draw."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.documentation", description="Make what of the documentation is made."
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("pages", "site", "pictures"),
        default="pages",
        help="pages: the reference, and the output of commands in other pages (default); "
        "site: the site, strictly; pictures: screenshots and the output of the demo",
    )
    match parser.parse_args().what:
        case "pages":
            reference.write()
            parts.write()
            consoles.write()
        case "site":
            site.build()
        case "pictures":
            pictures.make()


main()
