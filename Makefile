# make help lists the targets. Nothing here needs more than Go, apt (for `test`) and git.
SHELL      := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
BIN        := $(CURDIR)/bin
GO         ?= go
GOLANGCI   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.5.0
GOFUMPT    := mvdan.cc/gofumpt@v0.9.1
ARGS       ?=
URL        ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: build
build: ## build bin/guanxi (nomsgpack: gin without a wire format we do not speak, 6 MB of it)
	CGO_ENABLED=0 $(GO) build -tags nomsgpack -trimpath -ldflags '-s -w' -o $(BIN)/guanxi ./cmd/guanxi

.PHONY: demo
demo: build ## run everything on embedded defaults with living sample data (ARGS="--reset")
	$(BIN)/guanxi demo $(ARGS)

.PHONY: test
test: ## set up what the tests need and run every test
	./scripts/setup-test
	./scripts/test

.PHONY: hostile
hostile: ## walk as people who mean harm, against a demo of its own or the one at URL=http://127.0.0.1:8080
	GUANXI_HOSTILE_URL=$(URL) $(GO) test -count=1 -v ./app/hostile

.PHONY: race
race: ## run every test of the main module under the race detector
	$(GO) test -race ./...

.PHONY: bench
bench: build ## run every bench scenario (ARGS="post --callers 32")
	$(BIN)/guanxi bench $(or $(ARGS),all)

.PHONY: check
check: $(BIN)/golangci-lint $(BIN)/gofumpt ## format, vet, lint, house rules, race tests of what changed
	@test -z "$$($(BIN)/gofumpt -l $$(git ls-files '*.go'))" || { $(BIN)/gofumpt -l $$(git ls-files '*.go'); echo 'run: make format'; exit 1; }
	$(GO) vet ./...
	$(BIN)/golangci-lint run ./...
	$(GO) test . 
	./scripts/race-changed

.PHONY: format
format: $(BIN)/gofumpt ## format all Go files
	$(BIN)/gofumpt -w $$(git ls-files '*.go')

.PHONY: clean
clean: ## remove what was built and the demo's data
	rm -rf $(BIN) var

$(BIN)/golangci-lint:
	GOBIN=$(BIN) $(GO) install $(GOLANGCI)

$(BIN)/gofumpt:
	GOBIN=$(BIN) $(GO) install $(GOFUMPT)
