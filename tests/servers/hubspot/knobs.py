"""What can be set? Latency, limits, lags, and each behaviour of HubSpot that its documentation leaves open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tests.servers.kit.settings import Settings


@dataclass
class Knobs(Settings):
    """Settings of a portal; all may be changed while it serves. Seconds are virtual unless said otherwise."""

    portal_id: int = 4242
    time_zone: str = "Europe/Berlin"
    currency: str = "EUR"
    further_currencies: tuple[str, ...] = ("USD", "GBP")
    tier: str = "professional"

    latency: float = 0.0  # real seconds before each answer
    rows_ms: float = 0.0  # further real milliseconds of latency for each 100 rows of an answer
    gzip: bool = True  # compress where the client accepts it

    limit: int = 190  # calls of one app in any 10 s
    limit_oauth: int = 110
    window: float = 10.0
    search_limit: int = 5  # searches of the account in any second
    daily: int = 650_000  # calls of the account between two midnights of its time zone
    used_today: int = 0  # calls that other apps have made today
    limited: bool = True  # false: no limit is kept
    refused_count: bool = False  # do refused calls fill the window too?
    retry_after: bool = False  # does a 429 carry Retry-After?
    rate_category: bool = False  # does a 429 carry category RATE_LIMITS instead of errorType?

    index_lag: float = 20.0  # until a change is found by search
    list_lag: float = 2.0  # until a changed record moves in or out of a dynamic list
    list_build: float = 5.0  # until a new or refiltered dynamic list is complete
    option_lag: float = 0.0  # until a new option is accepted in values
    import_time: float = 5.0  # each state of an import or export lasts so long

    page_limit: Literal["refuse", "clamp"] = "refuse"  # limit=101
    # ``after`` is the id of the next record (included), or of the last one (excluded)
    cursor: Literal["next", "last"] = "next"
    batch_refusal: Literal["each", "whole"] = "each"  # one bad record in a batch update: 207, or 400 for all
    duplicate_inputs: Literal["refuse", "last"] = "refuse"  # one id twice in a batch
    reads_merged: bool = True  # reading an old id answers with the survivor
    merge_id: Literal["new", "keep"] = "new"  # the survivor of a merge gets a new id, or keeps the primary's
    association_ids: Literal["text", "number"] = "text"  # type of toObjectId
    # a record without associations in an association batch
    lonely: Literal["error", "omit", "empty"] = "error"
    association_page: int = 500
    # does a deal's stamp move when it gains or loses a contact (num_associated_contacts)?
    links_touch: bool = True
    member_status: int = 400  # answer to membership writes on a dynamic list
    member_page: int = 250
    members_per_call: int = 100_000
    duplicate_property: int = 409
    member_lag: float = 0.0  # until a membership that was written shows; the list is PROCESSING meanwhile
    # does recordIdsMissing name records that were in (or out of) the list already?
    known_members_missing: bool = False
    active_lists: int = 1000
    static_lists: int = 1000
    # does a search for lists give back the custom properties that they were made with?
    custom_list_properties: bool = True
    list_limit_status: int = 400  # answer to a list that is one too many
    custom_properties: int = 1000
    coerces: bool = False  # are numbers and booleans taken for texts in values?
    number_form: Literal["plain", "as_written"] = "plain"  # is 87.50 given back as 87.5?
    trims: bool = False  # are blanks around a text cut off?
    unknown_route: Literal["html", "json"] = "html"
    # dated versions of the API that are spoken; the paths of others are unknown
    versions: tuple[str, ...] = ("2026-03", "2026-09")
    bad_refresh: int = 400  # status of a refresh token that is not known
    account_info: bool = True  # may static tokens read account-info?
    flows: bool = True  # does the account have the automation API?
    max_uri: int = 16_000

    # record id → error of every write that names it (INVALID_EMAIL, RULE ...)
    poison: dict[str, str] = field(default_factory=dict)
    poison_refusal: Literal["each", "whole"] = "whole"  # how a batch with a poisoned record is refused
