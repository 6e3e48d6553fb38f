"""Which runtime is chosen, and that the choice is never a weaker one in silence."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from cognition_jupyter.exceptions import RuntimeUnavailable
from cognition_jupyter.projects.root import MARKER, Root
from cognition_jupyter.runtimes.base import Health
from cognition_jupyter.runtimes.choice import RUNTIMES, RuntimeChoice

from .engines import Fake, Listener
from .test_engine_failures import never

NO_ENGINE = {"base_url": "unix:///nonexistent/engine.sock"}
NO_BUBBLEWRAP = {"executable": "no-bubblewrap-here"}


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "workspaces")


def choice(root: Root, runtime: str = "auto", **of: dict[str, Any]) -> RuntimeChoice:
    names = {"docker": "DockerRuntime", "bubblewrap": "BubblewrapRuntime"}
    config = {names[name]: traits for name, traits in of.items()}
    return RuntimeChoice(root, config=Config(config | {"RuntimeChoice": {"runtime": runtime}}))


def chosen(made: RuntimeChoice) -> str:
    async def body() -> str:
        try:
            return (await made.choose()).name
        finally:
            await made.close()

    return asyncio.run(body())


def refusal(made: RuntimeChoice) -> str:
    with pytest.raises(RuntimeUnavailable) as refused:
        chosen(made)
    assert refused.value.status == 503
    return refused.value.message


def health(made: RuntimeChoice) -> Health:
    async def body() -> Health:
        try:
            return await made.health()
        finally:
            await made.close()

    return asyncio.run(body())


def use(root: Root, name: str) -> None:
    async def body() -> None:
        made = RuntimeChoice(root)
        await made.note_use(RUNTIMES[name](root_uuid=root.uuid))
        await made.close()

    asyncio.run(body())


def test_auto_takes_the_strongest_that_works(root: Root) -> None:
    assert chosen(choice(root)) == "docker"
    assert chosen(choice(root, docker=NO_ENGINE)) == "bubblewrap"
    assert chosen(choice(root, docker={"base_url": "tcp://127.0.0.1:1"})) == "bubblewrap"
    assert chosen(choice(root, bubblewrap=NO_BUBBLEWRAP)) == "docker"
    assert root.runtime is None  # a choice is not yet a use


def test_auto_says_what_would_help(root: Root) -> None:
    made = choice(root, docker=NO_ENGINE, bubblewrap=NO_BUBBLEWRAP)
    said = refusal(made)
    for word in ("No such file or directory", "bubblewrap is not installed", "Start or install"):
        assert word in said
    assert "RuntimeChoice.runtime" in said and said.endswith(".")
    state = health(choice(root, docker=NO_ENGINE, bubblewrap=NO_BUBBLEWRAP))
    assert state == Health("auto", False, False, said)


@pytest.mark.parametrize("program", ["false", "cat", "/", "/etc/passwd", "sh"])
def test_what_is_not_bubblewrap_is_not_taken_for_it(root: Root, program: str) -> None:
    said = refusal(choice(root, docker=NO_ENGINE, bubblewrap={"executable": program}))
    assert "bubblewrap" in said


def test_auto_never_goes_below_what_the_root_has_used(root: Root) -> None:
    use(root, "bubblewrap")
    assert chosen(choice(root, docker=NO_ENGINE)) == "bubblewrap"
    use(root, "docker")
    said = refusal(choice(root, docker=NO_ENGINE))
    assert "this root has used docker" in said and "bubblewrap would be weaker" in said
    state = health(choice(root, docker=NO_ENGINE))
    assert not state.available and not state.isolated
    # Weaker ones, asked for by name, do not lower it.
    use(root, "bubblewrap")
    use(root, "process")
    assert root.runtime == "docker"
    assert chosen(choice(root, "bubblewrap", docker=NO_ENGINE)) == "bubblewrap"


def test_process_is_never_chosen_by_itself(root: Root) -> None:
    use(root, "process")
    assert root.runtime == "process"
    assert chosen(choice(root, docker=NO_ENGINE)) == "bubblewrap"
    nothing = {"docker": NO_ENGINE, "bubblewrap": NO_BUBBLEWRAP}
    assert "No runtime" in refusal(choice(root, **nothing))
    assert chosen(choice(root, "process", **nothing)) == "process"
    state = health(choice(root, "process", **nothing))
    assert state.available and not state.isolated and "Not isolated" in state.detail


def test_what_a_later_release_has_used_counts_as_the_strongest(root: Root) -> None:
    marker = json.loads((root.path / MARKER).read_text())
    (root.path / MARKER).write_text(json.dumps(marker | {"runtime": "kubernetes"}))
    assert chosen(choice(root)) == "docker"
    assert "this root has used kubernetes" in refusal(choice(root, docker=NO_ENGINE))
    use(root, "docker")
    assert root.runtime == "kubernetes"


def test_a_name_is_that_runtime_and_no_other(root: Root) -> None:
    assert chosen(choice(root, "docker", docker=NO_ENGINE)) == "docker"
    assert chosen(choice(root, "bubblewrap")) == "bubblewrap"
    for name, wrong in (("docker", NO_ENGINE), ("bubblewrap", NO_BUBBLEWRAP)):
        state = health(choice(root, name, **{name: wrong}))
        assert state.name == name and not state.available and state.isolated
        assert state.detail.endswith(".")
        assert health(choice(root, name)).available
    with pytest.raises(TraitError, match="runtime"):
        choice(root, "podman")


def test_a_hanging_engine_is_not_waited_for_long(root: Root) -> None:
    fake = Fake(never)
    try:
        hangs = {"base_url": fake.url, "engine_timeout": 0.5}
        assert chosen(choice(root, docker=hangs)) == "bubblewrap"
        use(root, "docker")
        assert "did not answer" in refusal(choice(root, docker=hangs))
    finally:
        fake.close()


def test_the_choice_is_made_once(root: Root) -> None:
    made = choice(root, docker=NO_ENGINE)

    async def body() -> None:
        first = await made.choose()
        root.remember_runtime("docker")  # another server has an engine
        assert await made.choose() is first
        await made.close()

    asyncio.run(body())


def test_health_raises_nothing(root: Root) -> None:
    for damage in ("{", "", '{"uuid": 1}'):
        made = choice(root, docker=NO_ENGINE)
        intact = (root.path / MARKER).read_text()
        (root.path / MARKER).write_text(damage)
        state = health(made)
        assert not state.available and "root.json" in state.detail
        (root.path / MARKER).unlink()
        state = health(choice_without_reading(root, intact))
        assert not state.available and state.detail.endswith(".")
        (root.path / MARKER).write_text(intact)


def choice_without_reading(root: Root, intact: str) -> RuntimeChoice:
    (root.path / MARKER).write_text(intact)
    made = choice(root, docker=NO_ENGINE)
    (root.path / MARKER).unlink()
    return made


@pytest.mark.parametrize("runtime", ["auto", "process"])
def test_a_wrong_setting_of_any_runtime_stops_the_start(root: Root, runtime: str) -> None:
    for wrong in (
        {"docker": {"memory_limit": "banana"}},
        {"docker": {"cpu_limit": 0}},
        {"docker": {"pids_limit": "many"}},
        {"bubblewrap": {"read_only_paths": ["relative"]}},
        {"bubblewrap": {"read_only_paths": ["/"]}},
        {"bubblewrap": {"allow_host_network": "yes"}},
    ):
        (setting,) = next(iter(wrong.values()))
        with pytest.raises(TraitError, match=setting):
            choice(root, runtime, **wrong)  # type: ignore[arg-type]


@pytest.fixture
def silent() -> Iterator[Listener]:
    made = Counting()
    yield made
    made.close()


class Counting(Listener):
    connections = 0

    def serve(self, connection: Any) -> None:
        self.connections += 1


def test_making_the_runtimes_connects_to_nothing(root: Root, silent: Counting) -> None:
    before = threading.active_count()
    for name in ("auto", *RUNTIMES):
        made = choice(root, name, docker={"base_url": silent.url})
        made.for_reconcile()
        asyncio.run(made.close())
    assert silent.connections == 0 and threading.active_count() <= before


def test_reconcile_asks_the_engine_where_one_was_used(root: Root) -> None:
    def asked(made: RuntimeChoice) -> list[str]:
        names = [runtime.name for runtime in made.for_reconcile()]
        asyncio.run(made.close())
        return names

    assert asked(choice(root)) == asked(choice(root, "docker")) == ["docker"]
    assert asked(choice(root, "bubblewrap")) == asked(choice(root, "process")) == []
    use(root, "docker")  # what a killed server left there is still to be removed
    assert asked(choice(root, "bubblewrap")) == asked(choice(root, "process")) == ["docker"]
