"""What may the account of a Salesforce org say in the config?"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from connectors.http.transport import api_url

Source = Literal["opportunities", "orders", "tasks", "events", "campaigns"]


def _version(text: str) -> str:
    number = text.removeprefix("v")
    if not number.replace(".0", "").isdigit() or float(number) < 61:
        raise ValueError('must be a version from "61.0" on (list views need it), such as "66.0"')
    return f"{float(number):.1f}"


class Settings(BaseModel):
    """What ``[accounts.NAME]`` takes where ``crm = "salesforce"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    # My Domain: https://acme.my.salesforce.com, or a gateway before it
    api_url: Annotated[str, AfterValidator(api_url)]
    login_url: Annotated[str, AfterValidator(api_url)] | None = None  # where another host logs in
    api_version: Annotated[str, AfterValidator(_version)] = "66.0"
    client_id: str | None = None
    client_secret: SecretStr | None = None  # client credentials ...
    private_key: SecretStr | None = None  # ... or JWT bearer, with username ...
    username: str | None = None
    refresh_token: SecretStr | None = None  # ... or a refresh token ...
    # ... of which this file keeps the successor, where the app replaces it at every use ...
    refresh_token_file: str | None = None
    password: SecretStr | None = None  # ... or the old way, with username and security_token
    security_token: SecretStr | None = None
    sandbox: bool = False  # only tells the log-in; a host with .sandbox. is one anyway
    production: bool = False  # an explicit yes: without it nothing is written to a production org
    activity: tuple[Source, ...] | None = None  # None: those that some segmentation uses
    won_stages: tuple[str, ...] = ()  # names of stages that mean a purchase; none: IsWon
    campaigns: bool = False  # a static list is a Campaign whose members we add and remove
    keep_members: bool = False  # who leaves such a list stays as a member with the status Removed
    # developer names of public groups that see our list views; none: everybody
    list_view_groups: tuple[str, ...] = ()
    list_view_scope: Literal["everything", "mine"] = "everything"
    bulk_reads_above: int = Field(50_000, ge=2_000)  # rows; below it REST pages are quicker
    bulk_writes_above: int = Field(2_000, ge=200)  # records; Salesforce's own advice
    # records of a batch that are looked at right before they are written: a call for 2,000
    compare_up_to: int = Field(2_000, ge=0)
    full_sync_days: int = Field(7, ge=1)  # so often all ids are compared, to find what was erased
    # a stamp is set before the commit, which may come ten minutes later
    overlap_minutes: int = Field(15, ge=10)
    threads: int = Field(6, ge=1, le=32)

    @model_validator(mode="after")
    def _one_log_in(self) -> Settings:
        ways = {
            "client_secret": (self.client_secret is not None and self.refresh_token is None, ("client_id",)),
            "private_key": (self.private_key is not None, ("client_id", "username")),
            "refresh_token": (self.refresh_token is not None, ("client_id",)),
            "password": (self.password is not None, ("username",)),
        }
        chosen = [name for name, (given, _) in ways.items() if given]
        if len(chosen) != 1:
            problem = (
                f"{' and '.join(chosen)} are two ways to log in: keep one"
                if chosen
                else "the login is missing"
            )
            raise ValueError(
                f"{problem}; valid: client_id + client_secret, client_id + username + private_key, client_id + refresh_token, "
                "or username + password + security_token"
            )
        if self.refresh_token_file is not None and self.refresh_token is None:
            raise ValueError(
                "refresh_token_file stores the next refresh_token, and there is none: leave it out"
            )
        missing = [name for name in ways[chosen[0]][1] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{chosen[0]} needs {' and '.join(missing)} too")
        if ".sandbox." in (urlsplit(self.api_url).hostname or "") and not self.sandbox:
            object.__setattr__(self, "sandbox", True)
        return self

    @property
    def log_in_url(self) -> str:
        """The address under which the session is got."""
        return self.login_url or self.api_url
