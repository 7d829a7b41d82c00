"""How does a message reach people? By a webhook, by one that Slack understands, or by e-mail.

What goes wrong is told without addresses: the one of a webhook is a secret.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Any

from sync.config.alerting import Channel
from sync.config.secret import SecretError, secret
from sync.watch.messages import Message

SECONDS = 10.0  # until a channel counts as down
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


class ChannelError(Exception):
    """A channel did not take a message. It says why without any address or secret."""


def send(channel: Channel, message: Message, folder: Path) -> None:
    """Hand a message over. ChannelError where it was not taken. ``folder``: of the config."""
    try:
        _SENDERS[channel.type](channel, message, folder)
    except SecretError as error:
        raise ChannelError(str(error)) from None


def _webhook(channel: Channel, message: Message, folder: Path) -> None:
    alert = message.alert
    body = {
        "key": message.key,
        "state": message.state,
        "cause": alert.cause,
        "account": alert.account or None,
        "subject": alert.subject or None,
        "title": message.title,
        "text": message.text,
        "fields": dict(alert.fields),
        "opened_at": alert.opened_at,
        "closed_at": alert.closed_at,
    }
    _post(channel, body, folder)


def _slack(channel: Channel, message: Message, folder: Path) -> None:
    text = f"*{_escaped(message.title)}*\n{_escaped(message.text)}"
    _post(channel, {"text": text}, folder)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(channel: Channel, body: Mapping[str, Any], folder: Path) -> None:
    import requests

    url = secret(channel.url or "", folder)
    try:
        answer = requests.post(url, json=body, timeout=SECONDS, allow_redirects=False)
    except (requests.RequestException, ValueError) as error:
        raise ChannelError(f"it cannot be reached ({type(error).__name__})") from None
    if not 200 <= answer.status_code < 300:
        raise ChannelError(f"it answered with status {answer.status_code}")


def _email(channel: Channel, message: Message, folder: Path) -> None:
    password = secret(channel.password, folder) if channel.password else None
    try:
        with _connected(channel) as server:
            if channel.user is not None and password is not None:
                server.login(channel.user, password)
            refused = server.send_message(_as_email(channel, message), channel.sender, list(channel.to))
    except smtplib.SMTPResponseException as error:
        raise ChannelError(f"the mail server refused with code {error.smtp_code}") from None
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise ChannelError(f"the mail server cannot be used ({type(error).__name__})") from None
    if len(refused) == len(channel.to):
        raise ChannelError("the mail server refused every recipient")


def _connected(channel: Channel) -> smtplib.SMTP:
    host, port = channel.host or "", channel.port or _PORTS[channel.security]
    if channel.security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port, timeout=SECONDS)
    if channel.security == "starttls":
        server.starttls(context=ssl.create_default_context())
    return server


def _as_email(channel: Channel, message: Message) -> EmailMessage:
    """The end of a cause answers the mail of its begin, so that programs show them together."""
    email = EmailMessage()
    email["Subject"] = message.title
    email["From"] = channel.sender
    email["To"] = ", ".join(channel.to)
    email["Date"] = formatdate()
    email["Message-ID"] = f"<{message.key}@crm-segments>"
    email["Auto-Submitted"] = "auto-generated"
    if message.state == "recovered":
        email["In-Reply-To"] = email["References"] = f"<{message.thread}.open@crm-segments>"
    email.set_content(message.text + "\n")
    return email


_SENDERS: Mapping[str, Callable[[Channel, Message, Path], None]] = {
    "webhook": _webhook,
    "slack": _slack,
    "email": _email,
}
