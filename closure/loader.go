package closure

import (
	"debug/elf"
	"path"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// Loader holds the facts of one dynamic loader that decide where it searches. They are read from
// the ld.so that PT_INTERP names, where it is there, else from a table by machine.
type Loader struct {
	Kind    LoaderKind
	Version [2]int // 2, 36 for glibc 2.36; 2, 32 for one of which only is known that it is no later; zero when unknown
	// Patches is how many commits of its release branch a glibc has on top of that version, where
	// that is known: 66 of nixpkgs' 2.40-66.
	Patches int
	// DefaultDirs are the directories compiled in, in order, absolute: Debian's
	// /lib/aarch64-linux-gnu..., or the store glibc's own lib. For musl they are what
	// <prefix>/etc/ld-musl-<arch>.path says, else those compiled in.
	DefaultDirs []string
	// CachePath is the ld.so.cache it reads; "" when it reads none.
	CachePath string
	// PreloadPath is the file of names that it preloads: /etc/ld.so.preload, or nixpkgs'
	// /etc/ld-nix.so.preload; "" when it reads none.
	PreloadPath string
	// Lib is what $LIB stands for; "" when unknown.
	Lib string
	// Platform is what $PLATFORM stands for (AT_PLATFORM, decided by the machine that runs it);
	// "" when unknown: a path that uses it is then dropped.
	Platform string
}

// LoaderKind is a family of loaders, which share their rules of search.
type LoaderKind int

// The kinds of loaders.
const (
	LoaderNone  LoaderKind = iota // no PT_INTERP: nothing is loaded
	LoaderGlibc                   // ld-linux*.so.*, ld64.so.*, ld.so.1
	LoaderMusl                    // ld-musl-*.so.1
)

func (k LoaderKind) String() string {
	return []string{"none", "glibc", "musl"}[k]
}

// MarshalText gives the kind's name.
func (k LoaderKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// kindOf tells the family of a loader from the path in PT_INTERP.
func kindOf(interp string) LoaderKind {
	if strings.HasPrefix(path.Base(interp), "ld-musl-") {
		return LoaderMusl
	}
	return LoaderGlibc
}

// abi is the loader that a machine's ABI names, for a library that names none.
type abi struct {
	interp  string // PT_INTERP by the ABI
	musl    string // musl's name for the machine
	triplet string // Debian's directory below /lib
}

// abiOf is the ABI that a file is made for.
func abiOf(info *elfpatch.Info) abi {
	little := info.Data == elf.ELFDATA2LSB
	switch info.Machine {
	case elf.EM_X86_64:
		if info.Class == elf.ELFCLASS32 {
			return abi{"/libx32/ld-linux-x32.so.2", "x32", "x86_64-linux-gnux32"}
		}
		return abi{"/lib64/ld-linux-x86-64.so.2", "x86_64", "x86_64-linux-gnu"}
	case elf.EM_386:
		return abi{"/lib/ld-linux.so.2", "i386", "i386-linux-gnu"}
	case elf.EM_AARCH64:
		return abi{"/lib/ld-linux-aarch64.so.1", "aarch64", "aarch64-linux-gnu"}
	case elf.EM_ARM:
		if info.Flags&efArmSoft != 0 {
			return abi{"/lib/ld-linux.so.3", "arm", "arm-linux-gnueabi"}
		}
		return abi{"/lib/ld-linux-armhf.so.3", "armhf", "arm-linux-gnueabihf"}
	case elf.EM_RISCV:
		return abi{"/lib/ld-linux-riscv64-lp64d.so.1", "riscv64", "riscv64-linux-gnu"}
	case elf.EM_PPC64:
		if little {
			return abi{"/lib64/ld64.so.2", "powerpc64le", "powerpc64le-linux-gnu"}
		}
	case elf.EM_S390:
		return abi{"/lib/ld64.so.1", "s390x", "s390x-linux-gnu"}
	case elf.EM_LOONGARCH:
		return abi{"/lib64/ld-linux-loongarch-lp64d.so.1", "loongarch64", "loongarch64-linux-gnu"}
	}
	return abi{}
}

// usual is the table for a loader whose file is missing: a store's glibc searches its own
// directory, a system's the usual places.
func usual(interp string, info *elfpatch.Info) Loader {
	l := Loader{Kind: kindOf(interp), Platform: platform(info)}
	dir := path.Dir(interp)
	switch system := []string{"/lib", "/lib64", "/libx32", "/usr/lib", "/usr/lib64", "/libexec"}; {
	case l.Kind == LoaderMusl:
		l.DefaultDirs = []string{"/lib", "/usr/local/lib", "/usr/lib"}
		return l
	case contains(system, dir):
		if t := abiOf(info).triplet; t != "" {
			l.DefaultDirs = []string{"/lib/" + t, "/usr/lib/" + t}
		}
		if info.Class == elf.ELFCLASS64 {
			l.DefaultDirs = append(l.DefaultDirs, "/lib64", "/usr/lib64")
		}
		l.DefaultDirs = append(l.DefaultDirs, "/lib", "/usr/lib")
		l.CachePath, l.PreloadPath = "/etc/ld.so.cache", "/etc/ld.so.preload"
	default:
		l.DefaultDirs = []string{dir}
	}
	l.Lib = libToken(l.DefaultDirs)
	return l
}

// platform is $PLATFORM where every processor of a machine has the same AT_PLATFORM (Linux
// arch/*/include/asm/elf.h: ELF_PLATFORM). glibc up to 2.36 says "haswell" on some of x86-64.
func platform(info *elfpatch.Info) string {
	switch {
	case info.Machine == elf.EM_AARCH64:
		return "aarch64"
	case info.Machine == elf.EM_X86_64 && info.Class == elf.ELFCLASS64:
		return "x86_64"
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// ABIInterp is the path of the loader that a file's ABI names (each psABI, "Program Interpreter";
// glibc shlib-versions); "" for a machine that is not known.
func ABIInterp(info *elfpatch.Info) string { return abiOf(info).interp }
