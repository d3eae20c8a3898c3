# What a person types. `make help` lists it.

CARGO ?= cargo
BINARY := target/release/votestream
SMALL := target/up/release/votestream
# Further flags of `make up`, as in: make up ARGS="--votes all --rate max"
ARGS ?=
FEATURES ?=

.PHONY: help up build check test bench bench-web bench-archive chaos services-up services-down web

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## Build the small binary and run the main job: an election night, counted live, with its page
	@scripts/need-toolchain.sh
	$(CARGO) build --release --locked --no-default-features -p votestream --target-dir target/up
	$(SMALL) up --open $(ARGS)

build: ## The whole binary, at target/release/votestream
	@scripts/need-toolchain.sh full "$(FEATURES)"
	$(CARGO) build --release --locked -p votestream $(if $(FEATURES),--features $(FEATURES))

check: ## Format, lints, types, docs, licences: no services needed
	@scripts/need-toolchain.sh full
	scripts/check.sh

test: ## Install what the tests need, start the real services, run every suite, stop them
	@scripts/need-toolchain.sh full
	scripts/test.sh

bench: build ## What each stage costs on this machine, beside references in the same run
	$(BINARY) bench $(ARGS)
	@echo 'the archive beside Apache Flume and pyarrow: make bench-archive'

bench-archive: build ## The archive beside Apache Flume (same topic, same HDFS) and pyarrow (same rows)
	VOTESTREAM_BIN=$(CURDIR)/$(BINARY) scripts/bench-archive.sh $(ARGS)

bench-web: build ## The page beside a Streamlit + Plotly page with the same numbers: bytes, speed, steadiness (half an hour)
	scripts/bench-web.sh $(ARGS)

chaos: ## A thousand kills, a thousand faults on real servers, a worker stopped at every step, fifty kills on Spark; reports in docs/
	@scripts/need-toolchain.sh full
	scripts/chaos.sh

services-up: ## Real services on loopback for trying things by hand: Apache Kafka, PostgreSQL, HDFS, S3, Apache Spark
	@scripts/services/up.sh

services-down: ## Stop them (`scripts/services/down.sh --forget` removes their data, too)
	@scripts/services/down.sh

web: ## Build the dashboard's files into crates/votestream-web (needs Node)
	web/build.sh
