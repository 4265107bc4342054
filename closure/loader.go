package closure

// Loader holds the facts of one dynamic loader that decide where it searches. They are read from
// the ld.so that PT_INTERP names, where it is there, else from a table by machine.
type Loader struct {
	Kind    LoaderKind
	Version [2]int // 2, 36 for glibc 2.36; zero when unknown
	// DefaultDirs are the directories compiled in, in order, absolute: Debian's
	// /lib/aarch64-linux-gnu..., or the store glibc's own lib.
	DefaultDirs []string
	// CachePath is the ld.so.cache it reads; "" when it reads none.
	CachePath string
	// Lib is what $LIB stands for; "" when unknown.
	Lib string
	// Platform is what $PLATFORM stands for (AT_PLATFORM, decided by the machine that runs it);
	// "" when unknown: a path that uses it is then dropped.
	Platform string
}

// LoaderKind is a family of loaders, which share their rules of search.
type LoaderKind int

const (
	LoaderNone  LoaderKind = iota // no PT_INTERP: nothing is loaded
	LoaderGlibc                   // ld-linux*.so.*, ld64.so.*
	LoaderMusl                    // ld-musl-*.so.1
)
