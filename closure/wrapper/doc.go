// Package wrapper reads programs that only start another one: the shell text of nixpkgs' makeWrapper,
// the C program of makeBinaryWrapper, and scripts. Nothing is executed.
//
// The package does not open files, does not follow one wrapper to the next, and does not decide what
// becomes of the paths in a wrapper.
package wrapper
