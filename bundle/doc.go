// Package bundle turns a closure into a relocatable, reproducible archive, reads one back, and proves it.
//
// # From a program to a bundle
//
// One run is a list of passes, each of which leaves less to decide: walk, judge, plan, prove, create. The first
// two are of package closure; the example of this package is the whole of it.
//
//	root, err := closure.OpenRoot("/")
//	programs, err := closure.Programs(root, "/home/me/result", closure.Options{})
//	c, err := closure.Gather(root, programs, closure.Options{}, closure.Follow{}) // walk
//	findings, err := closure.Judge(c)                                             // judge
//	plan, err := bundle.NewPlan(c, bundle.Options{})                              // plan
//	err = plan.Prove()                                                            // prove
//	_, err = bundle.Create(ctx, "sensor.tar.zst", plan, bundle.PackOptions{})     // create
//
// [NewPlan] decides everything: the interpreter strategy, every name, link and run path, and one
// edit for each object. The [Plan] is the explanation, and --dry-run prints it. It judges by itself, so to call
// Judge is for who wants to see findings that refuse no bundle; what refuses one is a [*ConflictError].
// [Plan.Prove] walks the planned tree as the loader would and refuses a plan that changes what a program loads.
// [Create] then packs it, and [Pack] does to any writer: the same plan gives the same bytes on any machine,
// memory does not grow with the closure, and the output appears whole or not at all.
//
// What programs use beside what they need is in the closure: programs that they start, data, plugins, what
// wrappers set up. A plan gives each its place; while it is packed every file is looked through for paths of
// the store that are left ([Residue]). With Options.Prefix everything keeps its path instead.
//
// # Targets
//
// A [Target] is what a machine to run on provides: [ParseTarget] knows some distributions, [TargetFromRoot]
// reads a real root. With Options.Target a program uses the target's C library exactly where that has every
// version that any object asks for; where it was asked for and will not do, a [*TargetError] has each [Demand].
//
// # Back from a bundle
//
// [Open] reads a bundle without unpacking it: its [Manifest] says what was packed, from where, and what was
// changed. [Verify] proves of one, trusting nothing in it, that it will run:
//
//	v, err := bundle.Verify(ctx, "sensor.tar.zst", bundle.VerifyOptions{})
//	if err == nil && !v.Broken() {
//		fmt.Println(v.Programs, v.Objects, v.References)
//	}
//
// What the package exports is listed in testdata/api/bundle.txt and follows semantic versioning, which
// before v1 lets a minor version change it; texts, and what a plan decides where it is left the choice, may
// change with any version.
//
// The package does not run programs (package trial does), does not resolve names (package closure does), and reads
// neither the clock nor the environment.
package bundle
