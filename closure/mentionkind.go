package closure

import (
	"debug/elf"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// judge finds the path of a mention and says what it names; mapped says that the program has it in memory.
func (r *MentionReader) judge(m *Mention, holder *Object, mapped bool) {
	if r.isBlanked(m.Text) {
		m.Path, m.Kind = m.Text[:pathEnd(m.Text)], MentionBlanked
		if isSource(m.Path) {
			m.Kind = MentionSource
		}
		return
	}
	var n *node
	m.Path, n = r.lead(m.Text, holder.Info != nil && !m.Whole)
	switch {
	case n != nil:
		m.Target = n.abs()
		m.Kind = r.kindOf(m, n, holder)
	case isSource(m.Path) && holder.Info != nil:
		m.Kind = MentionSource
	default:
		m.Kind = MentionAbsent
	}
	if isRecord(m.Section, mapped) || isCompiledFrom(m.Holder, m.Path) {
		m.Kind = MentionSource
	}
}

// isBlanked reports whether a path's digest was made unusable.
func (r *MentionReader) isBlanked(text string) bool {
	at := len(strings.TrimRight(r.opts.storeDir(), "/")) + 1
	return digestKinds([]byte(text[at:at+digestLen]))&digestReal == 0
}

// kindOf says what is at a node.
func (r *MentionReader) kindOf(m *Mention, n *node, holder *Object) MentionKind {
	if n.mode.IsDir() {
		if _, rest, ok := ParseStorePath(r.opts.storeDir(), m.Path); ok && strings.Trim(rest, "/") == "" {
			return MentionStorePath
		}
		return MentionFolder
	}
	o, err := r.object(n)
	if err != nil {
		return r.textKind(m.Path, n, holder, err)
	}
	if known := r.known[n.abs()]; known != nil {
		o = known
	}
	m.Object = o
	switch {
	case isProgram(o):
		return MentionProgram
	case o.Info.Type == elf.ET_DYN && o.Info.Dynamic && !o.Info.IsPIE() && r.runsWith(o.Info, holder.Info):
		return MentionLibrary
	}
	return MentionData
}

// isProgram reports whether an ELF file is one that can be executed.
func isProgram(o *Object) bool {
	isProgram := o.Info.Type == elf.ET_EXEC || o.Info.Type == elf.ET_DYN && o.Info.IsPIE()
	return isProgram && o.Mode&0o111 != 0
}

// runsWith reports whether a library is for the machine that its opener runs on; a holder without one runs
// where the known objects do.
func (r *MentionReader) runsWith(lib, opener *elfpatch.Info) bool {
	if opener == nil {
		opener = r.native
	}
	return opener == nil || lib.Machine == opener.Machine && lib.Class == opener.Class && lib.Data == opener.Data
}

// textKind says what a file is that is no sound ELF file. A program of machine code names its sources for
// messages; a script that names one may give it to a compiler.
func (r *MentionReader) textKind(name string, n *node, holder *Object, err error) MentionKind {
	var u *unreadable
	if errors.As(err, &u) && strings.HasPrefix(string(u.head), "#!") {
		if st, err := fs.Lstat(r.fsys, n.path); err == nil && st.Mode()&0o111 != 0 {
			return MentionProgram
		}
	}
	if isSource(name) && holder.Info != nil {
		return MentionSource
	}
	return MentionData
}

// sources are the ends of names that files have which a compiler reads, and nobody else.
var sources = []string{
	"c", "cc", "cpp", "cxx", "c++", "cppm", "C", "m", "mm", "h", "hh", "hpp", "hxx", "h++", "H", "inc", "inl", "ipp",
	"ixx", "tcc", "tpp", "txx", "s", "S", "asm", "y", "yy", "ll", "cu", "cuh", "f", "f77", "f90", "f95", "f03", "f08", "F",
	"F90", "rs", "go", "zig", "nim", "swift", "java", "kt", "scala", "vala", "hs", "hsc", "ml", "mli", "pyx", "pxd", "adb", "ads",
}

// isSource reports whether a path is one of a file that programs are compiled from.
func isSource(name string) bool {
	ext := path.Ext(name)
	return ext != "" && slices.Contains(sources, ext[1:])
}

// isRecord reports whether a section holds what a debugger or a traceback shows of the build: one that is
// not in memory, such as .debug_str, .comment and .GCC.command.line, or Go's table of source files.
func isRecord(section string, mapped bool) bool {
	return section != "" && !mapped || section == ".gopclntab"
}

// isCompiledFrom reports whether a path is that of the text from which its holder was compiled: Python notes
// it in its code (co_filename).
func isCompiledFrom(holder, name string) bool {
	return path.Ext(holder) == ".pyc" && path.Ext(name) == ".py"
}
