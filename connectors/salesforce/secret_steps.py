"""How does a person come by the secrets of an org's account, and what must its user be allowed?"""

from __future__ import annotations

from collections.abc import Mapping

_APP = (
    "In Salesforce, as an administrator: Setup > External Client App Manager > New External Client App.",
    'Enable OAuth, with the scope "Manage user data via APIs (api)".',
)
_STEPS: Mapping[str, tuple[str, ...]] = {
    "client_secret": (
        *_APP,
        'Tick "Enable Client Credentials Flow". Tick it again under Policies > OAuth Policies > Edit, and name a user as Run As.',
        "Copy the consumer secret: Settings > OAuth Settings.",
    ),
    "private_key": (
        *_APP,
        'Tick "Enable JWT Bearer Flow", and upload the certificate. The secret is its private key, a file from -----BEGIN to -----END.',
        "It has several lines: give the file as input, as in `crm-segments login salesforce < key.pem`.",
    ),
    "refresh_token": (
        *_APP,
        'Add the scope "Perform requests at any time (refresh_token)", and authorise the app: the answer holds the refresh token.',
    ),
    "password": ("The password of the user. New orgs refuse this log-in, and all will from Summer '27.",),
    "security_token": ("As this user in Salesforce: Settings > My Personal Information > Reset My Security Token.",),
}  # fmt: skip
RIGHTS = (
    "The user needs, in a permission set:",
    '  "API Enabled"                                                always',
    '  read and edit on Contacts, with "View All"                   always',
    '  read on Opportunities and their contact roles, "View All"    if purchases are opportunities',
    '  "View Setup and Configuration"                               so that a plan names the flows that it would start',
)


def steps(key: str) -> list[str]:
    """What to do in Salesforce for the secret of a key of the settings, line by line."""
    return [*_STEPS[key], *(RIGHTS if key != "security_token" else ())]
