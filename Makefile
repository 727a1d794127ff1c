# What a person and the CI machine type.  `make help` lists it.  Nothing here asks a question or needs root.

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
PROJECTS := . plugins/vmv plugins/netdom plugins/stordom
ORACLES := m4 checkpolicy secilc seinfo grub-mkconfig sshd mmdebstrap faketime mcopy qemu-img
XENLAB := xen-utils-4.17 xen-utils-common xenstore-utils busybox-static libxenmisc4.17 libxencall1 libxendevicemodel1 \
	libxenevtchn1 libxenforeignmemory1 libxengnttab1 libxenhypfs1 libxenstore4 libxentoolcore1 libxentoollog1 libyajl2 \
	libnl-3-200 libnl-route-3-200 libuuid1
BEGIN := $(shell date +%s)
TOOK = @echo "make $@: $$(( $$(date +%s) - $(BEGIN) )) seconds"

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV

.DELETE_ON_ERROR:
.PHONY: help demo test check format bench bench-compile fuzz faults cuts coverage xenlab oracles clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-13s %s\n' "$$name" "$$text"; done

demo: $(VENV)/installed ## Install the package vmv into build/demo and show what came of it
	@rm -rf build/demo
	@mkdir -p build
	$(BIN)/polpkg install vmv --root build/demo --xen 4.17 --yes
	$(BIN)/polpkg status --root build/demo
	$(BIN)/polpkg explain vmv_t vmv_guest_t domain create --root build/demo
	$(TOOK)

test: $(VENV)/development oracles ## Run all tests; those whose tools are missing are skipped
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --timeout 900 $(TESTS)
	$(TOOK)

check: $(VENV)/development ## Formatting, lint, types and layers, in less than a minute
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(TOOK)

format: $(VENV)/development ## Format the code and mend what ruff can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(VENV)/development oracles ## Measure, and print the results beside the goals
	$(BIN)/python -m compileall -q polpkg plugins
	$(BIN)/python tests/bench $(BENCHMARKS)
	$(TOOK)

fuzz: $(VENV)/development ## Fuzz everything that reads what strangers wrote, FUZZ_SECONDS each
	$(BIN)/python tests/fuzz
	$(TOOK)

faults: $(VENV)/development ## Cut 2,000 changes of a tree off at random system calls (FAULTS=n), and see that each holds
	$(BIN)/python tests/random_faults.py $(FAULTS)
	$(TOOK)

cuts: $(VENV)/development ## Cut the connection to a host at 1,000 random bytes of changes (CUTS=n), and see that each holds
	$(BIN)/python tests/random_cuts.py $(CUTS)
	$(TOOK)

bench-compile: $(VENV)/development ## Compile up to 1,000 verifiers with 10 guests each, beside checkpolicy and secilc (SIZES=changed: one package of 100 changed)
	$(BIN)/python tests/bench/compile $(SIZES)
	$(TOOK)

coverage: $(VENV)/development oracles ## Run all tests and show the lines that none of them reaches
	$(BIN)/coverage run -m pytest --quiet $(TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered
	$(TOOK)

xenlab: $(VENV)/development ## Boot the Xen 4.17 that POLPKG_XEN names under QEMU and see that policies hold
	@mkdir -p build/xenlab
	@ls build/xenlab/*.deb >/dev/null 2>&1 || (cd build/xenlab && apt-get download $(XENLAB) \
		"$$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-6.*\)/\1/p' | head -1)") || true
	$(BIN)/python -m pytest --timeout 1200 tests/xenlab
	$(TOOK)

clean: ## Remove all that these commands made
	rm -rf $(VENV) build dist .coverage .coverage.* .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is made anew when a pyproject.toml changes, so it never keeps what nothing asks for any more.
$(VENV)/installed: $(PROJECTS:%=%/pyproject.toml)
	@echo "Setting up $(VENV) ..."
	@test -n "$(PYTHON)" || { echo "polpkg needs Python 3.11 or newer: make PYTHON=/path/to/python $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) comes without venv; on Debian: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet $(PROJECTS:%=--editable %)
	@$(BIN)/python -m compileall -q polpkg plugins
	@touch $@

$(VENV)/development: $(VENV)/installed
	@echo "Adding the tools of development ..."
	@$(BIN)/python -m pip install --quiet --group dev
	@touch $@

# The programs that tests compare with.  Only root can install them; whoever is not root can do without.
oracles:
	@missing=; for tool in $(ORACLES); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing$$missing ..."; \
		export DEBIAN_FRONTEND=noninteractive; \
		timeout 600 sh -c 'apt-get -qq update && apt-get -qq install -y --no-install-recommends m4 checkpolicy secilc setools grub-common openssh-server e2fsprogs fdisk dosfstools mtools qemu-utils mmdebstrap faketime' \
			</dev/null >/dev/null || echo "Could not install them."; \
	fi; \
	for tool in $(ORACLES); do command -v $$tool >/dev/null || echo "$$tool is missing: tests that need it are skipped"; done

.PHONY: bench-resolve
bench-resolve: $(VENV)/development ## Measure the resolver beside others on seeded graphs (CASES="realistic deep" for some)
	cd tests && ../$(BIN)/python -m bench.resolve $(CASES)
	$(TOOK)
