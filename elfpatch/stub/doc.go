// Package stub holds the code that lets a program find its own loader (ld.so): one piece of
// position-independent bytes for each machine, and the note that stands before it in a program.
//
// A program with a stub has no PT_INTERP. The kernel enters the stub, which stands in a segment of
// its own, as the program's entry; the stub reads /proc/self/exe, maps the loader that stands at a
// path relative to the program, tells it of the program in the auxiliary vector and enters it. The
// process is otherwise as the kernel made it: /proc/self/exe, its name, argv, the vDSO, the stack and
// the heap are the program's, and .dynamic is used where it is, so debuggers see everything.
//
// What stands against a start is one line on standard error and the exit status 127, the shell's for
// a program that cannot be started: no /proc, a program in memory (memfd), set-id bits or file
// capabilities (AT_SECURE), a loader that is missing, for another machine, or not aligned for the
// kernel's pages.
//
// A stub also starts a program that a loader runs as its argument (ld.so PROGRAM): it steps aside.
//
// Who starts a program with a stub can choose its argv[0], which the exec of a POSIX shell cannot: by the
// variable Argv0Variable in the environment. The stub takes every entry of that name out and has the
// kernel start the program once more, with the text of the first as argv[0]; program and children
// never see the variable, nor does /proc/PID/environ, and /proc/PID/cmdline says the new argv[0]. Where
// the kernel does not start a program again that it has just started (AT_EXECFN is a descriptor that is
// closed by now, a policy, an emulator that is not registered), the text is written over argv[0] in
// place, and argv[0] stays as it was where the text is longer. An empty argv (argc 0) stays empty. A
// loader that runs the program as its argument has --argv0 for this, and leaves the variable.
//
// What differs from a program with a PT_INTERP is what the kernel does for one (Linux fs/binfmt_elf.c:
// load_elf_binary). It maps a position-independent program among the libraries, as it does a static
// one, and moves the heap to where such programs usually are. /proc/PID/auxv keeps the kernel's own
// values: AT_BASE 0 and the stub as AT_ENTRY, which is what the file says and debuggers expect. On
// AArch64 the loader itself is mapped without PROT_BTI; the loader gives it to the program and the
// libraries as ever.
//
// The sources are in src; make stubs builds the bytes with Debian's cross compilers.
//
// What the package exports is listed in testdata/api/elfpatch-stub.txt; package elfpatch says what is promised of it.
//
// It neither places a stub in a program, which package elfpatch does, nor looks for loaders.
package stub
