"""What all commands share: one configuration, errors as one sentence, a terminal kept safe."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from jupyter_core.application import JupyterApp
from traitlets.config import Config

from .. import __version__
from ..core import Cognition
from ..exceptions import CognitionError
from .text import visible


class WrongUsage(CognitionError):
    """The command can't be called like this; the sentence says how it can."""

    code = "wrong_usage"


class Command(JupyterApp):
    """Base of the commands: one configuration file for all, errors as one sentence.

    Exit status 1 for an error, 2 for a wrong call.
    """

    version = __version__
    config_file_name = "jupyter_cognition_config"
    subcommand_description = "For help on one, add its name and --help."

    def __init__(self, **kwargs: Any) -> None:
        # For --help-all and --generate-config: whatever can be configured.
        self.classes = [type(self), *Cognition.classes]
        super().__init__(**kwargs)
        self.raise_config_file_errors = True

    def load_config_file(self, suppress_errors: bool = True) -> None:  # type: ignore[override]
        """Called by Jupyter. A policy that can't be read is no reason to go on without it."""
        try:
            super().load_config_file(suppress_errors)
        except Exception as error:  # any code may stand in a configuration file
            self._fail(f"{self.config_file_name} can't be read: {str(error).rstrip('.')}.", 1)

    def start(self) -> None:
        """Run the command, or the subcommand that was named. Called by traitlets."""
        super().start()  # raises NoStart when there is a subcommand, or --generate-config
        if sys.stdout is None:
            self._fail("There is no standard output to write to.", 1)
        try:
            self._check_options()
            self.run()
            sys.stdout.flush()
        except WrongUsage as error:
            self._fail(error.message, 2)
        except CognitionError as error:
            self._fail(error.message, 1)
        except BrokenPipeError:  # whoever reads has enough
            self._discard_output()
            self.exit(128 + signal.SIGPIPE)
        except OSError as error:
            self._discard_output()
            place = f"{error.filename}: " if error.filename else ""
            self._fail(f"{place}{error.strerror or error}.", 1)
        except KeyboardInterrupt:
            self.exit(130)

    def _check_options(self) -> None:
        """An option that is none would change nothing, which may be the opposite of harmless."""
        for name, value in self.cli_config.items():
            if not isinstance(value, Config):
                raise WrongUsage(f"There is no option --{name}; --help lists those there are.")

    def _fail(self, message: str, status: int) -> None:
        sys.stderr.write(f"{visible(message)}\n")
        self.exit(status)

    @staticmethod
    def _discard_output() -> None:
        """Python flushes at its end, too, and would complain again."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)

    def run(self) -> None:
        """Do the work. Raises CognitionError. A command that only has subcommands shows them."""
        self.print_description()
        self.print_subcommands()
        self.exit(1)

    def say(self, *lines: str) -> None:
        """Lines on standard output, at once. What its encoding does not have is escaped."""
        text = "".join(f"{line}\n" for line in lines)
        self.put(text.encode(sys.stdout.encoding, "backslashreplace"))

    def put(self, data: bytes) -> None:
        """Bytes on standard output, at once."""
        rest = memoryview(data)
        while rest:  # with PYTHONUNBUFFERED a write may be a part of it
            rest = rest[sys.stdout.buffer.write(rest) :]
        sys.stdout.buffer.flush()
