"""How does a person come by the API key of an Odoo account?"""

from __future__ import annotations


def steps(key: str) -> list[str]:
    """What to do in Odoo for the secret of a key of the settings, line by line."""
    return [
        "In Odoo, as an administrator: Settings > Users > New, a user of its own with the rights to contacts, sales and e-mail marketing.",
        "Log in as that user: Preferences > Account Security > New API Key. Copy the key: Odoo shows it once.",
        "Where the program is to create fields itself, the user needs Administration: Settings; else an administrator makes them.",
    ]
