"""A faithful local stand-in for the part of Salesforce that we use. Start here: what it does, and every knob.

    with serving(Org(seed=7, job_seconds=0.2)) as server:            # in a thread
        seed(server.org, contacts=1000)
        server.url, server.org.login.client_id, server.org.login.client_secret
    python -m tests.servers.salesforce --port 0 --seed 7 --contacts 1000 --latency 0.05 --faults FILE      #
    its URL is the first line

What it has: the token endpoint (client credentials, JWT bearer, refresh token, password) and SOAP log-in;
describe; SOQL over an embedded database, by REST (query, queryAll, cursors) and in bulk (Bulk API 2.0 query
and ingest jobs); records, collections, composite and batch; limits and record counts; the Tooling API's
CustomField and queries; permission sets; list views of the UI API; campaigns. Rules captured on real orgs are
kept, and so are rights: a field made by API is hidden until a permission set shows it.

Knobs (``Org(...)``, ``org.knobs``, POST /__admin/knobs, ``--knob NAME=VALUE``; knobs.py says more of each)
  log-in      token_seconds, token_life_seconds, login_requires_key, rotate_refresh_tokens, password_grant,
              www_authenticate; org.login.blocked = "invalid_grant", org.login.public_key, org.login.expire()
  features    sandbox, person_accounts, marketing, orders, individuals, multi_currency, currency, time_zone
  limits      daily_requests, used_requests, concurrent_requests, long_seconds, bulk_query_jobs, bulk_batches,
              upload_bytes, uri_bytes, per_app_usage
  answers     latency_seconds, bytes_per_second, date_skew_seconds, short_pages, unknown_field_is_item_error,
              too_many_code, lock_status
  bulk        job_seconds, page_rows, bulk_datetime, shuffle, nul_bytes, next_records_key
  sharing     visible = {"Contact": 0.6}: who may not view all sees that share, while recordCount tells all;
              cache_counts_seconds
  writing     lock_fraction, lock_times, write_seconds, delete_moves_stamp, field_delay_seconds
  rights      Org(rights=("ApiEnabled", "CustomizeApplication", ...)), org.grant, org.revoke, org.access.hide,
              show, freeze, deny, allow
  rules       org.rules.validations, duplicates, automations (flows and triggers, which count their runs)
Facts that nobody has confirmed on a real org are knobs marked UNCONFIRMED.

People (``org.create``, edit, delete, undelete, purge, merge, convert, touch, overwrite, late, add_field) act
behind our back, in the same process or by POST /__admin/edit. ``late`` stamps a record now and commits it
later; ``overwrite`` changes one without any stamp (as a formula does); ``touch`` moves a stamp without a
change. The clock: org.clock.advance(seconds), org.clock.speed, org.clock.set(moment). What goes wrong, when:
a fault script, ``org.faults.add({...})``; faults.py has all deeds. The admin side: admin.py.
"""

from tests.servers.salesforce.http import Server, serving
from tests.servers.salesforce.org import Org
from tests.servers.salesforce.seeding import seed

__all__ = ["Org", "Server", "seed", "serving"]
