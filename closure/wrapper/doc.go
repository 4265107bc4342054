// Package wrapper reads programs that only start another one: the shell text of nixpkgs' makeWrapper,
// the C program of makeBinaryWrapper, and scripts. Nothing is executed.
//
// A text is understood wholly or not at all: what the started program gets to see, environment and
// arguments, follows from a [Wrapper], and a text that does anything else is an [UnsupportedError] that
// names the line. What a shell does to its environment by itself (_, SHLVL, PWD, OLDPWD) is left out.
//
// [Wrapper.Setup] and [Wrapper.Arguments] write it as lines of a POSIX shell again. There %ROOT% in a text stands
// for the folder of a bundle; a wrapper that has those characters in it is not supported.
//
// What the package exports is listed in testdata/api/closure-wrapper.txt; package closure says what is promised of it.
//
// The package does not open files, does not follow one wrapper to the next, and does not decide what
// becomes of the paths in a wrapper.
package wrapper
