package closure

import (
	"debug/elf"
	"encoding/binary"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Role is what a store path is that stands in a closure and is not needed there.
type Role struct {
	Machines []string // what its programs and libraries are for, where none is for a machine of a program: "x86_64"
	What     string   // what its name says: "a compiler"; "" where it says nothing
}

// String is the role for a reader; "" where nothing is known.
func (r Role) String() string {
	var parts []string
	if r.What != "" {
		parts = append(parts, r.What)
	}
	if len(r.Machines) > 0 {
		parts = append(parts, "for the build machine ("+strings.Join(r.Machines, ", ")+")")
	}
	return strings.Join(parts, " ")
}

// Role tells what a store path is by its name, and by the programs and libraries in it where root is not nil.
func (c *Closure) Role(root fs.FS, storePath string) Role {
	var r Role
	if sp, _, ok := ParseStorePath(c.StoreDir, storePath); ok {
		r.What = tool(sp)
	}
	if root != nil {
		r.Machines = c.foreign(machinesIn(root, strings.TrimPrefix(storePath, "/")))
	}
	return r
}

// foreign names machines; none where a program is for one of them.
func (c *Closure) foreign(machines []abiMachine) []string {
	var names []string
	for _, m := range machines {
		if slices.ContainsFunc(c.LinkMaps, func(l *LinkMap) bool {
			info := l.Program().Object.Info
			return m == abiMachine{info.Class, info.Data, info.Machine}
		}) {
			return nil
		}
		names = append(names, m.String())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// tools are what nixpkgs calls what one builds with; the names may follow the target's and a dash.
var tools = []struct{ name, what string }{
	{"gcc", "a compiler"}, {"gcc-wrapper", "a compiler"}, {"clang", "a compiler"}, {"clang-wrapper", "a compiler"}, {"rustc", "a compiler"},
	{"rustc-wrapper", "a compiler"}, {"go", "a compiler"}, {"ghc", "a compiler"}, {"llvm", "a compiler"},
	{"binutils", "a linker"}, {"binutils-wrapper", "a linker"}, {"lld", "a linker"}, {"mold", "a linker"},
	{"stdenv-linux", "a build environment"}, {"cmake", "a build tool"}, {"ninja", "a build tool"}, {"meson", "a build tool"}, {"gnumake", "a build tool"},
	{"pkg-config", "a build tool"}, {"pkg-config-wrapper", "a build tool"}, {"patchelf", "a build tool"},
}

// tool says what a store path is for by its name, as nixpkgs names packages and their outputs.
func tool(s StorePath) string {
	name, version := s.PName(), s.Version()
	for _, output := range []string{"-lib", "-libgcc", "-libs"} {
		if strings.HasSuffix(version, output) {
			return "" // gcc-12.3.0-lib: what programs need of a compiler
		}
	}
	if strings.HasSuffix(s.Name, "-dev") {
		return "headers to build with"
	}
	for _, t := range tools {
		if name == t.name || strings.HasSuffix(name, "-"+t.name) {
			return t.what
		}
	}
	return ""
}

// abiMachine is what a file is for.
type abiMachine struct {
	class   elf.Class
	data    elf.Data
	machine elf.Machine
}

// String is the machine as Nix names systems, where the header tells it.
func (m abiMachine) String() string {
	switch {
	case m.machine == elf.EM_386:
		return "i686"
	case m.machine == elf.EM_RISCV && m.class == elf.ELFCLASS64:
		return "riscv64"
	case m.machine == elf.EM_PPC64 && m.data == elf.ELFDATA2LSB:
		return "powerpc64le"
	case m.machine == elf.EM_S390:
		return "s390x"
	}
	return strings.ToLower(strings.TrimPrefix(m.machine.String(), "EM_"))
}

const (
	maxLooked  = 4096 // names in one store path that are looked at
	enoughELF  = 16   // files that say what a store path is for
	maxFolders = 16   // that deep
)

// machinesIn are the machines of ELF files in a folder: those in bin and lib first, and not all where
// there are many.
func machinesIn(root fs.FS, dir string) []abiMachine {
	var found []abiMachine
	looked := 0
	var look func(dir string, depth int)
	look = func(dir string, depth int) {
		entries, err := fs.ReadDir(root, dir)
		if err != nil || depth > maxFolders {
			return
		}
		slices.SortStableFunc(entries, func(a, b fs.DirEntry) int { return folderRank(a.Name()) - folderRank(b.Name()) })
		for _, e := range entries {
			if looked++; looked > maxLooked || len(found) >= enoughELF {
				return
			}
			at := path.Join(dir, e.Name())
			if e.IsDir() {
				look(at, depth+1)
			} else if m, ok := machineOf(root, at, e); ok {
				found = append(found, m)
			}
		}
	}
	look(dir, 0)
	return found
}

// folderRank puts the folders first that hold programs and libraries.
func folderRank(name string) int {
	switch name {
	case "bin", "sbin", "libexec":
		return 0
	case "lib", "lib64":
		return 1
	}
	return 2
}

// machineOf reads what a program or library is for (gABI: e_ident, e_type, e_machine).
func machineOf(root fs.FS, name string, e fs.DirEntry) (m abiMachine, ok bool) {
	if !e.Type().IsRegular() {
		return m, false
	}
	f, err := root.Open(name)
	if err != nil {
		return m, false
	}
	defer f.Close()
	var head [20]byte
	if n, _ := f.Read(head[:]); n < len(head) || string(head[:4]) != elf.ELFMAG {
		return m, false
	}
	m.class, m.data = elf.Class(head[elf.EI_CLASS]), elf.Data(head[elf.EI_DATA])
	var order binary.ByteOrder = binary.LittleEndian
	if m.data == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	m.machine = elf.Machine(order.Uint16(head[18:]))
	typ := elf.Type(order.Uint16(head[16:]))
	return m, typ == elf.ET_EXEC || typ == elf.ET_DYN
}
