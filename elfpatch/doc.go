// Package elfpatch reads and rewrites what the dynamic loader reads in one ELF file.
//
// [Read] gives the facts of a file as an [Info]; [ReadSymbols] gives its dynamic symbols, and
// [Info.ReadLookup] the [Symbols] with their references, as lookup uses them. [Apply] takes an [Edit],
// the wish, and gives an [Image], a patched view of the file: its size is known,
// it can be read at any offset and written anywhere, and the original is not touched. [Check] says
// what kernel and loader would not take of a file; what Apply gives is checked so. [WriteFile] puts it in the original's place, whole or not at all.
//
// Everything is found as the loader finds it, by program headers: PT_DYNAMIC, then DT_STRTAB, then
// PT_LOAD (gABI 5, "Program Loading and Dynamic Linking"). A file without section headers is an
// ordinary file; where section headers are present, Apply keeps them true. Both classes, both byte
// orders and all machines are one code path.
//
// Inputs are taken to be hostile: no length field is believed, and every defect is an error, a
// [*FormatError] with the offset where it stands, never a panic.
//
// The package does not resolve names to files, does not look at other files, and reads no debug
// information.
package elfpatch
