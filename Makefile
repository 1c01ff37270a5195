# Two commands: `make demo` and `make test`. They share one build of the dependencies (profile `release`).
SHELL := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
SECTORA := $(TARGET_DIR)/release/sectora
DEMO_DATA := .demo
PORT ?= 7878
CARGO := cargo

.PHONY: help toolchain build demo demo-answers serve test check fmt clippy docs licences reader-check clean-demo

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

toolchain: ## Install the pinned Rust toolchain if it is missing
	@command -v rustup >/dev/null || { echo "rustup is missing: install it first (it manages the pinned Rust toolchain)"; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: install gcc or clang (SQLite and zstd are built from source)"; exit 1; }
	@channel=$$(sed -nE 's/^channel = "(.*)"/\1/p' rust-toolchain.toml); \
	 rustup toolchain list | grep -q "^$$channel" || rustup toolchain install "$$channel" --profile minimal -c clippy -c rustfmt

build: toolchain ## Build the program
	$(CARGO) build --release --locked

demo: demo-answers serve ## Build, index the built-in sector, answer two questions with citations, serve the page

demo-answers: build
	@echo "== reading the built-in sector (battery)"
	@$(SECTORA) --data-dir $(DEMO_DATA) --sector battery ingest --rebuild
	@for question in "$$(sed -nE 's/^examples = .*ko = \["([^"]*)".*/\1/p' sectors/battery/sector.toml)" \
	                 "$$(sed -nE 's/^examples = .*en = \["([^"]*)".*/\1/p' sectors/battery/sector.toml)"; do \
	   echo; echo "== $$question"; \
	   $(SECTORA) --data-dir $(DEMO_DATA) --sector battery --quiet ask "$$question"; \
	 done

serve: build
	@echo
	@$(SECTORA) --data-dir $(DEMO_DATA) --sector battery serve --port $(PORT)

test: toolchain ## All tests
	$(CARGO) test --release --locked --workspace

check: fmt clippy docs licences ## Format, lints, documentation, licences

fmt: toolchain
	$(CARGO) fmt --all --check

clippy: toolchain
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings

docs: toolchain
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps

licences: toolchain
	$(CARGO) test --release --locked --test it licences

reader-check: toolchain ## The reading models' pipelines at a tiny size (models/reader, models/span; makes a Python environment of its own)
	models/reader/make.sh

clean-demo: ## Remove the demonstration's data
	rm -rf $(DEMO_DATA)
