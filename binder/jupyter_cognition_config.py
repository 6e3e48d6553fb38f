"""The runtime that works on Binder, which has no Docker engine; `binder/start` found out which."""

import os

c = get_config()  # noqa: F821

c.RuntimeChoice.runtime = os.environ.get("COGNITION_BINDER_RUNTIME", "process")
# Without isolation nothing keeps a session from the network, whatever the project asks for. The
# container is its user's own, and goes with them; the notebook says it plainly.
c.ProcessRuntime.allow_network_off = True
