# What a person does with this project. CI calls the same targets.

CARGO ?= cargo

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## See it pass a whole image, find broken ones, audit a registry and a disk, and repair both
	@$(CARGO) build --quiet --bin pullproof --example demo
	@$(CARGO) run --quiet --example demo

# Half of the tests' time is waiting, so more of them run than there are usually cores.
TEST_THREADS ?= 4

.PHONY: test
test: ## Install what is missing, start what is needed, run every test
	scripts/prepare
	$(CARGO) build --release --locked --bin pullproof
	RUST_TEST_THREADS=$(TEST_THREADS) $(CARGO) test

# PULLPROOF_ROUNDS, PULLPROOF_HISTORIES, PULLPROOF_SEED and PULLPROOF_FUZZ_SECONDS change how much and
# which, and REGISTRIES="gitea zot" which real registries. The 10,000 histories take hours.
.PHONY: soak
soak: ## Test hundreds of damaged images, prune 10,000 histories, fuzz each reader for a minute
	scripts/soak $(REGISTRIES)
	scripts/fuzz

.PHONY: e2e
e2e: ## Test among real components: the image in a Docker engine, other registries, Woodpecker
	scripts/e2e

# Not part of `.ci/run`: each builds for five minutes. They need amd64 and Debian 12.
.PHONY: arm64
arm64: ## Build for arm64, and verify images with that under emulation
	scripts/emulate arm64

.PHONY: armv7
armv7: ## Build for armv7, and verify images with that under emulation
	scripts/emulate armv7

.PHONY: lint
lint: ## Check the format, the lints, the documentation, the dependencies and what is to be pasted
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) clippy --test e2e -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items
	scripts/lint-dependencies
	scripts/lint-workflows
	scripts/lint-operations

.PHONY: completions
completions: ## Write the shell completions and the manual page into target/completions
	$(CARGO) build --quiet --locked --bin pullproof
	mkdir -p target/completions
	target/debug/pullproof completions bash > target/completions/pullproof.bash
	target/debug/pullproof completions zsh > target/completions/_pullproof
	target/debug/pullproof completions fish > target/completions/pullproof.fish
	target/debug/pullproof man > target/completions/pullproof.1

.PHONY: bench
bench: ## Measure it next to its peers; PULLPROOF_BENCH=full,tags measures those cases alone
	scripts/prepare-bench
	$(CARGO) build --release --locked --bin pullproof
	$(CARGO) run --quiet --example peers

.PHONY: bench-readme
bench-readme: ## Measure it, and write the tables into docs/benchmarks.md
	@PULLPROOF_BENCH_README=docs/benchmarks.md $(MAKE) bench

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml
