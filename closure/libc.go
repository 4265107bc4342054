package closure

import (
	"path"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// libcMembers are the sonames, up to ".so", of what one build of a C library installs and expects
// to find itself beside: they share private symbols (GLIBC_PRIVATE) and must never be mixed.
var libcMembers = []string{
	"libc", "libm", "libmvec", "libpthread", "libdl", "librt", "libresolv", "libutil", "libanl",
	"libnsl", "libBrokenLocale", "libthread_db", "libc_malloc_debug", "libnss_files", "libnss_dns",
	"libnss_compat", "libnss_db", "libnss_hesiod",
}

// InLibc reports whether an object is a member of a C library, the loader included: all of one
// build is taken, or none of it.
func InLibc(info *elfpatch.Info) bool {
	stem, _, ok := strings.Cut(path.Base(info.Soname), ".so")
	if !ok {
		return false
	}
	if strings.HasPrefix(stem, "ld-linux") || strings.HasPrefix(stem, "ld-musl-") || stem == "ld" || stem == "ld64" {
		return true
	}
	for _, member := range libcMembers {
		if stem == member {
			return true
		}
	}
	return false
}
