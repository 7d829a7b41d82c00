"""How does an account come by a session? Client credentials, JWT bearer, refresh token, or name, password and security token.

The first, second and last are simple-salesforce's; the refresh token it does not know. Salesforce tells of no life of a
session: it is renewed when a call is refused. Secrets travel in bodies and headers, never in an address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from connectors.errors import AccessError
from connectors.salesforce.answers import decoded, locked_out
from connectors.salesforce.client import Manner, Sender
from connectors.salesforce.refusals import shown
from connectors.transport import Call, Transport

_SOAP_VERSION = "64.0"  # the last in which a name and a password log in (SOAP API Developer Guide, "login()")
_LOG_IN = Manner(anonymous=True, timeout=(5, 60))


def log_in(account: str, settings: Any, transport: Transport) -> Callable[[], tuple[str, float | None]]:
    """A function that logs in and answers (session, None). It raises AccessError where a person must mend something."""
    if settings.refresh_token is not None:
        return _Refresh(account, settings, transport)
    given = _given(settings)

    def fetch() -> tuple[str, float | None]:
        from simple_salesforce.exceptions import SalesforceAuthenticationFailed
        from simple_salesforce.login import SalesforceLogin

        try:
            session, _instance = SalesforceLogin(session=Sender(transport, settings.log_in_url, _LOG_IN), **given)
        except SalesforceAuthenticationFailed as error:
            raise locked_out(account, str(error.code), shown(str(error.message))) from None
        except (ValueError, TypeError) as error:
            raise AccessError(f"private_key of account {account} is no RSA key in PEM form: {type(error).__name__}") from None
        if not session:
            raise AccessError(f"the log-in of account {account} at {settings.log_in_url} answers no session: is it Salesforce's address?")
        return str(session), None

    return fetch


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


class _Refresh:
    """A refresh token; one that Salesforce rotates is kept for the life of this process only."""

    def __init__(self, account: str, settings: Any, transport: Transport) -> None:
        self._account, self._settings, self._transport = account, settings, transport
        self._token = settings.refresh_token.get_secret_value()

    def __call__(self) -> tuple[str, float | None]:
        form = {"grant_type": "refresh_token", "refresh_token": self._token, "client_id": self._settings.client_id}
        if self._settings.client_secret is not None:
            form["client_secret"] = self._settings.client_secret.get_secret_value()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        url = f"{self._settings.log_in_url}/services/oauth2/token"
        response = self._transport.send(Call("POST", url, headers=headers, body=urlencode(form).encode(), anonymous=True))
        told = decoded(response)
        if response.status_code != 200 or not isinstance(told, dict) or not told.get("access_token"):
            told = told if isinstance(told, dict) else {}
            raise locked_out(self._account, str(told.get("error") or response.status_code), shown(str(told.get("error_description") or "")))
        self._token = told.get("refresh_token") or self._token
        return str(told["access_token"]), None
