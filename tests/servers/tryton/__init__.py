"""A real Tryton on loopback: installed from its packages into an environment of its own, outside of the tree, and
initialised once; every test works on a copy of that database.

``CRM_SEGMENTS_TRYTON=7.0`` (before pytest) takes another series. With CI=true a machine that cannot install it fails;
elsewhere the test is skipped.
"""

from tests.servers.tryton.installed import PASSWORD as PASSWORD
from tests.servers.tryton.installed import Installed as Installed
from tests.servers.tryton.installed import installed as installed
from tests.servers.tryton.people import People as People
from tests.servers.tryton.server import TrytonServer as TrytonServer
