"""A local stand-in for Meta's Cloud API, for the demo and for tests. See docs/whatsapp-sandbox.md.

All it knows of Trochai is its webhook address; the production code has no branch for it.
"""

from trochai.whatsapp.sandbox.accounts import SANDBOX_TOKEN, Account
from trochai.whatsapp.sandbox.api import Call
from trochai.whatsapp.sandbox.server import Sandbox

__all__ = ["SANDBOX_TOKEN", "Account", "Call", "Sandbox"]
