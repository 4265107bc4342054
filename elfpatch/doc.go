// Package elfpatch reads and rewrites what the dynamic loader reads in one ELF file.
//
// # Reading
//
// [Read] gives the facts of a file as an [Info]: who starts it, what it needs, where that is searched, which
// versions it wants. It takes any [io.ReaderAt], and its cost does not grow with the file:
//
//	info, err := elfpatch.Read(f, size)
//	if errors.Is(err, elfpatch.ErrNotELF) {
//		return nil // a script, say
//	}
//	fmt.Println(info.Interp, info.Needed, info.RunPath)
//
// A [Reader] does the same for many files. [ReadSymbols] gives the dynamic symbols, and [Info.ReadLookup] the
// [Symbols] with the references of relocations and the hash table, as lookup uses them. [ReadSections] and
// [ReadPlaces] tell what an offset is in.
//
// # Editing
//
// An [Edit] is the wish; its zero value changes nothing. [Apply] makes of it an [Image], a patched view of the
// file: its size is known, it can be read at any offset and written anywhere, and the original is not touched.
// What Apply gives was read again and held against the rules of [Check], which says what kernel and loader would
// not take of a file.
//
//	image, err := elfpatch.Apply(f, size, elfpatch.Edit{
//		RunPath:       "$ORIGIN/../lib",
//		ReplaceNeeded: map[string]string{"/nix/store/.../libbar.so.2": "libbar.so.2"},
//	})
//
// [WriteFile] puts the image in the original's place, whole or not at all; [Image.WriteTo] writes it elsewhere.
// What cannot be done without risk wraps [ErrUnsupported] and says what stands against it.
//
// # How files are seen
//
// Everything is found as the loader finds it, by program headers: PT_DYNAMIC, then DT_STRTAB, then
// PT_LOAD (gABI 5, "Program Loading and Dynamic Linking"). A file without section headers is an
// ordinary file; where section headers are present, Apply keeps them true. Both classes, both byte
// orders and all machines are one code path.
//
// Inputs are taken to be hostile: no length field is believed, and every defect is an error, a
// [*FormatError] with the offset where it stands, never a panic.
//
// What the package exports is listed in testdata/api/elfpatch.txt and follows semantic versioning, which
// before v1 lets a minor version change it; texts of errors are for people and may change at any time.
//
// The package does not resolve names to files, does not look at other files, and reads no debug
// information.
package elfpatch
