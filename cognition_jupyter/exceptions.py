"""Errors of the domain. Each carries the HTTP status and the machine code it is answered with."""

from __future__ import annotations

from pathlib import Path


class CognitionError(Exception):
    """Base of every error a caller is meant to read.

    `message` is one sentence: what was wrong and, where it helps, what is allowed.
    `status` is the HTTP status, `code` the `error` field of the JSON answer.
    """

    status = 500
    code = "internal_error"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class InvalidInput(CognitionError):
    """What the caller sent can't be used."""

    status = 400
    code = "invalid_input"


class Forbidden(CognitionError):
    """The administrator's policy does not allow it."""

    status = 403
    code = "forbidden"


class NotFound(CognitionError):
    """There is no such project or session."""

    status = 404
    code = "project_not_found"


class Conflict(CognitionError):
    """The state of the project or a limit stands against it."""

    status = 409
    code = "conflict"


class TooLarge(CognitionError):
    """More bytes than the limit allows."""

    status = 413
    code = "too_large"


class FilesRemain(CognitionError):
    """Something is deleted, but not all of its files are gone: they are in `place`."""

    code = "files_remain"

    def __init__(self, message: str, place: Path) -> None:
        super().__init__(message)
        self.place = place


class CloneFailed(CognitionError):
    """Git could not clone the repository."""

    status = 502
    code = "clone_failed"


class PostCreateFailed(CognitionError):
    """The command of a template failed in the new project, which is gone again."""

    status = 502
    code = "post_create_failed"


class RuntimeUnavailable(CognitionError):
    """The engine or sandbox can't be used now; nothing is known about what it runs."""

    status = 503
    code = "runtime_unavailable"


class BrokenProject(CognitionError):
    """The project's metadata can't be read; its files are kept as they are."""

    status = 409
    code = "project_broken"


class RootRefused(CognitionError):
    """The directory can't serve as a root of projects (no locks, wrong owner, newer format)."""

    status = 503
    code = "root_refused"


class StorageFull(CognitionError):
    """No room is left where something had to be written; what was there before is unharmed."""

    status = 507
    code = "storage_full"
