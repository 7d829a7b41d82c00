"""How does an OAuth app come by a token? With the refresh token of the config, which HubSpot never replaces."""

from __future__ import annotations

from connectors.errors import AccessError
from connectors.http.refresh_token import refresh
from connectors.http.response_bodies import decoded
from connectors.http.transport import Transport
from connectors.hubspot.paths import path
from connectors.hubspot.settings import Settings
from connectors.rest.api_errors import shown, without


class LogIn:
    """Called, it answers a new access token and its life in seconds, or raises AccessError."""

    def __init__(self, account: str, settings: Settings, transport: Transport) -> None:
        self._account, self._settings, self._transport = account, settings, transport

    def __call__(self) -> tuple[str, float | None]:
        settings = self._settings
        assert settings.client_secret is not None
        assert settings.refresh_token is not None
        secrets = {
            "client_secret": settings.client_secret.get_secret_value(),
            "refresh_token": settings.refresh_token.get_secret_value(),
        }
        url = settings.api_url.rstrip("/") + path("token", settings.api_version)
        response = refresh(self._transport, url, {"client_id": settings.client_id, **secrets})
        answer = decoded(response)
        body = answer if isinstance(answer, dict) else {}
        if response.status_code != 200 or not body.get("access_token"):
            names = ("status", "error", "message", "error_description")
            words = without(" ".join(str(body[name]) for name in names if body.get(name)), secrets.values())
            raise AccessError(
                f"HubSpot refuses to renew the token of account {self._account} ({response.status_code} {shown(words)}): "
                "check client_id and client_secret, and install the app again for a new refresh_token"
            )
        life = body.get("expires_in")
        return str(body["access_token"]), float(life) if isinstance(life, int | float) and life > 0 else None
