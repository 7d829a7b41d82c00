"""How does an account come by a session? Client credentials, JWT bearer, refresh token, or name, password and
security token.

The first, second and last are simple-salesforce's; the refresh token it does not know. Salesforce tells of no
life of a session: it is renewed when a call is refused. Secrets travel in bodies and headers, never in an
address. A log-in that is refused is sent once: Salesforce locks out a user who tries again and again.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import requests

from connectors.errors import AccessError, ConnectorError
from connectors.http.refresh_token import KeptToken, refresh
from connectors.http.response_bodies import decoded
from connectors.http.transport import Transport
from connectors.rest.api_errors import without
from connectors.salesforce.api_errors import Refusal, of_answer
from connectors.salesforce.client import Manner, Sender
from connectors.salesforce.response_policy import body_of, locked_out

_SOAP_VERSION = "64.0"  # the last in which a name and a password log in (SOAP API Developer Guide, "login()")
_LOG_IN = Manner(anonymous=True, timeout=(5, 60))
_USER = re.compile(r'(?:"id"\s*:\s*"[^"]*/|<userId>)(005\w{12,15})')


class LogIn:
    """Called, it logs in and answers (session, None), or raises AccessError where a person must fix
    something.

    ``user`` is then the id of whom the session belongs to; "" where Salesforce did not tell.
    """

    user = ""

    def __init__(self, account: str, settings: Any, transport: Transport, folder: Path = Path()) -> None:
        self._account, self._settings, self._transport = account, settings, transport
        self._refresh = ""  # the refresh token that was sent last
        self._kept: KeptToken | None = None
        if settings.refresh_token is not None:
            file = folder / settings.refresh_token_file if settings.refresh_token_file else None
            self._kept = KeptToken(account, settings.refresh_token.get_secret_value(), file)

    def __call__(self) -> tuple[str, float | None]:
        return (self._by_library() if self._kept is None else self._by_refresh_token(self._kept)), None

    def _by_library(self) -> str:
        from simple_salesforce.exceptions import SalesforceAuthenticationFailed
        from simple_salesforce.login import SalesforceLogin

        sender = _Overhearing(self._transport, self._settings.log_in_url, _LOG_IN)
        try:
            # the library would print an address to approve the app at, with its client_id
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                session, _instance = SalesforceLogin(session=sender, **_given(self._settings))
        except SalesforceAuthenticationFailed:
            if sender.last is None or sender.last.status_code != 200:
                raise self._refused(sender.last) from None
            session = None
        except ConnectorError:
            raise
        except Exception as error:  # of the library that signs, or of the one that reads the answer: they have no common base
            if sender.last is None:
                raise AccessError(
                    f"private_key of account {self._account} is not an RSA key in PEM format "
                    f"({type(error).__name__}): copy the file that was "
                    "made with the certificate, from -----BEGIN to -----END, without a passphrase"
                ) from None
            session = None
        if not isinstance(session, str) or not session:
            raise self._foreign()
        self.user = sender.user
        return session

    def _by_refresh_token(self, kept: KeptToken) -> str:
        """One that Salesforce replaces is kept before the session is used."""
        self._refresh = kept.current()
        secret = self._settings.client_secret
        grant = {
            "refresh_token": self._refresh,
            "client_id": self._settings.client_id,
            "client_secret": secret.get_secret_value() if secret is not None else None,
        }
        response = refresh(self._transport, f"{self._settings.log_in_url}/services/oauth2/token", grant)
        answer = decoded(response)
        if response.status_code != 200:
            raise self._refused(response) from None
        if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
            raise self._foreign()
        kept.replace(self._refresh, answer.get("refresh_token"))
        self.user = _user(response)
        return str(answer["access_token"])

    def _foreign(self) -> AccessError:
        return AccessError(
            f"the login of account {self._account} at {self._settings.log_in_url} returned no session: is this Salesforce's address?"
        )

    def _refused(self, response: requests.Response | None) -> ConnectorError:
        """The error that a refused log-in ends in: in the org's own words, of which our secrets are taken
        out.
        """
        if response is None:
            return locked_out(self._account, Refusal("", "the library sent nothing"))
        body = without(body_of(response), self._secrets())
        refusal = of_answer(response.status_code, body)[0]
        return locked_out(self._account, refusal)

    def _secrets(self) -> list[str]:
        """All that must not be shown, the longest first."""
        names = ("client_secret", "private_key", "refresh_token", "password", "security_token")
        given = [
            value.get_secret_value() for name in names if (value := getattr(self._settings, name)) is not None
        ]
        return sorted({*given, self._refresh, self._settings.username or ""} - {""}, key=len, reverse=True)


class _Overhearing(Sender):
    """The library keeps of an answer the session only; this hears whose it is, and what a refusal says."""

    user = ""
    last: requests.Response | None = None

    def request(self, *given: Any, **named: Any) -> requests.Response:
        response = super().request(*given, **named)
        self.user, self.last = _user(response), response
        return response


def _user(response: requests.Response) -> str:
    """The id at the end of ``id`` in an OAuth answer, or of ``userId`` in SOAP's."""
    match = _USER.search(response.text)
    return match[1] if match else ""


def _given(settings: Any) -> dict[str, Any]:
    """What simple-salesforce wants to be given for each of the ways."""
    domain = "test" if settings.sandbox else "login"
    user = {"username": settings.username, "domain": domain}
    if settings.private_key is not None:
        key = settings.private_key.get_secret_value()
        return {**user, "consumer_key": settings.client_id, "privatekey": key}
    if settings.password is not None:
        token = settings.security_token.get_secret_value() if settings.security_token else ""
        secrets = {"password": settings.password.get_secret_value(), "security_token": token}
        return {**user, **secrets, "sf_version": _SOAP_VERSION, "client_id": "crm-segments"}
    secret = settings.client_secret.get_secret_value()
    # the sender knows the true host
    return {"consumer_key": settings.client_id, "consumer_secret": secret, "domain": "my"}
