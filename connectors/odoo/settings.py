"""What may the account of an Odoo database say in the config?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from connectors.http.transport import api_url as checked_url


class Settings(BaseModel):
    """What ``[accounts.NAME]`` takes where ``crm = "odoo"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    api_url: Annotated[str, AfterValidator(checked_url)]  # of the server
    database: str = Field(min_length=1)
    user: str = Field(min_length=1)  # log-in of the user that the key belongs to
    api_key: SecretStr
    api: Literal["auto", "json2", "jsonrpc"] = "auto"  # auto: JSON-2 where the server has it (from 19)
    company: str = ""  # name or id of the company that is read and written; "": all that the user may see
    purchases: Literal["orders", "invoices", "leads"] = "orders"  # what means a purchase
    full_sync_days: int = Field(7, ge=1)  # so often everything is read again
    # records of a run that are read right before they are written
    compare_up_to: int = Field(2_000, ge=0)
    threads: int = Field(4, ge=1, le=32)
