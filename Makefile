# Every target is named after what one gets; CI calls nothing else.

SHELL = /bin/bash

GOLANGCI = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

BIN   = .bin/nixbundle
STORE = $(CURDIR)/.store
DEMO  = --root testdata/demo
FUZZTIME ?= 5s
CORPUS ?= amd64 arm64 armhf i386 riscv64 ppc64el s390x mips64el mipsel

export NIXBUNDLE_STORE ?= $(STORE)

# Where install puts things, below DESTDIR. Recipes take both from the environment: whatever is in a name, it is one word.
# A ~ is HOME's where the shell has left it, as zsh and dash do behind a "=".
PREFIX ?= /usr/local
export DESTDIR PREFIX
TO       = to="$$DESTDIR$${PREFIX/\#\~\//$$HOME/}"; man=$$to/share/man; bash=$$to/share/bash-completion/completions/nixbundle; \
           zsh=$$to/share/zsh/site-functions/_nixbundle; fish=$$to/share/fish/vendor_completions.d/nixbundle.fish

# What the program and its pages are made from, and no version from a repository that git refuses to read since it is
# somebody else's: Go would not build in it.
SOURCES := $(shell find go.mod go.sum bundle closure cmd elfpatch -name testdata -prune -o -print)
VCS      = $$(git log -1 >/dev/null 2>&1 || echo -buildvcs=false)
PAGES    = .bin/man/nixbundle.1

.PHONY: help demo build program install uninstall test test-full unit lint fuzz bench store stubs vendor-hash flake deps clean

help:           ## what there is to make
	@sed -n 's/^\([a-z-]*\): *[a-zA-Z .$$()-]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: program   ## the main job on the small real closure that ships here; needs only Go
	@echo '$$ nixbundle conflicts /sensor-conflict/bin/sensor'
	@$(BIN) conflicts $(DEMO) /sensor-conflict/bin/sensor; test $$? -eq 3
	@echo; echo '$$ nixbundle /sensor-fixed/bin/sensor -o sensor.tar.zst'
	@$(BIN) $(DEMO) /sensor-fixed/bin/sensor -o .bin/sensor.tar.zst
	@echo; echo '$$ nixbundle inspect sensor.tar.zst'
	@$(BIN) inspect .bin/sensor.tar.zst
	@cd .bin && sha256sum sensor.tar.zst

build: program $(PAGES) ## .bin/nixbundle and its manual pages

program:
	CGO_ENABLED=0 go build $(VCS) -trimpath -o $(BIN) ./cmd/nixbundle

$(BIN): $(SOURCES)
	@$(MAKE) --no-print-directory program && touch $@

$(PAGES): $(SOURCES)
	@# the pages have the date of the last commit, where it is known
	rm -rf .bin/man .bin/man.new
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null)} GOOS= GOARCH= go run $(VCS) -tags manpages ./cmd/manpages .bin/man.new
	mv .bin/man.new .bin/man

# What is built already is not built again: root may have no Go, and what root built its user could not replace.
install: $(BIN) $(PAGES) ## nixbundle, its manual pages and the shells' completions, below DESTDIR and PREFIX (/usr/local)
	$(TO); set -e; \
	install -D -m 755 $(BIN) "$$to/bin/nixbundle"; \
	install -d "$$man/man1" "$$man/man7" "$${bash%/*}" "$${zsh%/*}" "$${fish%/*}"; \
	install -m 644 .bin/man/*.1 "$$man/man1"; \
	install -m 644 .bin/man/*.7 "$$man/man7"; \
	$(BIN) completion bash >"$$bash"; $(BIN) completion zsh >"$$zsh"; $(BIN) completion fish >"$$fish"; \
	chmod 644 "$$bash" "$$zsh" "$$fish"

uninstall:      ## take away what install put there
	$(TO); rm -f "$$to/bin/nixbundle" "$$bash" "$$zsh" "$$fish" \
	  "$$man"/man1/nixbundle.1 "$$man"/man1/nixbundle-*.1 "$$man"/man7/nixbundle-*.7

test: deps lint store unit fuzz ## all that must hold before a change lands; as root it installs what it needs

test-full: deps lint store ## the same with every slow matrix
	testdata/store/make.sh full
	NIXBUNDLE_FULL=1 go test -race -timeout 60m ./...
	$(MAKE) fuzz FUZZTIME=60s

unit:           ## the Go tests; those that need the store skip without it
	go test -race -timeout 45m ./...

lint:           ## go vet, the linters and the import table of README's architecture
	go vet ./...
	go vet -tags manpages ./cmd/...
	$(GOLANGCI) run --build-tags manpages ./... 2>&1 | grep -v '^go: downloading'; exit $${PIPESTATUS[0]}

# A failing input is written down. Without one, "context deadline exceeded" is the fuzzer's own clock, which
# ran out at the wrong moment (go.dev/issue/75804, mended in Go 1.27).
fuzz:           ## every fuzz target for FUZZTIME
	@go list ./... | while read -r pkg; do \
	  go test -list '^Fuzz' "$$pkg" | grep '^Fuzz' | while read -r target; do \
	    echo "fuzz $$pkg $$target"; \
	    out=$$(go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s "$$pkg" </dev/null 2>&1) || { \
	      grep -q 'context deadline exceeded' <<<"$$out" && ! grep -q 'Failing input' <<<"$$out"; \
	    } || { echo "$$out"; exit 1; }; \
	  done || exit 1; \
	done

bench: program  ## time, memory and size beside what one would use instead, as ratios in one table
	testdata/store/make.sh bench
	go build -o .bin/bench ./testdata/bench
	.bin/bench $(BIN) $(STORE)

stubs:          ## elfpatch/stub/*.bin, with Debian's cross compilers
	elfpatch/stub/src/build.sh elfpatch/stub

vendor-hash:    ## the hash in flake.nix of the modules that go.mod names; needs nix
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && go mod vendor -o "$$dir/vendor" && \
	  hash=$$(nix --extra-experimental-features nix-command hash path "$$dir/vendor") && \
	  sed -i "s|vendorHash = \"[^\"]*\"|vendorHash = \"$$hash\"|" flake.nix && grep vendorHash flake.nix

flake:          ## what flake.nix builds and checks, by the real nixpkgs; needs nix and a network
	nix --extra-experimental-features 'nix-command flakes' flake check --no-write-lock-file --print-build-logs

corpus:         ## real programs of nine machines, edited and loaded by their own loaders, beside patchelf (root; hours)
	testdata/corpus/roots.sh $(CORPUS)
	go build -o .bin/corpus ./testdata/corpus
	.bin/corpus $(STORE) $(CORPUS)

store:          ## real Nix closures in /nix/store and roots without Nix, in .store (root; minutes, then cached)
	testdata/store/make.sh

deps:           ## Debian packages that the tests need (root)
	@packages=$$(cat testdata/store/packages.txt); \
	missing=$$(for p in $$packages; do \
	  [ "$$(dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || echo $$p; done); \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
	    apt-get -qq install -y --no-install-recommends $$missing >/dev/null; \
	elif [ -n "$$missing" ]; then \
	  echo "these Debian packages are missing, and only root can install them:" $$missing; exit 1; \
	fi

clean:          ## remove what was made here; /nix/store stays
	rm -rf .bin .store
