# A thin front: meson.build says how to build, tests/run_tests.py what is tested.
# Every target installs what it lacks first (scripts/debian-packages); with nothing missing that is
# a look at dpkg's list.

PYTHON ?= /usr/bin/python3
MESON ?= meson
BUILD ?= build
PREFIX ?= /usr/local
LISTEN ?= 127.0.0.1:8000

.DEFAULT_GOAL := build
.PHONY: build help deps demo test test-all fuzz test-v2 test-hostile soak serve bench format clean install

build: ## compile host, worker and the bundled plugins into build/
	@scripts/deps build
	@scripts/compile $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

deps: ## install the Debian packages that are missing
	@scripts/deps build run test bench

demo: ## read an image, survive a crash, a hang and a memory hog: in one minute
	@scripts/deps build run
	@scripts/compile $(BUILD)
	@FORGESYTE_BUILD=$(BUILD) $(PYTHON) scripts/demo

test: ## build and run every test (under half an hour on 2 cores)
	@scripts/deps build run test
	@MESON=$(MESON) $(PYTHON) tests/run_tests.py

test-all: ## the same, the long ones, and test-v2
	@scripts/deps build run test
	@MESON=$(MESON) $(PYTHON) tests/run_tests.py --all
	@$(MAKE) --no-print-directory test-v2

test-v2: ## the box's tests under Debian's kernel with cgroup v2, in qemu (4 minutes)
	@scripts/deps build run v2
	@scripts/compile $(BUILD)
	@$(PYTHON) tests/v2/run_v2.py --build $(BUILD)

test-hostile: ## the hostile corpus in every situation, in namespaces of its own (needs root)
	@scripts/deps build run test
	@scripts/compile $(BUILD)
	@FORGESYTE_BUILD=$(BUILD) $(PYTHON) tests/hostile/run

fuzz: ## fuzz every parser: an hour on two cores; FUZZ_SECONDS=5 each is a smoke run
	@scripts/deps build run test
	@MESON=$(MESON) $(PYTHON) tests/fuzz/run_fuzz.py

soak: ## 100,000 mixed calls and crashes, then 200 kills of the host: does it grow, does anything live on? (5 minutes, needs root)
	@scripts/deps build run test
	@scripts/compile $(BUILD)
	@FORGESYTE_BUILD=$(BUILD) $(PYTHON) tests/soak/soak.py
	@FORGESYTE_BUILD=$(BUILD) $(PYTHON) tests/soak/kill_nine.py

serve: ## run the host on 127.0.0.1:8000 with the bundled plugins
	@scripts/deps build run
	@scripts/compile $(BUILD)
	@FORGESYTE_BUILD=$(BUILD) scripts/serve $(LISTEN)

bench: ## measure, and compare with others on this machine
	@scripts/deps build run bench
	@scripts/compile $(BUILD)
	@FORGESYTE_BUILD=$(BUILD) $(PYTHON) bench/run

format: ## lay out the C files as .clang-format says
	@scripts/deps test
	@$(PYTHON) tests/check_format.py --fix

clean: ## remove the build folders
	rm -rf build build-asan build-tsan build-clang build-fuzz

install: build ## into PREFIX, /usr/local by default (DESTDIR is honoured)
	@$(MESON) configure $(BUILD) --prefix $(PREFIX)
	@$(MESON) install -C $(BUILD)
