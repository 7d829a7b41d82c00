"""What may the account of a HubSpot portal say in the config?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from connectors.http.transport import api_url as checked_url
from connectors.hubspot.paths import Version

Source = Literal[
    "deals", "orders", "calls", "meetings", "emails", "notes", "tasks", "forms", "pages", "marketing_emails"
]


class Settings(BaseModel):
    """What ``[accounts.NAME]`` takes where ``crm = "hubspot"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    api_url: Annotated[str, AfterValidator(checked_url)] = "https://api.hubapi.com"
    api_version: Version = "2026-09"
    token: SecretStr | None = None  # of a service key or private app ...
    client_id: str | None = None  # ... or these three of an OAuth app
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None
    activity: tuple[Source, ...] | None = None  # None: those that some segmentation uses
    # ids of deal stages that mean a purchase; none: the stages that HubSpot calls won
    won_stages: tuple[str, ...] = ()
    products: bool = True  # what was bought with a deal: reads its line items, where it has some
    # name or id of the subscription type that says who may be mailed
    email_subscription: Annotated[str, BeforeValidator(str)] = ""
    profiling_opt_out_property: str = ""  # name of the contact property that says who objects to profiling
    list_folder: str = "CRM segments"  # "" puts them among all other lists
    list_teams: tuple[int, ...] = ()  # ids of teams that may edit our lists
    list_users: tuple[int, ...] = ()
    full_sync_days: int = Field(7, ge=1)  # so often all ids are compared, to find what was erased
    calls_per_10_seconds: int | None = Field(None, ge=1)  # at most so many, also where HubSpot allows more
    # records of a run that are read right before they are written: a call for each 100
    compare_up_to: int = Field(2_000, ge=0)
    threads: int = Field(8, ge=1, le=64)

    @model_validator(mode="after")
    def _one_log_in(self) -> Settings:
        apart = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": self.refresh_token,
        }
        given = [name for name, value in apart.items() if value]
        if self.token is not None and given:
            raise ValueError(
                f"token and {given[0]} are two ways to log in: keep token (service key) or the three keys of an OAuth app"
            )
        if self.token is None and len(given) < len(apart):
            missing = " and ".join(name for name in apart if name not in given) if given else "token"
            raise ValueError(
                f'{missing} is missing: write token = "env:HUBSPOT_TOKEN" (service key), or client_id, client_secret, refresh_token'
            )
        return self
