// Package closure computes what the dynamic loader would map for a program, and why, without
// running anything.
//
// # Walking
//
// All files are reached through an io/fs.FS, the root: the machine's own ([OpenRoot] of "/"), a foreign
// machine's, or a bundle that is not written yet. Symbolic links are resolved here and inside that root, so a
// root cannot leak. [Programs] finds what a result link or a folder means, and [Walk] gives a [Closure]:
//
//	c, err := closure.Walk(root, []string{"/nix/store/.../bin/sensor"}, closure.Options{})
//	for _, m := range c.LinkMaps { // one for each program
//		for _, need := range m.Needs {
//			fmt.Println(need.From.Path, "needs", need.Name, need.Why())
//		}
//	}
//
// An object has no dependencies; a link map has. glibc first compares a needed name with the names
// and sonames of everything that is already in the process and only then searches, and DT_RPATH is
// inherited along the chain of loaders, so the same file can resolve the same name differently in
// two programs. Edges therefore live in a [LinkMap], never on an [Object]: it is the list of [Loaded] objects in
// the loader's own order with every [Need] and the [Rule] that answered it. What nothing answers has the places
// that were tried, and is no error before [Closure.Missing] is asked. [Closure.Why] gives the chains that bring
// an object; [Closure.ByObject] and [Closure.ByStorePath] weigh what is loaded.
//
// Where the answer is up to the machine that runs the program or to who starts it, the plain case is
// taken: a processor without extensions, no LD_LIBRARY_PATH, no LD_PRELOAD, nothing opened at run
// time. [Options] says otherwise. Left out are LD_AUDIT, the current directory, and that the loader
// trusts a set-user-ID program less (AT_SECURE), which [Judge] notes.
//
// # Binding and judging
//
// [Bind] gives the [Bindings] of a link map: each reference of each object with the definition that it reaches.
// [Judge] reads a closure and names what is wrong with it as [Finding] values: what is missing, which copies of
// one library the loader will mix up, and whose references go astray. [Audit] names what keeps it from running
// on a [Machine], or on some; [Check] is both.
//
//	findings, err := closure.Check(c, closure.Machine{PageSizes: []uint64{4096, 16384}})
//	for _, f := range findings {
//		fmt.Println(f.Severity, f.Name, f.What)
//	}
//
// A finding is data. What somebody has looked at and lives with is an [Acceptance], which
// [Closure.Sift] takes out until one of the packages changes.
//
// # What is used at run time
//
// A wrapper or script stands for what it starts ([ReadLaunch]). [Gather] walks again with what programs use
// beyond their needs until nothing is new: libraries that they open, plugins ([PluginRules]), programs and data
// that wrappers and texts name, and what a [Follow] asks for. Beneath it, [Seeker] finds what the objects of a process may
// open, as [Wish] values; [MentionReader] finds the paths of the store that stand in files as text; [ReadItem]
// reads a file or folder that is to be taken along beside the objects. [ReadRecording] reads what a run did
// open, and [Learn] what of it a bundle lacks.
//
// # Beside Nix's closure
//
// Nix's own closure is another thing: closed under reference, not under need. [ReadReferences] reads it,
// to be set beside what processes load: what stays behind ([Closure.NixClosure]), and what holds a store
// path that no need brings ([Closure.WhyHeld]).
//
// Package closure/report draws a closure with its findings, and closure/sarif writes them for code hosts.
//
// What the package exports is listed in testdata/api/closure.txt and follows semantic versioning, which
// before v1 lets a minor version change it; texts, and which findings, wishes and rules there are, may change
// with any version.
//
// The package does not execute its input, does not write, does not read the environment, does not
// let Nix's references into a walk, and does not see what a program looks up by name (dlsym).
package closure
