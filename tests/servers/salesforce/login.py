"""Who gets a token? The four grants of the token endpoint, SOAP log-in, and how long a token lives."""

from __future__ import annotations

import base64
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

from tests.servers.salesforce.refusals import Refusal

if TYPE_CHECKING:
    from tests.servers.salesforce.org import Org

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Denied(Exception):
    """The token endpoint says no: its error and description."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error, self.description = error, description


@dataclass
class Token:
    """One session."""

    user: str
    made: float
    used: float
    revoked: bool = False


@dataclass
class Login:
    """Credentials that the org knows, and the tokens that it gave."""

    org: Org
    client_id: str = "3MVG9.local.client"
    client_secret: str = "local-secret"
    username: str = "sync@example.org"
    password: str = "local-password"
    security_token: str = "SECURITYTOKEN"
    # PEM: JWTs must be signed by its private key; without it their claims alone are judged
    public_key: str = ""
    refresh_tokens: set[str] = field(default_factory=lambda: {"refresh-1"})
    blocked: str = ""  # an error that every log-in answers with: invalid_grant, ...
    logins: list[str] = field(default_factory=list)  # the grant of every log-in that went well
    refused: int = 0
    description: str = ""  # of ``blocked``, where it is not the usual one
    wrong: int = 0  # passwords in a row
    tokens: dict[str, Token] = field(default_factory=dict)
    dead_refresh_tokens: set[str] = field(default_factory=set)

    def issue(self, user: str, grant: str) -> str:
        """A new token of a user."""
        now = self.org.clock.now().timestamp()
        token = f"{self.org.organization[:15]}!AQ{secrets.token_urlsafe(24)}"
        self.tokens[token] = Token(user, now, now)
        self.logins.append(grant)
        return token

    def user_of(self, token: str) -> str:
        """The user of a live token; 401 else. Asking keeps it alive."""
        session, now, knobs = self.tokens.get(token), self.org.clock.now().timestamp(), self.org.knobs
        life = knobs.token_life_seconds
        if (
            session is None
            or session.revoked
            or now - session.used > knobs.token_seconds
            or (life is not None and now - session.made > life)
        ):
            raise Refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
        session.used = now
        return session.user

    def expire(self) -> None:
        """All sessions end."""
        for token in self.tokens.values():
            token.revoked = True

    def grant(self, form: dict[str, str], authorization: str, host: str) -> dict[str, Any]:
        """The answer of the token endpoint; Denied else."""
        try:
            return self._grant(form, authorization, host)
        except Denied:
            self.refused += 1
            raise

    def _grant(self, form: dict[str, str], authorization: str, host: str) -> dict[str, Any]:
        kind = form.get("grant_type", "")
        if self.blocked:
            raise Denied(
                self.blocked,
                self.description
                or {"invalid_grant": "authentication failure"}.get(self.blocked, self.blocked),
            )
        deeds = {
            "client_credentials": self._client,
            JWT_GRANT: self._jwt,
            "refresh_token": self._refresh,
            "password": self._password,
        }
        if kind not in deeds:
            raise Denied("unsupported_grant_type", "grant type not supported")
        more = deeds[kind](form, authorization)
        token = self.issue(self.org.user, kind)
        issued = str(int(self.org.clock.now().timestamp() * 1000))
        whole = f"https://login.salesforce.com/id/{self.org.organization}/{self.org.user}"
        answer = {
            "access_token": token,
            "instance_url": host,
            "token_type": "Bearer",
            "id": whole,
            "issued_at": issued,
        }
        return answer | {"signature": "c2lnbmF0dXJl", "scope": "api", **more}

    def _check_client(self, form: dict[str, str], authorization: str) -> None:
        id, secret = form.get("client_id"), form.get("client_secret")
        if authorization.startswith("Basic "):
            id, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
            id, secret = unquote_plus(id), unquote_plus(secret) if secret != self.client_secret else secret
        if id != self.client_id:
            raise Denied("invalid_client_id", "client identifier invalid")
        if secret != self.client_secret:
            raise Denied("invalid_client", "invalid client credentials")

    def _client(self, form: dict[str, str], authorization: str) -> dict[str, str]:
        self._check_client(form, authorization)
        return {}

    def _refresh(self, form: dict[str, str], authorization: str) -> dict[str, str]:
        if form.get("client_id") != self.client_id:
            raise Denied("invalid_client_id", "client identifier invalid")
        if form.get("client_secret", self.client_secret) != self.client_secret:
            raise Denied("invalid_client", "invalid client credentials")
        token = form.get("refresh_token", "")
        if token in self.dead_refresh_tokens:
            self.refresh_tokens.clear()  # reuse of an old one ends the whole grant
        if token not in self.refresh_tokens:
            raise Denied("invalid_grant", "expired access/refresh token")
        if not self.org.knobs.rotate_refresh_tokens:
            return {}
        self.refresh_tokens.remove(token)
        self.dead_refresh_tokens.add(token)
        fresh = f"refresh-{secrets.token_urlsafe(8)}"
        self.refresh_tokens.add(fresh)
        return {"refresh_token": fresh}

    def _password(self, form: dict[str, str], authorization: str) -> dict[str, str]:
        self._check_client(form, authorization)
        right = form.get("password") in (self.password, self.password + self.security_token)
        if not self.org.knobs.password_grant or form.get("username") != self.username or not right:
            raise Denied("invalid_grant", "authentication failure")
        return {}

    def _jwt(self, form: dict[str, str], authorization: str) -> dict[str, str]:
        parts = form.get("assertion", "").split(".")
        try:
            head, claims = (json.loads(_decoded(part)) for part in parts[:2])
            expires = float(claims["exp"])
        except (ValueError, KeyError, TypeError):
            raise Denied("invalid_grant", "invalid assertion") from None
        if len(parts) != 3 or head.get("alg") != "RS256" or not self._signed(parts):
            raise Denied("invalid_grant", "invalid assertion")
        if claims.get("iss") != self.client_id:
            raise Denied("invalid_client_id", "client identifier invalid")
        if claims.get("sub") != self.username:
            raise Denied("invalid_grant", "user hasn't approved this consumer")
        hosts = ("https://login.salesforce.com", "https://test.salesforce.com")
        if str(claims.get("aud")).rstrip("/") not in hosts and not str(claims.get("aud")).endswith(
            ".my.salesforce.com"
        ):
            raise Denied("invalid_grant", "audience is invalid")
        now = self.org.clock.now().timestamp()
        if not now - 60 < expires < now + 300:
            raise Denied(
                "invalid_grant", "expired authorization code" if expires < now else "expiry is too far away"
            )
        return {}

    def _signed(self, parts: list[str]) -> bool:
        if not self.public_key:
            return not self.org.knobs.login_requires_key
        try:
            from cryptography.exceptions import InvalidSignature
            from cryptography.hazmat.primitives.asymmetric import padding, rsa
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.serialization import load_pem_public_key
        except ImportError:
            return not self.org.knobs.login_requires_key
        key = load_pem_public_key(self.public_key.encode())
        assert isinstance(key, rsa.RSAPublicKey)
        try:
            key.verify(_decoded(parts[2]), ".".join(parts[:2]).encode(), padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True

    def revoke(self, token: str) -> None:
        if token in self.tokens:
            self.tokens[token].revoked = True
        if token in self.refresh_tokens:
            self.refresh_tokens.discard(token)

    def soap(self, version: str, body: str, host: str) -> tuple[int, str]:
        """Status and envelope of SOAP log-in."""
        refusal = self._soap_refusal(version, _element(body, "username"), _element(body, "password"))
        if refusal:
            self.refused += 1
            return 500, _fault(*refusal)
        self.wrong = 0
        token = self.issue(self.org.user, "soap")
        url = f"{host}/services/Soap/u/{version}/{self.org.organization}"
        elements = (
            f"<serverUrl>{url}</serverUrl><sessionId>{token}</sessionId><userId>{self.org.user}</userId>"
        )
        return 200, _envelope(f"<loginResponse><result>{elements}</result></loginResponse>")

    def _soap_refusal(self, version: str, username: str, password: str) -> tuple[str, str] | None:
        """The code and the message of a refused SOAP log-in; a fault without a detail where the call itself
        is closed.
        """
        if float(version) >= 65:
            return "UNSUPPORTED_API_VERSION", "SOAP login is not available in API version 65.0 and later"
        if not self.org.knobs.soap_login:
            disabled = "SOAP API login() is disabled by default in this org. Contact the org administrator to enable SOAP API login()."
            return "INVALID_OPERATION", disabled
        invalid = "Invalid username, password, security token; or user locked out."
        if self.wrong >= self.org.knobs.lockout_after:
            return "INVALID_LOGIN", invalid
        if username == self.username and password == self.password and self.security_token:
            where = "Are you at a new location? You must add a security token to your password to log in."
            return "LOGIN_MUST_USE_SECURITY_TOKEN", f"{invalid} {where}"
        if username != self.username or password != self.password + self.security_token:
            self.wrong += 1
            return "INVALID_LOGIN", invalid
        if not self.org.access.may(self.org.user, "PermissionsApiEnabled"):
            return "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"
        return None


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _element(body: str, name: str) -> str:
    match = re.search(rf"<(?:\w+:)?{name}>(.*?)</", body, re.DOTALL)
    text = match[1] if match else ""
    for entity, letter in (
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", '"'),
        ("&apos;", "'"),
        ("&#x27;", "'"),
        ("&amp;", "&"),
    ):
        text = text.replace(entity, letter)
    return text


def _envelope(inner: str) -> str:
    space = 'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"'
    return f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope {space}><soapenv:Body>{inner}</soapenv:Body></soapenv:Envelope>'


def _fault(code: str, message: str) -> str:
    space = 'xmlns:sf="urn:fault.partner.soap.sforce.com"'
    elements = f"<faultcode>sf:{code}</faultcode><faultstring>{code}: {escape(message)}</faultstring>"
    if code == "INVALID_OPERATION":
        elements = f"<faultcode>{code}</faultcode><faultstring>{code}: {escape(message)}</faultstring>"
        return _envelope(f"<soapenv:Fault>{elements}</soapenv:Fault>")
    detail = f"<sf:exceptionCode>{code}</sf:exceptionCode><sf:exceptionMessage>{escape(message)}</sf:exceptionMessage>"
    return _envelope(
        f"<soapenv:Fault>{elements}<detail><sf:LoginFault {space}>{detail}</sf:LoginFault></detail></soapenv:Fault>"
    )
