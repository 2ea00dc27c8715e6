"""Signing in with GitHub, and what people do once they are: everything below /account/.

Installed only where GitHub's client id and secret are set; a hub without them has neither these
pages nor a session. The pages for everybody are the same with it: they see no cookie.
"""

from __future__ import annotations
