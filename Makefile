# The commands of the README. Each can be repeated; the second time is quick.
.PHONY: help install engine lab server test torture bench docs clean
ARGS ?=

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18

install: ## .venv with the package and its lab extension
	@sh scripts/install.sh

engine: install ## a Docker engine that answers, with the session image on it (BASE=image to build on)
	@sh scripts/engine.sh

lab: install ## JupyterLab in LAB_DIR (default ~/cognition), ARGS passed on
	@sh scripts/serve.sh lab $(ARGS)

server: install ## the same without JupyterLab's pages: jupyter server
	@sh scripts/serve.sh server $(ARGS)

test: engine ## all checks and tests, but the long ones
	@sh scripts/test.sh

torture: engine ## the long tests
	@.venv/bin/pytest -m torture $(ARGS)

bench: engine ## the measurements
	@.venv/bin/python -m benchmarks $(ARGS)

docs: install ## the documentation as HTML, in docs/_build/html
	@sh scripts/docs.sh $(ARGS)

clean: ## remove what was made in this directory, .venv included
	rm -rf .venv .make labextension/node_modules labextension/lib cognition_jupyter/labextension
	rm -rf dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis test-results
