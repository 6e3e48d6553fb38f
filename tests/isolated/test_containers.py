"""There is no way around the containers."""

from __future__ import annotations

import json
import shutil

from .world import World, notebook, save


def test_there_are_no_terminals(world: World) -> None:
    for method in ("GET", "POST"):
        assert world.server.request(method, "/api/terminals").status_code == 404


def test_no_kernel_but_ours_can_be_started(world: World) -> None:
    server = world.server
    specs = server.call("GET", "/api/kernelspecs")
    assert set(specs["kernelspecs"]) == {"cognition"} and specs["default"] == "cognition"
    for name in ("python3", "Python3", "../python3", "python3/", "none"):
        answer = server.request("POST", "/api/kernels", json={"name": name})
        assert answer.status_code >= 400
        body = {"path": "x.ipynb", "name": "x", "type": "notebook", "kernel": {"name": name}}
        assert server.request("POST", "/api/sessions", json=body).status_code >= 400
        assert server.request("GET", f"/api/kernelspecs/{name}").status_code == 404
    assert server.call("GET", "/api/kernels") == []


def test_ours_can_be_started(world: World) -> None:
    session = world.server.start_session(world.mine)
    with world.server.kernel(session["kernel_id"]) as kernel:
        assert kernel.check("print(open('own.txt').read())") == "own\n"
        kernel.check("open('made.txt', 'w').write('by the kernel')")
    assert world.get("made.txt")["content"] == "by the kernel"
    world.server.end_session(session)


def test_no_program_of_the_host_is_run_on_a_notebook(world: World) -> None:
    save(world, "book.ipynb", "text")
    for name in ("latex", "pdf", "webpdf", "qtpdf", "qtpng", "rst", "asciidoc", "script"):
        answer = world.server.request("GET", f"/nbconvert/{name}/{world.path('book.ipynb')}")
        assert answer.status_code >= 400
        assert f'Exporter "{name}" disabled' in world.server.tail(), name
    assert "Extension Manager is 'readonly'" in world.server.log.read_text()
    assert world.server.call("GET", "/lsp/status")["specs"] == {}


def test_no_module_that_a_notebook_names_is_imported(world: World) -> None:
    (world.repo / "planted.py").write_text("raise SystemExit('planted')")
    name = world.path("planted.Exporter").replace("/", ".")
    book = notebook("text") | {"metadata": {"language_info": {"nbconvert_exporter": name}}}
    (world.repo / "book.ipynb").write_text(json.dumps(book))
    answer = world.server.request("GET", f"/nbconvert/script/{world.path('book.ipynb')}")
    assert answer.status_code >= 400
    assert f"Error importing {name}" not in world.server.tail()
    assert world.server.call("GET", "/api/kernels") == []  # it has not ended


def test_no_template_beside_the_server_is_used(world: World) -> None:
    save(world, "book.ipynb", "text")
    # Where the server was started, which can be where its user's files are, or a project's.
    template = world.server.root_dir / "lab" / "index.html.j2"
    template.parent.mkdir()
    template.write_text("{{ cycler.__init__.__globals__.os.getpid() }} planted")
    try:
        answer = world.server.request("GET", f"/nbconvert/html/{world.path('book.ipynb')}")
    finally:
        shutil.rmtree(template.parent)
    assert answer.status_code == 200 and "planted" not in answer.text, answer.text[:200]
