// Package sarif writes findings of programs as SARIF 2.1.0, the form in which code hosts take the results of tools
// (OASIS, Static Analysis Results Interchange Format Version 2.1.0; section numbers below are its own).
//
// A result's location is the program, by the name that the caller gives it. What needs brought a copy is a code
// flow; the copies are related locations. The structs are plain and are what we write, no more: the known libraries
// for it bring a JSON Schema validator into the program.
//
// The package does not decide what is a finding, and it does not read SARIF.
package sarif
