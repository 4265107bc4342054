package closure

import "slices"

// KindInfo tells of a kind of findings whatever program it is found in.
type KindInfo struct {
	Kind     Kind
	Severity Severity // the gravest that it has in a closure
	Title    string   // a few words
	What     string   // what it means, one sentence or two
	Help     string   // what to do; "" where there is nothing to do
}

// Kinds are the kinds of findings of a closure, in the order of their names.
func Kinds() []KindInfo {
	return slices.Clone(kinds[:])
}

const (
	oneBuild  = "Build both users against one package: one nixpkgs, or an override. Or run them as two processes."
	oneGlibc  = "Take all of glibc from one store path: one nixpkgs for the program and all its libraries."
	lessLists = "Name directories from the root on, or from $ORIGIN."
)

var kinds = [...]KindInfo{
	{KindCopy, Warning, "A copied variable has another size",
		"The program copies a variable of a library (a copy relocation), and in the library that it gets the variable is larger.",
		"Link the program with this version of the library."},
	{KindIFunc, Warning, "A function is chosen before its library is ready",
		"An object uses an indirect function of a library that it does not need, so that the loader may run the choice before the library is relocated.",
		"Link the object with the library."},
	{KindStack, Error, "A file asks for an executable stack",
		"The whole process gets a stack that can be executed, which later loaders and hardened kernels refuse.",
		"Build it with -Wl,-z,noexecstack, and its assembler sources with a .note.GNU-stack section."},
	{KindHostFiles, Note, "The machine's own files are read",
		"The C library of the process reads files of the machine that it runs on, such as nsswitch.conf, locales or ld.so.preload.", ""},
	{KindISA, Warning, "A file is compiled for a later processor",
		"A file has instructions that the oldest processor of the target does not have.",
		"Build for the least processor that it must run on."},
	{KindInterposed, Error, "References reach another library than the one they were linked with",
		"An object that stands before it in the search has names of the library that was linked with, and gets its references.",
		"Hide the names in the object that catches them (a version script, -Wl,--exclude-libs,ALL), or change the order of the needs."},
	{KindLibraryPath, Note, "LD_LIBRARY_PATH replaces libraries",
		"Needs are answered by DT_RUNPATH, which a user's LD_LIBRARY_PATH comes before.", ""},
	{KindDuplicate, Error, "One soname is loaded from two files",
		"Two files of one soname are in one process: references bind to the first, and each has its own data.",
		"Let all needs use the soname, so that one file answers them."},
	{KindMissing, Error, "Nothing answers a need",
		"A library that is needed is in no place that the loader searches.",
		"Add the library to the build inputs."},
	{KindSymbol, Error, "Nothing defines a symbol",
		"References have no definition in the process: it does not start, or stops when the function is called.",
		"Link with the library that defines it, in the version that the object was built for."},
	{KindVersion, Error, "A library lacks a version",
		"A symbol version is wanted that the library which is loaded does not have.",
		"Build against this library, or bring a later one."},
	{KindUnwinder, Warning, "glibc does not find libgcc_s.so.1",
		"glibc opens libgcc_s.so.1 itself when a thread is cancelled or ends, and does not find it: the process is then aborted.",
		"Link the program with it (-Wl,--no-as-needed -lgcc_s)."},
	{KindOutside, Warning, "A file from outside the store is loaded",
		"A program of the store loads a file that is not in it: elsewhere it is not there, or another one.",
		"Add the library to the build inputs."},
	{KindPageSize, Error, "A file does not fit larger pages",
		"Segments are aligned for smaller pages than a machine has, such as the 16 KiB pages of a Raspberry Pi 5.",
		"Link with -Wl,-z,max-page-size=65536."},
	{KindPreload, Warning, "A preload is not found",
		"What is to be preloaded is not there, and the loader ignores it.", ""},
	{KindProcessor, Note, "Another processor gets another file",
		"Which file is loaded depends on the processor (glibc-hwcaps).", ""},
	{KindRelr, Error, "Relocations that the C library does not read",
		"A file has DT_RELR relocations, and the C library is older than they are.",
		"Link without -z pack-relative-relocs, or bring a glibc of 2.36 or later."},
	{KindSoname, Error, "One soname is wanted from two files",
		"Two objects need one soname from two places. The loader keeps the first for everybody, so that one of them gets a copy that it was not linked with.",
		oneBuild},
	{KindPlace, Warning, "A run path depends on where the program is started",
		"A run path has an empty or relative directory, which is the current directory, or a token that means nothing.", lessLists},
	{KindSecure, Note, "The loader does not trust the program",
		"The program has the set-user-ID or set-group-ID bit: its loader ignores LD_LIBRARY_PATH and what makes it relocatable.", ""},
	{KindShadow, Note, "Another file of the name stands further behind",
		"A run path leads to a second file of the name, which is not loaded.", ""},
	{KindAside, Warning, "What is taken along for run time is not whole",
		"Something that programs may open at run time cannot be taken along, or not all of it.", ""},
	{KindTextRel, Warning, "Relocations in code",
		"A file has relocations in its code (DT_TEXTREL), which hardened kernels refuse.", "Compile all of it with -fPIC."},
	{KindBuilds, Error, "Loader and C library are of two builds",
		"The loader is of one glibc and the C library of another: the process crashes at start or later.", oneGlibc},
	{KindLibc, Error, "Two C libraries are in one process",
		"Members of two C libraries, or of two builds of glibc, are in one process.", oneGlibc},
	{KindRuntimes, Error, "Two runtime libraries of a compiler are in one process",
		"Two copies of libstdc++, libgcc_s or an OpenMP runtime are in one process: exceptions and threads do not cross.",
		"Link all with one runtime, as a library of its own, and hide what is linked in (-Wl,--exclude-libs,ALL)."},
	{KindVersions, Error, "Two versions of one library are in one process",
		"Two versions of one library export names in common, and the first catches references to the other.", oneBuild},
	{KindUnbound, Warning, "What binds to what is not known",
		"The tables of a file are damaged.", ""},
	{KindUnderlinked, Note, "What is used is not needed",
		"An object uses a library that it does not need: it works where something else brings it.", "Link it with what it uses."},
	{KindUnused, Note, "What is needed is not used",
		"An object needs a library and uses nothing of it.", "Link it with -Wl,--as-needed."},
	{KindUnusual, Note, "Flags that few files have",
		"A file asks the loader for what few files do.", ""},
	{KindVerNeedFile, Error, "Versions are wanted of a library that nobody needs",
		"A file wants versions of a library, and nothing was loaded by that name: the loader aborts.",
		"Where DT_NEEDED was edited, edit the version needs (vn_file) with it."},
	{KindWrongMachine, Error, "A file for another machine is in the way",
		"The search comes upon a file for another machine: glibc passes over it, and musl maps it.",
		"Take its directory out of the run path."},
}
