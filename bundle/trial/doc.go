// Package trial runs a program of a bundle as on a machine that has nothing else: in a root of its own,
// in namespaces of its own, without a network, and without a trace when it ends, however it ends.
//
// [Run] starts this very program again as [Verb], and that calls [Inside]: only a process of one thread
// can enter a user namespace. The bundle is unpacked to a file system in memory. Where the root of a
// target is named the program runs in that, which cannot be written to; else in an empty one. A program
// for another machine runs in qemu-user.
//
// What the package exports is listed in testdata/api/bundle-trial.txt; package bundle says what is promised of it.
//
// The package does not check what it runs: bundle.Verify does. It works on Linux.
package trial
