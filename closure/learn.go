package closure

import (
	"bytes"
	"path"
	"strconv"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// maxLoader bounds the file of a loader: glibc's has 0.2 MB, musl's, which is the whole C library,
// less than 1 MB.
const maxLoader = 16 << 20

// learn reads what decides the search out of a loader's own file. info is the program's, interp
// the text of its PT_INTERP; silent gives the version where the file says none.
func learn(text []byte, interp string, info *elfpatch.Info, silent func() [2]int) Loader {
	l := usual(interp, info)
	banner := ""
	if l.Version, banner = version(text, "ld.so ("); banner == "" {
		l.Version = silent()
	}
	if dirs := systemDirs(text); dirs != nil {
		l.DefaultDirs = dirs
		l.Lib = libToken(dirs)
		l.CachePath = cachePath(text)
	}
	l.Patches = patches(l.Version, banner, l.DefaultDirs)
	l.PreloadPath = preloadPath(text)
	if l.does(legacyDirs) && l.Platform == "x86_64" {
		// glibc sysdeps/x86/cpu-features.c: "haswell" and "xeon_phi" replace it on some processors.
		l.Platform = ""
	}
	return l
}

// silentVersion is the version of a loader whose text says none, as glibc's does from 2.33 on (elf/dl-usage.c:
// print_version). Up to then the name of its file does (Makerules: install-lib.so, ld-2.31.so), or else the C
// library beside it; a glibc of which neither is known is 2.32 at most.
func (w *walker) silentVersion(n *node, text []byte) [2]int {
	if number, found := strings.CutPrefix(path.Base(n.path), "ld-"); found {
		if v, ok := versionNumber(number); ok {
			return v
		}
	}
	if !bytes.Contains(text, []byte("\x00GLIBC_PRIVATE\x00")) {
		return [2]int{} // not glibc's
	}
	if libc, err := w.walk(path.Join(path.Dir(n.abs()), "libc.so.6")); err == nil {
		if text, err := w.readFile(libc, maxLoader); err == nil {
			if v, banner := version(text, "GNU C Library ("); banner != "" {
				return v
			}
		}
	}
	return [2]int{2, 32}
}

// versionNumber reads the start of "2.36." or "2.31.so".
func versionNumber(text string) (v [2]int, ok bool) {
	major, rest, _ := strings.Cut(text, ".")
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	var err [2]error
	v[0], err[0] = strconv.Atoi(major)
	if v[1], err[1] = strconv.Atoi(rest[:digits]); err != [2]error{} {
		return [2]int{}, false
	}
	return v, true
}

// version finds "ld.so (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.", of which before is the start
// (glibc elf/dl-usage.c: print_version, csu/version.c).
func version(text []byte, before string) (v [2]int, banner string) {
	const most = 256
	for {
		_, after, found := bytes.Cut(text, []byte(before))
		if !found {
			return v, ""
		}
		text = after
		line, _, _ := bytes.Cut(after[:min(len(after), most)], []byte{0})
		_, number, found := strings.Cut(string(line), " release version ")
		if !found {
			continue
		}
		if v, ok := versionNumber(number); ok {
			return v, string(line)
		}
	}
}

// systemDirs finds the system_dirs array of glibc (elf/dl-load.c, SYSTEM_DIRS): the first run of
// NUL-terminated absolute directories that end in a slash. It may be the first of all constants, with code
// and no NUL before it.
func systemDirs(text []byte) []string {
	for at := 0; ; at++ {
		i := bytes.IndexByte(text[at:], '/')
		if i < 0 {
			return nil
		}
		if at += i; at > 0 && text[at-1] > ' ' && text[at-1] <= '~' {
			continue
		}
		var dirs []string
		for run := text[at:]; ; {
			dir, ok := systemDir(run)
			if !ok {
				break
			}
			dirs = append(dirs, dir)
			run = run[len(dir)+1:]
		}
		if dirs != nil {
			return trimDirs(dirs)
		}
	}
}

// systemDir takes "/usr/lib/x86_64-linux-gnu/" from the start of a text, and not the "/proc/self/fd/" of
// some other code. It looks no further than to the first byte that is no text.
func systemDir(text []byte) (dir string, ok bool) {
	n := 0
	for n < len(text) && n < maxPath && text[n] > ' ' && text[n] <= '~' {
		n++
	}
	if n < 4 || n == len(text) || text[n] != 0 || text[0] != '/' || text[n-1] != '/' {
		return "", false
	}
	dir = string(text[:n])
	return dir, libComponent(dir) >= 0
}

func trimDirs(dirs []string) []string {
	for i, d := range dirs {
		dirs[i] = strings.TrimRight(d, "/")
	}
	return dirs
}

// preloadPath finds the name of the file of preloads (glibc elf/rtld.c: preload_file); nixpkgs' glibc
// has one of its own, which a system's other programs do not read.
func preloadPath(text []byte) string {
	found := map[string]bool{}
	for at, prefix := 0, []byte("/etc/ld"); ; {
		i := bytes.Index(text[at:], prefix)
		if i < 0 {
			break
		}
		at += i + len(prefix)
		rest, _, ended := bytes.Cut(text[at:min(at+maxPath, len(text))], []byte{0})
		if begin := at - len(prefix); ended && begin > 0 && text[begin-1] == 0 {
			found[string(rest)] = true
		}
	}
	switch {
	case found["-nix.so.preload"]:
		return "/etc/ld-nix.so.preload"
	case found[".so.preload"]:
		return "/etc/ld.so.preload"
	}
	return ""
}

// cachePath finds LD_SO_CACHE (glibc elf/dl-cache.c), whose directory is that of the C library's
// configuration; nixpkgs' glibc has one of its own, which is normally not there.
func cachePath(text []byte) string {
	const name = "/etc/ld.so.cache\x00"
	for at := 0; ; {
		i := bytes.Index(text[at:], []byte(name))
		if i < 0 {
			return ""
		}
		at += i + len(name)
		start := bytes.LastIndexByte(text[:at-1], 0) + 1
		if path := text[start : at-1]; path[0] == '/' && len(path) < maxPath {
			return string(path)
		}
	}
}

// libToken is $LIB, which glibc compiles in as the first system directory below the prefix:
// "lib/x86_64-linux-gnu" on Debian, "lib64" on Fedora, "lib" for nixpkgs.
func libToken(dirs []string) string {
	if len(dirs) == 0 {
		return ""
	}
	dir := dirs[0] + "/"
	if i := libComponent(dir); i >= 0 {
		return strings.TrimRight(dir[i:], "/")
	}
	return ""
}

// libComponent is where the last component of a directory begins that starts with "lib".
func libComponent(dir string) int {
	i := strings.LastIndex(dir, "/lib")
	if i < 0 {
		return -1
	}
	return i + 1
}
