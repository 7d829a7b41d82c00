"""Which module gives the party fields of ours, for an administrator who wants values in fields in place of categories?"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.contract import FieldSpec

_CLASSES = {"number": "Float", "date": "Date"}  # all else is text, which may be filtered as people like
_INIT = """from trytond.pool import Pool

from . import party


def register():
    Pool.register(party.Party, module="crm_segments", type_="model")
"""
_PARTY = """from trytond.model import fields
from trytond.pool import PoolMeta


class Party(metaclass=PoolMeta):
    __name__ = "party.party"
"""
_XML = """<?xml version="1.0"?>
<tryton>
  <data>
    <record model="ir.ui.view" id="party_view_tree">
      <field name="model">party.party</field>
      <field name="inherit" ref="party.party_view_tree"/>
      <field name="name">party_tree</field>
    </record>
  </data>
</tryton>
"""


def files(fields: Sequence[FieldSpec]) -> dict[str, str]:
    """The files of the module ``crm_segments``, to be copied to the server's modules and activated there."""
    ours = [spec for spec in fields if spec.record_type == "contact" and not spec.retired]
    lines = [
        f"    {spec.name} = fields.{_CLASSES.get(spec.type, 'Char')}({(spec.label or spec.name)!r})"
        for spec in ours
    ]
    columns = "".join(f'    <field name="{spec.name}" optional="1"/>\n' for spec in ours)
    view = f'<?xml version="1.0"?>\n<data>\n  <xpath expr="//tree" position="inside">\n{columns}  </xpath>\n</data>\n'
    return {
        "crm_segments/__init__.py": _INIT,
        "crm_segments/party.py": _PARTY + "\n".join(lines or ["    pass"]) + "\n",
        "crm_segments/party.xml": _XML,
        "crm_segments/tryton.cfg": "[tryton]\nversion=8.2.0\ndepends:\n    party\nxml:\n    party.xml\n",
        "crm_segments/view/party_tree.xml": view,
    }
