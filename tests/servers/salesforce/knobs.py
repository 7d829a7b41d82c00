"""What can be set on the org? Every number that a real org has, and every fact that nobody has confirmed."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.servers.kit.settings import Settings


@dataclass
class Knobs(Settings):
    """Settings of an org; all may be changed while it runs."""

    # Log-in
    token_seconds: float = 7200.0  # a token that was not used for so long has expired
    token_life_seconds: float | None = None  # a token that is so old has expired, used or not
    login_requires_key: bool = False  # a JWT whose signature cannot be verified is refused
    rotate_refresh_tokens: bool = False
    password_grant: bool = True  # UNCONFIRMED: newer orgs refuse it
    soap_login: bool = True  # new orgs: False, until an administrator allows it
    lockout_after: int = 10  # wrong passwords, after which the right one is refused too
    www_authenticate: bool = True  # UNCONFIRMED

    # Features
    sandbox: bool = True
    person_accounts: bool = False
    marketing: bool = True  # campaigns exist
    orders: bool = True
    individuals: bool = True
    multi_currency: bool = False
    currency: str = "EUR"
    time_zone: str = "Europe/Berlin"

    # Limits
    daily_requests: int = 100_000
    used_requests: int = 0  # by others, before we came
    concurrent_requests: int = 25  # that run for ``long_seconds`` or more
    long_seconds: float = 20.0
    bulk_query_jobs: int = 10_000
    bulk_batches: int = 15_000
    upload_bytes: int = 150 * 10**6
    uri_bytes: int = 16_384
    per_app_usage: bool = False  # Sforce-Limit-Info names the app too

    # Answers
    latency_seconds: float = 0.0
    bytes_per_second: float | None = None  # of one reply
    date_skew_seconds: float = 0.0  # the HTTP Date header against the clock that stamps records
    short_pages: bool = False  # query pages hold fewer rows than batchSize
    # UNCONFIRMED: a collection with an unknown field is refused whole
    unknown_field_is_item_error: bool = False
    too_many_code: str = "EXCEEDED_MAX_SIZE_REQUEST"  # UNCONFIRMED: more than 200 in a collection
    # UNCONFIRMED: of a list view's filter on a picklist: label, value, or strict (refuses other than labels)
    view_operands: str = "label"
    lock_status: int = 400  # UNCONFIRMED: a locked single row answers 400 or 500

    # Bulk jobs
    job_seconds: float = 0.0  # from UploadComplete to JobComplete at least, on the org's clock
    page_rows: int = 50_000  # of a result page whose size the client does not ask for
    bulk_datetime: str = "Z"  # UNCONFIRMED: or +0000
    shuffle: bool = True  # results of an ingest job come in another order
    nul_bytes: bool = False  # result pages hold some
    next_records_key: str = "nextRecordsUrl"  # documented as nextRecordUrl too

    # Sharing: object → share of its records that the users see who may not view all
    visible: dict[str, float] = field(default_factory=dict)

    # Writing
    lock_fraction: float = 0.0  # of the accounts whose records are locked ...
    lock_times: int = 1  # ... for so many attempts
    write_seconds: float = 0.0  # how long a writing call or internal batch holds the locks on its accounts
    delete_moves_stamp: bool = True  # UNCONFIRMED for some objects
    cache_counts_seconds: float = 0.0  # recordCount answers what it knew so long ago
    field_delay_seconds: float = 0.0  # UNCONFIRMED: until a right to a field is felt
