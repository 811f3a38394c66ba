# What a person does with this project. CI calls the same targets.

CARGO ?= cargo

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## See it pass a whole image and find two broken ones, on a registry of its own
	@$(CARGO) build --quiet --bin pullproof --example demo
	@$(CARGO) run --quiet --example demo

.PHONY: test
test: ## Install what is missing, start what is needed, run every test
	scripts/prepare
	$(CARGO) test

.PHONY: lint
lint: ## Check the format, the lints and the documentation
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items

.PHONY: bench
bench: ## Measure it beside its peers; PULLPROOF_BENCH=full,tags measures those cases alone
	scripts/prepare-bench
	$(CARGO) build --release --locked --bin pullproof
	$(CARGO) run --quiet --example peers

.PHONY: bench-readme
bench-readme: ## Measure it, and write the table into the README
	@PULLPROOF_BENCH_README=README.md $(MAKE) bench

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt
