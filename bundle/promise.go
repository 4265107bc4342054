package bundle

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch/stub"
)

// starting is a program of a bundle that is verified.
type starting struct {
	ManifestProgram
	entry  *verified // what the user starts
	elf    *verified // the ELF file, at the end of links
	loader *verified // the bundle's own loader; nil where the target's is used, or none

	launched string // of a wrapper: the loader's path as the launcher has it
}

// promise checks that a program starts as its strategy promises; nil where it does not, so that there
// is nothing to walk.
func (v *verifier) promise(p ManifestProgram) *starting {
	s := &starting{ManifestProgram: p}
	var err [2]error
	s.entry, err[0] = v.resolve(p.Entry)
	s.elf, err[1] = v.resolve(p.ELF)
	if err != [2]error{} {
		return nil // a link that was told of
	}
	why := ""
	switch {
	case s.elf.info == nil:
		why = s.elf.Path + " is no ELF file"
	case s.elf.mode&0o111 == 0 || s.entry.mode&0o111 == 0:
		why = "it is not executable"
	default:
		why = v.check(s)
	}
	if why != "" {
		v.cannotStart(s, why)
		return nil
	}
	v.result.ELFs[p.Entry] = s.elf.info
	return s
}

func (v *verifier) cannotStart(s *starting, why string) {
	v.add(closure.Finding{
		Kind: KindStart, Severity: closure.Error, Program: s.Entry, Name: s.Entry, Advice: advice[KindStart],
		What: fmt.Sprintf("%s does not start as its strategy %s promises: %s", s.Entry, clip(string(s.Strategy)), why),
	})
}

// check says why a strategy's promise does not hold.
func (v *verifier) check(s *starting) (why string) {
	info := s.elf.info
	direct := s.Strategy != StrategyWrapper && s.Setup == nil && v.manifest.Prefix == ""
	switch {
	case direct && s.entry != s.elf:
		return s.Entry + " is not its ELF file"
	case badSetup(s.Setup) != nil:
		return "its launcher " + badSetup(s.Setup).Error()
	case s.Strategy == StrategyNone && (info.LoaderPath() != "" || len(info.Needed) > 0):
		return fmt.Sprintf("it is not static: it asks for the loader %q", clip(info.LoaderPath()))
	case s.Strategy == StrategyNone:
		return ""
	case s.Strategy == StrategyStub && info.Stub == nil:
		return "it has no start stub"
	case s.Strategy == StrategyStub && !hasOurStub(s.elf):
		return "its start stub is not the code that nixbundle writes"
	case s.Strategy == StrategyStub:
	case v.manifest.Prefix != "" && s.Setup != nil:
		return "nothing is set up in a bundle for " + clip(v.manifest.Prefix)
	case v.manifest.Prefix != "" && s.Strategy != StrategyPath:
		return "a bundle for " + clip(v.manifest.Prefix) + " starts its programs by their paths"
	case info.Interp == "":
		return "it asks for no loader"
	case s.Strategy == StrategySystem || s.Strategy == StrategyWrapper:
		if abi := systemInterp(info); info.Interp != abi {
			return fmt.Sprintf("PT_INTERP is %q, and the path of its ABI is %s", clip(info.Interp), abi)
		}
	case s.Strategy != StrategyPath:
		return "that strategy is not known"
	}
	if s.Strategy == StrategyPath && !path.IsAbs(info.Interp) {
		return fmt.Sprintf("PT_INTERP is %q, which is relative to the current directory", clip(info.Interp))
	}
	if s.Strategy == StrategySystem {
		return ""
	}
	return v.checkLoader(s)
}

// badSetup says what in a setup no launcher can do.
func badSetup(w *wrapper.Wrapper) error {
	if w == nil {
		return nil
	}
	texts := []string{w.Chdir, w.Argv0.Text}
	for _, c := range w.Env {
		if err := c.Check(); err != nil {
			return err
		}
		texts = append(texts, c.Value, c.Sep)
	}
	for _, a := range slices.Concat(w.Args, w.After) {
		texts = append(texts, a.Text)
	}
	for _, text := range texts {
		if strings.Contains(text, "\x00") {
			return fmt.Errorf("has a NUL in %q, which no shell can", clip(text))
		}
	}
	return nil
}

// hasOurStub reports whether a program enters the code that stands in package stub, at its place in
// a segment that nobody can write to.
func hasOurStub(e *verified) bool {
	info := e.info
	code := stub.Code(info.Machine, info.Class, info.Data)
	if code == nil || info.Entry != info.Stub.Addr+stub.Head {
		return false
	}
	want := info.Stub.Encode(binary.LittleEndian, code) // every machine with a stub is
	got := make([]byte, len(want))
	for _, s := range info.Segments {
		if s.Type == elf.PT_LOAD && s.Vaddr == info.Stub.Addr && s.Filesz >= uint64(len(want)) && s.Flags == elf.PF_R|elf.PF_X {
			_, err := e.content.ReadAt(got, int64(s.Off))
			return err == nil && bytes.Equal(got, want)
		}
	}
	return false
}

// checkLoader finds the loader that the bundle brings for a program.
func (v *verifier) checkLoader(s *starting) (why string) {
	at := path.Join(v.manifest.Name, libDir, path.Base(s.elf.info.Interp))
	if rest, ok := strings.CutPrefix(s.elf.info.Interp, v.manifest.Prefix+"/"); v.manifest.Prefix != "" {
		if !ok {
			return fmt.Sprintf("PT_INTERP is %q, and the bundle is for %s", clip(s.elf.info.Interp), v.manifest.Prefix)
		}
		at = v.manifest.Name + "/" + rest
	}
	switch s.Strategy {
	case StrategyStub:
		at = path.Dir(s.elf.Path) + "/" + s.elf.info.Stub.Loader
	case StrategyWrapper:
		if at = v.launched(s.entry); at == "" {
			return s.Entry + " is not the launcher that nixbundle writes"
		}
		s.launched = at
	}
	loader, err := v.resolve(at)
	switch {
	case err != nil:
		return fmt.Sprintf("its loader is %s, %v", at, err)
	case loader.info == nil:
		return fmt.Sprintf("its loader %s is not an ELF file", at)
	case loader.mode&executable != executable:
		return fmt.Sprintf("its loader %s is not executable", at)
	case !sameMachine(loader.info, s.elf.info):
		return fmt.Sprintf("its loader %s is for %s, and the program for %s", at, machineText(loader.info), machineText(s.elf.info))
	}
	s.loader = loader
	return ""
}

// launched is the loader that a launcher starts, as its last line names it.
func (v *verifier) launched(entry *verified) string {
	_, last, _ := bytes.Cut(text(entry), []byte("\nexec "))
	for _, e := range v.order {
		rel, below := strings.CutPrefix(e.Path, v.manifest.Name+"/")
		if below && bytes.HasPrefix(last, []byte(wrapper.Word(wrapper.Root+"/"+rel)+" ")) {
			return e.Path
		}
	}
	return ""
}

// text is what a launcher says; nothing for a file that is too large for one.
func text(e *verified) []byte {
	const most = 64 << 10
	if e.content == nil || e.content.Size() > most {
		return nil
	}
	b := make([]byte, e.content.Size())
	if _, err := e.content.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil
	}
	return b
}

// checkLauncher compares a launcher with what nixbundle writes for a loader.
func (v *verifier) checkLauncher(s *starting, by *closure.Loader) {
	if s.Strategy != StrategyWrapper && s.Setup == nil {
		return
	}
	in := func(p string) string { return strings.TrimPrefix(p, v.manifest.Name+"/") }
	l := newLauncher(in(s.Entry), in(s.ELF), s.Strategy, in(s.launched), by, s.Setup)
	if !bytes.Equal(text(s.entry), l.text()) {
		v.cannotStart(s, s.Entry+" is not the launcher that nixbundle writes")
	}
}

// checkMusl looks for the file that keeps musl from the target's own directories.
func (v *verifier) checkMusl(s *starting) {
	if s.loader == nil || !isMusl(s.elf.info) || v.manifest.Prefix != "" {
		return
	}
	at := path.Join(path.Dir(path.Dir(s.loader.Path)), muslPathFile(s.elf.info))
	if e := v.entries[at]; e == nil || e.Type != TypeFile || e.Size != 0 {
		v.cannotStart(s, "musl would search the machine's own directories: "+at+" is not there, or not empty")
	}
}
