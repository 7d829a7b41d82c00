"""What may the account of a Tryton database say in the config?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from connectors.http.transport import api_url as checked_url


class Settings(BaseModel):
    """What ``[accounts.NAME]`` takes where ``crm = "tryton"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    api_url: Annotated[str, AfterValidator(checked_url)]  # of the server, without the database
    database: str = Field(min_length=1, pattern=r"^[^/?#]+$")
    user: str = Field(min_length=1)
    password: SecretStr
    company: str = ""  # name or id of the company whose sales are read; "": the user's current one
    purchases: Literal["sales", "invoices", "opportunities"] = "sales"  # what means a purchase
    full_sync_days: int = Field(7, ge=1)  # so often everything is read again
    # records of a run that are read right before they are written
    compare_up_to: int = Field(2_000, ge=0)
    threads: int = Field(2, ge=1, le=32)
