package closure

import (
	"cmp"
	"strings"
)

// StorePath is one entry of the store directory: DIGEST-NAME (Nix manual, "Store Path").
type StorePath struct {
	Dir    string // the store directory, "/nix/store"
	Digest string // 32 characters of Nix's base-32 alphabet
	Name   string // "protobuf-aarch64-unknown-linux-gnu-3.21.9"
}

const (
	usualStoreDir = "/nix/store"

	digestLen   = 32
	maxStoreLen = 211 // Nix src/libstore/path.hh: StorePath::MaxPathLen
	nix32       = "0123456789abcdfghijklmnpqrsvwxyz"
)

// ParseStorePath splits a path into the store path that it lies in and the rest, "" or "/lib/...".
// ok is false when it lies in none. The path is taken as text: no link is followed. A storeDir of "" means
// /nix/store.
func ParseStorePath(storeDir, p string) (sp StorePath, rest string, ok bool) {
	storeDir = cmp.Or(storeDir, usualStoreDir)
	below, ok := strings.CutPrefix(p, strings.TrimRight(storeDir, "/")+"/")
	if !ok {
		return StorePath{}, "", false
	}
	base := strings.TrimLeft(below, "/")
	if i := strings.IndexByte(base, '/'); i >= 0 {
		base, rest = base[:i], base[i:]
	}
	if len(base) < digestLen+2 || base[digestLen] != '-' {
		return StorePath{}, "", false
	}
	sp = StorePath{strings.TrimRight(storeDir, "/"), base[:digestLen], base[digestLen+1:]}
	if !validDigest(sp.Digest) || !validName(sp.Name) {
		return StorePath{}, "", false
	}
	return sp, rest, true
}

func validDigest(s string) bool {
	for i := range len(s) {
		if strings.IndexByte(nix32, s[i]) < 0 {
			return false
		}
	}
	return true
}

// validName is Nix's rule (src/libstore/path.cc: checkName): ASCII letters, digits and +-._?=, and
// not "." or ".." alone or before a dash.
func validName(s string) bool {
	if s == "" || len(s) > maxStoreLen {
		return false
	}
	if first, _, _ := strings.Cut(s, "-"); first == "." || first == ".." {
		return false
	}
	for i := range len(s) {
		if !isNameChar(s[i]) {
			return false
		}
	}
	return true
}

func isNameChar(c byte) bool { return isNameByte(c) || strings.IndexByte("+-.?=", c) >= 0 }

// String is the store path as an absolute path.
func (s StorePath) String() string { return s.Dir + "/" + s.Digest + "-" + s.Name }

// PName is the name without its version, as builtins.parseDrvName splits it.
func (s StorePath) PName() string {
	name, _ := parseDrvName(s.Name)
	return name
}

// Version is the version in the name; "" when it has none.
func (s StorePath) Version() string {
	_, version := parseDrvName(s.Name)
	return version
}

// parseDrvName splits at the first dash that is not followed by a letter (Nix
// src/libstore/names.cc: DrvName).
func parseDrvName(s string) (name, version string) {
	for i := 0; i+1 < len(s); i++ {
		if c := s[i+1] | 0x20; s[i] == '-' && (c < 'a' || c > 'z') {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// Package is the name without version and without the machine that nixpkgs puts between the two in
// what it cross-compiles: "protobuf" of protobuf-aarch64-unknown-linux-gnu-3.21.9.
func (s StorePath) Package() string {
	name := s.PName()
	before, _, cross := strings.Cut(name, "-unknown-linux-")
	if i := strings.LastIndexByte(before, '-'); cross && i > 0 {
		return before[:i]
	}
	return name
}

// Means reports whether a name means a store path: the path, its last part, that as [StorePath.Short] has it,
// or its name with or without the version and the machine.
func (s StorePath) Means(name string) bool {
	return name == s.String() || name == s.Digest+"-"+s.Name || name == s.Short() || name == s.Name || name == s.PName() || name == s.Package()
}

// Short is what a reader knows a store path by: its name, behind as much of the digest as tells it from
// others.
func (s StorePath) Short() string { return s.Digest[:8] + "-" + s.Name }
