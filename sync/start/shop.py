"""Orders are exports of a shop, contacts are in a CRM in the cloud: what does ``init`` write for the two?

The shop's account is only read. Its contacts are those of a file, or else whoever ordered; they are found in the
CRM by the e-mail address, or by a field of the CRM that holds the shop's number of the customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sync.exit_codes import CommandError, UsageError
from sync.start.access import ACCESS, Ask, asked, home_of, lines
from sync.start.config_text import Portal
from sync.start.folder import found_in_folder
from sync.start.tables import NONE, Described, Found


def exports_of_shop(path: Path | None, ask: Ask) -> Path | None:
    """The folder that is named, or asked for; None where orders are in the CRM itself."""
    question = f"In which folder are exports of orders, if these are not in the CRM ({NONE} for none)?"
    answer = str(path) if path is not None else ask(question, NONE).strip()
    return None if answer in ("", NONE) else Path(answer)


def found_in_shop(
    config: Path, crm: str, folder: Path, ask: Ask, access: Mapping[str, str | None], described: Described
) -> Found:
    """What the exports hold, and the CRM that gets the segments."""
    found = found_in_folder(config, folder, ask, described, buyers=True)
    match = _match(crm, found, ask, described)
    reached = lines(crm, access, ask)
    home, notes = home_of(crm, reached)
    found.notes += notes
    found.portal = Portal(crm, reached, ACCESS[crm].account, home, match)
    return found


def _match(crm: str, found: Found, ask: Ask, described: Described) -> str:
    """The CRM's field with the id of the shop's contacts; "" where both have addresses. CommandError: neither."""
    contacts = next(guess for guess in found.guesses if guess.stream == "contact")
    if described.match or "email" in contacts.columns:
        return described.match or ""
    needed = (
        f"{', '.join(contacts.names)} tells no e-mail address, so the field of {crm} is needed that holds "
        f"{contacts.columns['id']!r}: name it with --match, or export the address too"
    )
    question = f"Which field of {crm} holds the {contacts.columns['id']!r} of a contact?"
    try:
        return asked(ask, question, "", lambda text: "" if text else needed)
    except UsageError as error:
        raise CommandError(str(error)) from None
