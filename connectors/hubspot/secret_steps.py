"""How does a person come by the secrets of a portal's account, and what must they be allowed?"""

from __future__ import annotations

from collections.abc import Mapping

# scope → when it is needed
SCOPES: Mapping[str, str] = {
    "crm.objects.contacts.read": "always",
    "crm.objects.contacts.write": "always",
    "crm.schemas.contacts.read": "always",
    "crm.schemas.contacts.write": "always",
    "crm.lists.read": "always",
    "crm.lists.write": "always",
    "crm.objects.deals.read": "if purchases are deals",
    "crm.objects.line_items.read": "if purchases are deals with products",
    "crm.objects.orders.read": "if purchases are HubSpot's orders",
    "crm.objects.companies.read": "if companies are segmented",
    "crm.objects.companies.write": "if companies are segmented",
    "crm.schemas.companies.read": "if companies are segmented",
    "crm.schemas.companies.write": "if companies are segmented",
    "sales-email-read": "if a rule uses e-mails of the sales team",
    "automation": "so that a plan names the workflows that it would start",
}
_APP = "In HubSpot, in the settings of your OAuth app, on the page Auth: copy the client secret."


def steps(key: str) -> list[str]:
    """What to do in HubSpot for the secret of a key of the settings, line by line."""
    if key == "client_secret":
        return [_APP]
    if key == "refresh_token":
        return ["Install your OAuth app in the portal: the answer to its code holds the refresh token."]
    width = max(map(len, SCOPES))
    return [
        "In HubSpot, as a super admin: Development > Keys > Service keys > Create service key.",
        "Give it these scopes, and copy the token. The token of a private app that you have works as well.",
        *(f"  {scope:<{width}}  {when}" for scope, when in SCOPES.items()),
    ]
