"""What may an account of the CRM in memory say in the config?"""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """What ``[accounts.NAME]`` takes where ``crm = "memory"``. A secret would be a ``SecretStr``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    store: str = "store"  # accounts of one process that name the same store work on the same CRM
