# The tasks of this repository. `make help` lists them; ARGS goes to the command behind a task: make test ARGS="-k manifest".
.DEFAULT_GOAL := help
.PHONY: help run test test-fast conformance lint docs generate bench lock venv

VENV := PATH="$(CURDIR)/.venv/bin:$$PATH"

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## run the main job on a laptop stack
	./run_local.sh $(ARGS)

test: ## run the tests
	./run_tests.sh $(ARGS)

test-fast: ## run the tests without servers, deployment scripts and hostile input
	./run_tests.sh -m "not end_to_end and not servers" --ignore=tests/scripts --ignore=tests/hostile $(ARGS)

conformance: venv ## compare rows with the reference exporter's, by the kit in tests/data
	$(VENV) python -m tests.conformance $(ARGS)

lint: venv ## run all hooks: format, lint, types, imports, spelling, workflows
	$(VENV) pre-commit run --all-files $(ARGS)

docs: venv ## write docs/dags.md from the DAGs
	$(VENV) python scripts/dag_docs.py $(ARGS)

generate: venv ## write the Variables, pools and their documentation from the code
	$(VENV) python scripts/generate.py $(ARGS)

bench: ## run the benchmarks
	benchmarks/run.sh $(ARGS)

lock: ## update the lock files after a change of requirements/*.in or pyproject.toml
	scripts/lock.sh $(ARGS)

venv:
	@scripts/make_venv.sh tests
