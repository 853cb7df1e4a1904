# Every target installs what it needs. Nothing is installed outside of this directory but caches
# (npm's own, Go's own, and ${XDG_CACHE_HOME:-~/.cache}/rolevend), which other clones share.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test soak lab build bench fault faults lint format generate clean npm laboratory prerequisites prerequisites-lab

MACHINE_PATH := $(PATH)
# The Node of package-lock.json comes before the machine's, for every program started from here.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
NODE := node_modules/.bin/node
INSTALLED := node_modules/.installed
BUNDLE := dist/rolevend.mjs
BILL := dist/sbom.cdx.json
SOURCES := $(shell find lib -type f 2>/dev/null)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: laboratory $(BUNDLE) ## see credentials appear and rotate on a real API server, without an AWS account or cluster
	@$(NODE) spec/lab/demo.ts

test: prerequisites-lab npm ## run everything that is checked; TESTS='spec/kube spec/x.spec.ts' runs only those tests
	@$(NODE) spec/tools/test.ts $(TESTS)

soak: prerequisites-lab npm ## play hours of work and trouble with thousands of objects: about a quarter of an hour
	@$(NODE) spec/tools/test.ts .soak.spec.ts

lab: laboratory ## keep a hub, a second cluster and AWS up until Ctrl-C and print what to export
	@$(NODE) spec/lab/main.ts

build: $(BUNDLE) $(BILL) ## bundle the program into the one file dist/rolevend.mjs, with a bill of its materials

fault: laboratory ## run one plan of faults and print what happened: PLAN=refresh:kube.update.secrets@1:kill-before
	@$(NODE) spec/faults/main.ts '$(PLAN)'

faults: laboratory ## run every plan of faults: kills, lost answers, dead connections, refusals of both APIs
	@$(NODE) spec/faults/main.ts

bench: laboratory $(BUNDLE) ## measure what it costs; WRITE=1 writes docs/benchmarks.md, N=200 is a quick look
	@$(NODE) spec/bench/main.ts $(if $(WRITE),--write) $(N)

lint: npm ## check style, types, the import table and the "only" rules
	@node_modules/.bin/biome check --error-on-warnings .
	@node_modules/.bin/tsc -p .

format: npm ## write the style
	@node_modules/.bin/biome check --write .

generate: npm ## write manifests/, docs/reference/ and the chart's copies from lib/api, lib/config.ts and the chart
	@$(NODE) spec/generate/main.ts

clean: ## remove what was made in this directory (caches outside stay)
	rm -rf dist coverage node_modules

$(BUNDLE): $(SOURCES) $(INSTALLED) spec/tools/build.ts spec/tools/bundle.ts
	@$(NODE) spec/tools/build.ts

$(BILL): $(SOURCES) package.json package-lock.json $(INSTALLED) spec/tools/sbom.ts spec/tools/bundle.ts
	@$(NODE) spec/tools/sbom.ts

# Always looks at the prerequisites first, then installs only where package.json or package-lock.json changed.
npm: $(INSTALLED)

$(INSTALLED): package.json package-lock.json .npmrc | prerequisites
	@PATH='$(MACHINE_PATH)' spec/tools/install.sh

laboratory: prerequisites-lab npm
	@$(NODE) spec/lab/install.ts >/dev/null

prerequisites:
	@spec/tools/prerequisites.sh

prerequisites-lab:
	@spec/tools/prerequisites.sh lab
