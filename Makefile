# Everything installs itself: Python 3.11, make, and root or sudo for Debian's packages are all that must be there.
.DEFAULT_GOAL := help
.PHONY: release grafana grafana-schema help setup up check test test-lab as-root lab-programs faults fuzz bench bench-lab clean
PYTHON ?= $(shell command -v python3.11 || command -v python3)
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
APT := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -qq
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
export PATH := $(PATH):/usr/sbin

help:
	@echo 'make setup                 the product in .venv'
	@echo 'make up ARGS="--for 60"    run everything on this machine (santong up)'
	@echo 'make check                 ruff, mypy, import-linter'
	@echo 'make test                  check, then every test against real mosquitto and influxd'
	@echo 'make test-lab              real networks, WiFi and hosts: namespaces and a guest; needs root'
	@echo 'make release               all that a centre and its devices need, in one archive: docs/release.md'
	@echo 'make grafana               write the dashboards and alert rules of deploy/grafana anew'
	@echo 'make grafana-schema        the dashboards against the types that Grafana publishes; needs node and npm'
	@echo 'make faults N=1000 SEED=7   break everything at random, N times, and look whether anything is lost'
	@echo 'make fuzz N=1000000        malformed batches through check and stores'
	@echo 'make bench                 measure the figures of docs/performance.md'
	@echo 'make bench-lab             what probes cost, and throughput beside iperf3, in namespaces; needs root'

setup: .venv/.product

.venv/.product: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or later is needed: make PYTHON=...'; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(APT) update && $(APT) install -y --no-install-recommends python3-venv; }
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade pip
	$(PIP) --editable '.[all]'
	@touch $@

.venv/.developer: .venv/.product
	$(PIP) --group dev
	@touch $@

# What a PDF needs of Debian, and what tests read one with.
FOR_PDF := libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fontconfig fonts-noto-cjk poppler-utils

# The real servers that the tests and benchmarks start for themselves, on free ports and in folders of their own.
.venv/.servers: .venv/.product
	@command -v mosquitto >/dev/null && command -v mosquitto_pub >/dev/null && command -v influxd >/dev/null && command -v strace >/dev/null \
	    && command -v openssl >/dev/null && command -v pgrep >/dev/null && command -v snmpd >/dev/null || { \
	    $(APT) update && $(APT) install -y --no-install-recommends mosquitto mosquitto-clients influxdb strace openssl procps snmpd; }
	@command -v pdftotext >/dev/null && fc-list :lang=zh-cn 2>/dev/null | grep -q . && $(BIN)/python -c 'import weasyprint' 2>/dev/null || { \
	    $(APT) update && $(APT) install -y --no-install-recommends $(FOR_PDF); }
	@command -v chromium >/dev/null || { $(APT) update && $(APT) install -y --no-install-recommends chromium; }
	@touch $@

up: .venv/.product
	@$(BIN)/santong up $(ARGS)

# What of the agent is to run on Windows, read by mypy as Windows has it: docs/windows.md.
NOT_ON_WINDOWS := agent/privileges.py agent/control_socket.py agent/programs.py agent/gather/command.py agent/gather/hostapd.py
ON_WINDOWS := $(filter-out $(NOT_ON_WINDOWS),$(wildcard agent/*.py agent/gather/*.py contract/*.py))

check: .venv/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --no-warn-unreachable --follow-imports silent --cache-dir .mypy_cache/win32 $(ON_WINDOWS)
	$(BIN)/lint-imports --no-cache

test: check .venv/.servers
	PYTHONHASHSEED=0 $(BIN)/pytest -n 2 --dist loadfile $(ARGS)

# What tests/lab builds its networks, guest and hosts from; their Debian it builds itself, in LAB_WORK or .build/lab.
LAB_PROGRAMS := dnsmasq nginx iperf3 ip tc nft ping curl busybox dig qemu-system-x86_64 mmdebstrap systemd-nspawn \
    snmpd mosquitto dpkg-scanpackages ssh-keygen
LAB_PACKAGES := dnsmasq-base nginx-light iperf3 iproute2 nftables iputils-ping curl busybox bind9-dnsutils \
    qemu-system-x86 mmdebstrap debian-archive-keyring systemd-container snmpd mosquitto dpkg-dev openssh-client

lab-programs: as-root
	@(for program in $(LAB_PROGRAMS); do command -v $$program >/dev/null || exit 1; done) || { \
	    $(APT) update && $(APT) install -y --no-install-recommends $(LAB_PACKAGES); }

test-lab: as-root lab-programs .venv/.developer
	$(BIN)/pytest tests/lab -n 2 $(ARGS)

as-root:
	@[ "$$(id -u)" = 0 ] || { echo 'this needs root: it makes network namespaces'; exit 1; }

release: .venv/.developer
	@$(BIN)/python -m deploy.release $(ARGS)

grafana: .venv/.developer
	$(BIN)/python -m deploy.grafana

grafana-schema: deploy/grafana/schema/check.mjs
	@command -v npm >/dev/null || { $(APT) update && $(APT) install -y --no-install-recommends nodejs npm; }
	@rm -rf .build/grafana-schema/types .build/grafana-schema/check-*.ts
	@mkdir -p .build/grafana-schema && cp deploy/grafana/schema/* .build/grafana-schema
	@cd .build/grafana-schema && npm install --silent --no-audit --no-fund --ignore-scripts \
	    && node check.mjs "$(CURDIR)/deploy/grafana/dashboards"

faults: .venv/.developer .venv/.servers
	$(BIN)/python -m tests.faults $(if $(N),--faults $(N)) $(if $(SEED),--seed $(SEED)) $(ARGS)

fuzz: .venv/.developer .venv/.servers
	$(BIN)/python -m tests.fuzz $(if $(N),--batches $(N)) $(if $(SEED),--seed $(SEED)) $(ARGS)

bench: .venv/.developer .venv/.servers
	$(BIN)/python -m benchmarks.agent_footprint
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.collector_stages
	$(BIN)/python -m benchmarks.replay
	$(BIN)/python -m benchmarks.backpressure
	$(BIN)/python -m benchmarks.observing
	$(BIN)/python -m benchmarks.verify_queries
	$(BIN)/python -m benchmarks.verify_units
	$(BIN)/python -m benchmarks.roster
	$(BIN)/python -m benchmarks.verify_minutes
	$(BIN)/python -m benchmarks.verify_rates
	$(BIN)/python -m benchmarks.verify --devices 5500 --smaller 2750
	$(BIN)/python -m benchmarks.accuracy --outages 1000
	$(BIN)/python -m benchmarks.archive
	$(BIN)/python -m benchmarks.backup
	$(BIN)/python -m benchmarks.watch
	$(BIN)/python -m benchmarks.grafana --devices 5500

bench-lab: as-root lab-programs .venv/.developer .venv/.servers
	$(BIN)/python -m benchmarks.probes
	$(BIN)/python -m benchmarks.throughput

clean:
	rm -rf .venv .build .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
