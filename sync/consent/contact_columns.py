"""By which columns of a file can a person be contacted, and through which channels?

A file that holds one must say its channel, and may hold only who may be reached by it. What is not told by the
name of a column is told by its cells: an id may be an address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from connectors.schemas import CHANNELS
from connectors.values.folding import folded
from sync.config.settings import AttributeSettings

_BY_ADDRESS = ("email", "ads")
_BY_NUMBER = ("phone", "sms", "ads")
_BY_LETTER = ("post", "ads")

# columns of ``sync.store.segment_members`` → the channels that they serve
_OWN = {
    "email": _BY_ADDRESS,
    "phone": _BY_NUMBER,
    **dict.fromkeys(("name", "first_name", "last_name"), CHANNELS),
}
# what the name of an attribute, or of its field, says: letters that stand in it
_WORDS = (
    (("mail",), _BY_ADDRESS),
    (("phone", "mobile", "telefon", "handy", "whatsapp", "telnr"), _BY_NUMBER),
    (("street", "strasse", "address", "adresse", "hausnummer"), _BY_LETTER),
    (("firstname", "lastname", "surname", "fullname", "vorname", "nachname"), CHANNELS),
)
_ADDRESS = r"[^@\s]@[^@\s]+\.[^@\s]"
_NUMBER = r"^\s*(\+|00)[1-9][0-9 ()/.\-]{6,}$"


def channels_of(column: str, attributes: Mapping[str, AttributeSettings]) -> tuple[str, ...] | None:
    """The channels that a column serves by its name; None: nobody can be contacted by it."""
    if column in _OWN:
        return _OWN[column]
    attribute = attributes.get(column)
    if attribute is None or attribute.type not in ("text", "set"):
        return None
    letters = re.sub(r"[\W\d_]", "", folded(f"{column} {attribute.field}")).replace("ß", "ss")
    return next((channels for words, channels in _WORDS if any(word in letters for word in words)), None)


def channels_of_cells(cells: pa.Array) -> tuple[str, ...] | None:
    """The same by what stands in the column."""
    if not pa.types.is_string(cells.type):
        return None
    for pattern, channels in ((_ADDRESS, _BY_ADDRESS), (_NUMBER, _BY_NUMBER)):
        if pc.any(pc.match_substring_regex(cells, pattern)).as_py():
            return channels
    return None
