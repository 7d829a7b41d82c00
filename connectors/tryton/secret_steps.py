"""How does a person come by the secret of a Tryton account?"""

from __future__ import annotations


def steps(key: str) -> list[str]:
    """What to do in Tryton for the secret of a key of the settings, line by line."""
    return [
        "In Tryton, as an administrator: Administration > Users > Users > New.",
        "Give the user a login, a password, and the groups Party, Sales and Marketing (as far as they are installed).",
        "The groups must let it read parties and sales, and create and write party categories and mailing lists.",
        "Choose the company that it works for under Companies and Current Company.",
    ]
