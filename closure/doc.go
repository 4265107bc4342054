// Package closure computes what the dynamic loader would map for a program, and why, without
// running anything.
//
// [Walk] gives a [Closure]: one [LinkMap] for each program, which is the list of [Loaded] objects
// in the loader's own order with every [Need] and the rule that answered it; a wrapper or script stands
// for what it starts ([ReadLaunch]). [Gather] walks again with what programs use beyond that until nothing
// is new: libraries that they open, plugins, programs and data that wrappers and texts name. [Bind] gives the
// [Bindings] of a link map: each reference of each object with the definition that it reaches.
// [MentionReader] finds the paths of the store that stand in files as text, and [ReadItem] reads a file or
// folder that is to be taken along beside the objects.
// [Judge] reads a closure and names what is wrong with it as [Finding] values: what is missing,
// which copies of one library the loader will mix up, and whose references go astray. [Audit] names
// what keeps it from running on a [Machine], or on some.
//
// [Seeker] finds what programs may open at run time: by dlopen notes, by names of libraries in objects that
// open some, and by [PluginRules]. [ReadRecording] reads what a run did open, and [Learn] what of it a bundle lacks.
//
// An object has no dependencies; a link map has. glibc first compares a needed name with the names
// and sonames of everything that is already in the process and only then searches, and DT_RPATH is
// inherited along the chain of loaders, so the same file can resolve the same name differently in
// two programs. Edges therefore live in a link map, never on an object.
//
// All files are reached through an io/fs.FS, the root: the machine's own, a foreign machine's, or
// a bundle that is not written yet. Symbolic links are resolved here and inside that root, so a
// root cannot leak.
//
// Where the answer is up to the machine that runs the program or to who starts it, the plain case is
// taken: a processor without extensions, no LD_LIBRARY_PATH, no LD_PRELOAD, nothing opened at run
// time. [Options] says otherwise. Left out are LD_AUDIT, the current directory, and that the loader
// trusts a set-user-ID program less (AT_SECURE), which [Judge] notes.
//
// Nix's own closure is another thing: closed under reference, not under need. [ReadReferences] reads it,
// to be set beside what processes load: what stays behind ([Closure.NixClosure]), and what holds a store
// path that no need brings ([Closure.WhyHeld]). [Closure.ByObject] and [Closure.ByStorePath] weigh what
// is loaded.
//
// The package does not execute its input, does not write, does not read the environment, does not
// let Nix's references into a walk, and does not see what a program looks up by name (dlsym).
package closure
