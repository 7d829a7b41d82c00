"""How does an account come by a session? Client credentials, JWT bearer, refresh token, or name, password and security token.

The first, second and last are simple-salesforce's; the refresh token it does not know. Salesforce tells of no life of a
session: it is renewed when a call is refused. Secrets travel in bodies and headers, never in an address.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import requests

from connectors.bodies import decoded
from connectors.errors import AccessError
from connectors.salesforce.answers import locked_out
from connectors.salesforce.client import Manner, Sender
from connectors.salesforce.refusals import shown
from connectors.transport import Call, Transport

_SOAP_VERSION = "64.0"  # the last in which a name and a password log in (SOAP API Developer Guide, "login()")
_LOG_IN = Manner(anonymous=True, timeout=(5, 60))
_USER = re.compile(r'(?:"id"\s*:\s*"[^"]*/|<userId>)(005\w{12,15})')


class LogIn:
    """Called, it logs in and answers (session, None), or raises AccessError where a person must mend something.

    ``user`` is then the id of whom the session belongs to; "" where Salesforce did not tell.
    """

    user = ""

    def __init__(self, account: str, settings: Any, transport: Transport) -> None:
        self._account, self._settings, self._transport = account, settings, transport
        self._refresh = settings.refresh_token.get_secret_value() if settings.refresh_token is not None else ""

    def __call__(self) -> tuple[str, float | None]:
        return (self._by_refresh_token() if self._refresh else self._by_library()), None

    def _by_library(self) -> str:
        from simple_salesforce.exceptions import SalesforceAuthenticationFailed
        from simple_salesforce.login import SalesforceLogin

        sender = _Overhearing(self._transport, self._settings.log_in_url, _LOG_IN)
        try:
            session, _instance = SalesforceLogin(session=sender, **_given(self._settings))
        except SalesforceAuthenticationFailed as error:
            raise locked_out(self._account, str(error.code), shown(str(error.message))) from None
        except (ValueError, TypeError) as error:
            raise AccessError(f"private_key of account {self._account} is no RSA key in PEM form: {type(error).__name__}") from None
        if not session:
            url = self._settings.log_in_url
            raise AccessError(f"the log-in of account {self._account} at {url} answers no session: is it Salesforce's address?")
        self.user = sender.user
        return str(session)

    def _by_refresh_token(self) -> str:
        """One that Salesforce rotates is kept for the life of this process only."""
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh, "client_id": self._settings.client_id}
        if self._settings.client_secret is not None:
            form["client_secret"] = self._settings.client_secret.get_secret_value()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        url = f"{self._settings.log_in_url}/services/oauth2/token"
        response = self._transport.send(Call("POST", url, headers=headers, body=urlencode(form).encode(), anonymous=True))
        told = decoded(response)
        if response.status_code != 200 or not isinstance(told, dict) or not told.get("access_token"):
            told = told if isinstance(told, dict) else {}
            raise locked_out(self._account, str(told.get("error") or response.status_code), shown(str(told.get("error_description") or "")))
        self._refresh = told.get("refresh_token") or self._refresh
        self.user = _user(response)
        return str(told["access_token"])


class _Overhearing(Sender):
    """The library keeps of an answer the session only; this hears whose it is."""

    user = ""

    def request(self, *given: Any, **named: Any) -> requests.Response:
        response = super().request(*given, **named)
        self.user = _user(response)
        return response


def _user(response: requests.Response) -> str:
    """The id at the end of ``id`` in an OAuth answer, or of ``userId`` in SOAP's."""
    found = _USER.search(response.text)
    return found[1] if found else ""


def _given(settings: Any) -> dict[str, Any]:
    """What simple-salesforce wants to be given for each of the ways."""
    domain = "test" if settings.sandbox else "login"
    if settings.private_key is not None:
        key = settings.private_key.get_secret_value()
        return {"username": settings.username, "consumer_key": settings.client_id, "privatekey": key, "domain": domain}
    if settings.password is not None:
        token = settings.security_token.get_secret_value() if settings.security_token else ""
        secret = settings.password.get_secret_value()
        return {
            "username": settings.username,
            "password": secret,
            "security_token": token,
            "domain": domain,
            "sf_version": _SOAP_VERSION,
            "client_id": "crm-segments",
        }
    secret = settings.client_secret.get_secret_value()
    return {"consumer_key": settings.client_id, "consumer_secret": secret, "domain": "my"}  # the sender knows the true host
