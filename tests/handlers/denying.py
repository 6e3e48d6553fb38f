"""An authorizer for a server of the tests: writes down what it is asked and denies `cognition`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from jupyter_server.auth import Authorizer

RECORD = "COGNITION_TEST_RECORD"


class Denying(Authorizer):
    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        asked = [handler.request.method, handler.request.path, action, resource]
        with Path(os.environ[RECORD]).open("a") as file:
            file.write(json.dumps(asked) + "\n")
        return resource != "cognition"
