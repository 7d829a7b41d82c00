"""What a connector may raise, sorted by what the caller can do about it.

ConnectorError
├─ TemporaryError    try again later (an outage, a time-out); ``retry_after`` seconds where the CRM told
├─ QuotaError        the budget is gone until ``resets_at``
├─ AccessError       a person must renew or grant something
├─ RequestError      the config or our code is wrong; quotes what the CRM said
└─ UnsupportedError  this CRM cannot do that

The message says what happened, to which key or record, and what to do next. It never holds a secret or an
e-mail address.
"""

from __future__ import annotations

from datetime import datetime


class ConnectorError(Exception):
    """Base of all errors that a connector raises."""


class TemporaryError(ConnectorError):
    """The CRM cannot answer now."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QuotaError(ConnectorError):
    """The account's budget of calls is used up.

    When it is renewed says ``resets_at`` alone: whoever prints it knows the reader's zone.
    """

    def __init__(self, message: str, resets_at: datetime | None = None) -> None:
        super().__init__(message)
        self.resets_at = resets_at


class AccessError(ConnectorError):
    """A credential, scope or permission is missing."""


class RequestError(ConnectorError):
    """The CRM refused what we asked for, and would refuse it again."""


class UnsupportedError(ConnectorError):
    """The CRM has no such ability."""
