"""How is a CRM in the cloud reached? What ``init`` asks for it, and the lines of its account.

Secrets are named, never asked for.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from connectors import settings_model
from sync.config.secret import FORMS, SecretError, is_reference, secret
from sync.exit_codes import UsageError
from sync.sentence import sentence

Ask = Callable[[str, str], str]  # question, proposed answer → answer
_TRIES = 3
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_URL = re.compile(r"https://[^\s/]+\S*|http://(localhost|127\.0\.0\.1|\[::1\])\S*")


@dataclass(frozen=True)
class Access:
    """What an account of a CRM needs to be reached."""

    account: str  # how the config calls it
    secret: str  # the key that holds the secret ...
    variable: str  # ... and the environment variable that is proposed for it
    about: str
    api_url: str = ""  # where the CRM is unless somebody says otherwise; "": every customer has another
    client_id: bool = False


ACCESS: Mapping[str, Access] = {
    "hubspot": Access(
        "portal", "token", "HUBSPOT_TOKEN", "of a service key or private app", "https://api.hubapi.com"
    ),
    "salesforce": Access("org", "client_secret", "SALESFORCE_SECRET", "of the connected app", client_id=True),
}


def asked(ask: Ask, question: str, proposed: str, right: Callable[[str], str]) -> str:
    """An answer that is right; a wrong one is told why and asked again.

    ``right`` answers "" or what is wrong. Usage after three.
    """
    put = question
    for _ in range(_TRIES):
        answer = ask(put, proposed).strip()
        wrong = right(answer)
        if not wrong:
            return answer
        put = f"{sentence(wrong)} {question}"
        if answer == proposed:
            break
    raise UsageError(wrong)


def lines(crm: str, given: Mapping[str, str | None], ask: Ask) -> list[str]:
    """The lines of the account's table that say how it is reached.

    ``given``: api_url, client_id and secret (a variable's name, or a reference).
    """
    access = ACCESS[crm]
    written = [f"{key} = {json.dumps(value)}" for key, value in reached(crm, given, ask).items()]
    question = f"Environment variable with the {access.secret.replace('_', ' ')} {access.about}"
    secret = _answered(given, ask, "secret", question, access.variable, _secret_place)
    reference = secret if is_reference(secret) else f"env:{secret}"
    written.append(
        f"{access.secret} = {json.dumps(reference)}    # {access.about}; only where it is stands here"
    )
    return written


def reached(crm: str, given: Mapping[str, str | None], ask: Ask) -> dict[str, str]:
    """The settings of an account, beside its secret, that say where the CRM is: api_url unless it is the usual
    one, client_id where it is needed. What is not ``given`` is asked for.
    """
    access = ACCESS[crm]
    settings = {}
    question = (
        "API URL (press Enter for the default)"
        if access.api_url
        else "URL of the org (https://NAME.my.salesforce.com)"
    )
    url = _answered(given, ask, "api_url", question, access.api_url, _url)
    if url != access.api_url:
        settings["api_url"] = url
    if access.client_id:
        question = "Client ID (consumer key) of the connected app"
        settings["client_id"] = _answered(
            given, ask, "client_id", question, "", lambda text: "" if text else "it is needed"
        )
    return settings


def _answered(
    given: Mapping[str, str | None],
    ask: Ask,
    key: str,
    question: str,
    proposed: str,
    right: Callable[[str], str],
) -> str:
    """What is given, or asked for."""
    stated = given.get(key)
    return asked(ask if stated is None else lambda _q, _p: str(stated), question, stated or proposed, right)


def home_of(crm: str, reached: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """``time_zone`` and ``currency`` of an account, as its CRM tells them, and what is to be said. Nothing
    where its secret is not there.

    ``reached``: the lines of its table in the config.
    """
    from connectors import open_source
    from connectors.contract import Account
    from connectors.errors import ConnectorError

    tree = tomllib.loads("\n".join(reached))
    reference = str(tree[ACCESS[crm].secret])
    try:
        text = secret(reference)
    except SecretError:
        return {}, [
            f"{reference.removeprefix('env:')} is not set: the CRM's time zone and currency are unknown so far; "
            "`crm-segments check` reads them"
        ]
    try:
        settings = settings_model(crm).model_validate({**tree, ACCESS[crm].secret: text})
        source = open_source(Account(ACCESS[crm].account, crm, settings))
        try:
            home = source.account_defaults()
        finally:
            source.close()
    except (ConnectorError, ValidationError) as error:
        what = "the settings are not right" if isinstance(error, ValidationError) else str(error)
        return {}, [
            f"the CRM's time zone and currency could not be read ({what}); `crm-segments check` tries again"
        ]
    return {
        key: value for key, value in (("time_zone", home.time_zone), ("currency", home.currency)) if value
    }, []


def _url(address: str) -> str:
    return (
        ""
        if _URL.fullmatch(address)
        else f"{address!r} is not an address such as https://NAME.my.salesforce.com (plain http only for this machine)"
    )


def _secret_place(name: str) -> str:
    right = (_VARIABLE.fullmatch(name) and len(name) < 60) or is_reference(name)
    return (
        ""
        if right
        else f"that is not the name of an environment variable, such as CRM_TOKEN, nor {FORMS} (the secret itself is never stored)"
    )
