// Package bundle turns a closure into a relocatable, reproducible archive, reads one back, and proves it.
//
// [NewPlan] decides everything: the interpreter strategy, every name, link and run path, and one
// edit for each object. The plan is the explanation, and --dry-run prints it. [Plan.Prove] walks
// the planned tree as the loader would and refuses a plan that changes what a program loads.
// [Create] then packs it: the same plan gives the same bytes on any machine, memory does not grow
// with the closure, and the output appears whole or not at all. [Open] reads a bundle without
// unpacking it, and [Verify] proves of one, trusting nothing in it, that it will run.
//
// What programs use beside what they need is in the closure (closure.Gather): programs that they start, data,
// plugins, what wrappers set up. A [Plan] gives each its place; while it is packed every file is looked through for
// paths of the store that are left ([Residue]). With Options.Prefix everything keeps its path instead.
//
// The package does not run programs (package trial does), does not resolve names (package closure does), and reads
// neither the clock nor the environment.
package bundle
