"""Settings: a wrong one stops the start with a sentence that names it, before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets import TraitError
from traitlets.config import Config

from cognition_jupyter.projects.store import ProjectStore

from .store_support import create, opened, projects_of, run

WRONG = [
    ("MAX_PROJECTS", "abc"),
    ("MAX_PROJECTS", "-1"),
    ("MAX_PROJECTS", ""),
    ("MAX_PROJECTS", "1.5"),
    ("MAX_PROJECTS", "1_000"),
    ("MAX_PROJECTS", "true"),
    ("MAX_PROJECTS", "9" * 10_000),
    ("MAX_PROJECTS", "\N{ARABIC-INDIC DIGIT ONE}"),
    ("PROJECT_CLEANUP_AFTER_DAYS", "0"),
    ("PROJECT_CLEANUP_AFTER_DAYS", "-7"),
    ("PROJECT_CLEANUP_AFTER_DAYS", "3651"),
    ("PROJECT_CLEANUP_AFTER_DAYS", "a week"),
]


@pytest.mark.parametrize(("variable", "value"), WRONG, ids=lambda value: ascii(value)[:40])
def test_a_wrong_variable_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(TraitError, match=rf"^{variable} must be .*\.$") as caught:
        ProjectStore().open(tmp_path / "root")
    assert len(str(caught.value)) < 150
    assert not (tmp_path / "root").exists()


def test_variables_are_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROJECT_CLEANUP_AFTER_DAYS", "7")
    monkeypatch.setenv("MAX_PROJECTS", " 1 ")
    with opened(tmp_path) as store:
        assert store.max_projects == 1
        assert run(projects_of(store).details(create(store)))["cleanup_in_days"] == 7


@pytest.mark.parametrize("value", ["8", "abc"])
def test_traits_win_over_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("PROJECT_CLEANUP_AFTER_DAYS", value)
    monkeypatch.setenv("MAX_PROJECTS", value)
    config = Config({"ProjectStore": {"cleanup_after_days": 9, "max_projects": 0}})
    with opened(tmp_path, config=config) as store:
        assert (store.cleanup_after_days, store.max_projects) == (9, 0)


OUT_OF_RANGE = [
    ("max_projects", -5),
    ("max_projects", "5"),
    ("max_projects", 1.5),
    ("max_projects", None),
    ("cleanup_after_days", 0),
    ("cleanup_after_days", 3651),
    ("container_uid", 0),
    ("container_uid", -1),
    ("container_uid", (1 << 32) - 1),
    ("container_gid", 0),
    ("root", 7),
]


@pytest.mark.parametrize(("trait", "value"), OUT_OF_RANGE)
def test_a_trait_out_of_range_is_refused(trait: str, value: object) -> None:
    with pytest.raises(TraitError, match=f"'{trait}' trait of a ProjectStore instance"):
        ProjectStore(**{trait: value})
    with pytest.raises(TraitError, match=f"'{trait}' trait of a ProjectStore instance"):
        ProjectStore(config=Config({"ProjectStore": {trait: value}}))


def test_sessions_never_run_as_root() -> None:
    uid, gid = ProjectStore().user
    assert uid > 0 and gid >= 0
