package closure

import (
	"fmt"
	"slices"
	"strings"
)

// A glibc of the store looks for files at other places than the machine's own glibc does, or does not
// find what that one does. None of it is a mistake; where a program uses it, it is worth knowing.

// libraryPath notes libraries that LD_LIBRARY_PATH replaces: the loader looks there before it looks at
// DT_RUNPATH, and after DT_RPATH (ld.so(8)).
func (a *audit) libraryPath() error {
	needs := a.m.needs(func(n *Need) bool { return n.Rule == RuleRunPath && n.From.Opened == nil })
	program := a.m.Program()
	if len(needs) == 0 || a.store(program.Object.Path) == "" || a.m.Loader.Kind != LoaderGlibc {
		return nil
	}
	a.add(Finding{
		Kind: KindLibraryPath, Severity: Note, Name: "LD_LIBRARY_PATH",
		Copies: []Copy{{Object: program.Object, Path: program.Path, Kept: true}},
		What: fmt.Sprintf("%d needs are answered by DT_RUNPATH, %s first: a user's LD_LIBRARY_PATH comes before it (not before DT_RPATH)",
			len(needs), needs[0].Name),
	})
	return nil
}

// preloadFile notes that what a machine preloads into all programs goes into one with a C library of
// its own: nixpkgs' glibc has its own file for that, others have not.
func (a *audit) preloadFile() error {
	const system = "/etc/ld.so.preload"
	if !a.ownGlibc() || a.m.Loader.PreloadPath != system {
		return nil
	}
	a.add(Finding{
		Kind: KindHostFiles, Severity: Note, Name: system,
		Copies: []Copy{{Object: a.m.Interp.Object, Path: a.m.Interp.Path, Kept: true}},
		What: "the program's loader preloads what the machine's " + system + " names, into a process with another C library" +
			" (32-bit Raspberry Pi OS has one)",
		Advice: "take glibc of nixpkgs, which reads /etc/ld-nix.so.preload instead",
	})
	return nil
}

// hostTopic is something that glibc does by files of the machine.
type hostTopic struct {
	name      string
	functions []string // calling one of these means it
	what      string
	advice    string
}

var hostTopics = []hostTopic{
	{"name service", []string{
		"getaddrinfo", "gethostbyname", "gethostbyname_r", "gethostbyname2", "gethostbyname2_r", "gethostbyaddr",
		"gethostbyaddr_r", "getnameinfo", "getpwnam", "getpwnam_r", "getpwuid", "getpwuid_r", "getgrnam", "getgrnam_r",
		"getgrgid", "getgrgid_r", "getgrouplist", "initgroups", "getspnam", "getspnam_r",
	}, "of the machine's nsswitch.conf only files and dns are built in: modules such as mdns4_minimal (.local names) or " +
		"systemd are not found by a glibc of its own",
		"resolve .local names otherwise, run nscd on the machine, or use the machine's C library"},
	{"iconv", []string{"iconv_open"}, "but for UTF-8 and a few more, conversions are modules in a directory that is compiled in (gconv)",
		"take the modules along and set GCONV_PATH"},
	{"locale", []string{"setlocale", "newlocale"}, "locales other than C and C.UTF-8 come from an archive, whose place is compiled in, " +
		"or /usr/lib/locale/locale-archive",
		"set LOCALE_ARCHIVE, or LC_ALL=C.UTF-8"},
}

// hostData notes what the objects of a process use of that.
func (a *audit) hostData() error {
	if !a.ownGlibc() || a.bindings == nil {
		return nil
	}
	for _, topic := range hostTopics {
		f := Finding{Kind: KindHostFiles, Severity: Note, Name: topic.name, Advice: topic.advice}
		var users, uses []string
		for _, o := range a.bindings.objects {
			l := o.loaded
			imports := o.imports(topic.functions)
			if imports == nil || InLibc(l.Object.Info) || strings.HasPrefix(l.Object.Info.Soname, "libstdc++.so.") {
				continue
			}
			users, uses = append(users, base(l)), append(uses, imports...)
			f.Copies = append(f.Copies, Copy{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)})
		}
		if f.Copies != nil {
			slices.Sort(uses)
			f.What = fmt.Sprintf("%s (%s): %s", join(users), join(slices.Compact(uses)), topic.what)
			a.add(f)
		}
	}
	return nil
}

// imports are those of some names that an object refers to and does not define itself.
func (o *bound) imports(names []string) []string {
	var all []string
	for _, ref := range o.refs() {
		if !slices.Contains(names, ref.Name) || slices.Contains(all, ref.Name) {
			continue
		}
		if s := o.symbols.Entry(int(ref.Symbol)); !s.Defined() {
			all = append(all, ref.Name)
		}
	}
	return all
}
