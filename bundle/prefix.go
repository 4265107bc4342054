package bundle

import (
	"fmt"
	"path"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// prefix is the plan of a bundle whose folder is known. Every file keeps its place below the store, which is
// PREFIX/store there, and every path of the store in it becomes one below that, in as many bytes: digests are
// as long as there is room for. Nothing else changes, so that what holds in the store holds there.
type prefix struct {
	dir      string // "/opt/sensor"
	storeDir string
	digits   int // how much of a digest fits
	fill     int // slashes that make up for a short prefix
}

const (
	storeFolder = "store" // below the prefix
	digestLen   = 32
	minDigits   = 4 // fewer would hardly tell store paths apart
)

// newPrefix checks a folder.
func newPrefix(dir, storeDir string) (*prefix, error) {
	bad := func(format string, args ...any) error {
		return &OptionError{"prefix", dir, fmt.Sprintf(format, args...)}
	}
	switch {
	case !path.IsAbs(dir) || path.Clean(dir) != dir || dir == "/" || strings.ContainsAny(dir, "\x00\n"):
		return nil, bad("it must be the absolute path of a folder, such as /opt/sensor")
	case dir == storeDir || strings.HasPrefix(dir, storeDir+"/") || strings.HasPrefix(storeDir+"/", dir+"/"):
		return nil, bad("the store is there")
	case strings.ContainsAny(dir, " :;$*?[]\"'`\\#"):
		return nil, bad("paths with such characters mean something else in run paths and scripts")
	}
	p := &prefix{dir: dir, storeDir: storeDir}
	room := len(storeDir) + len("/") + digestLen
	p.digits = room - len(dir) - len("/"+storeFolder+"/")
	if p.digits < minDigits {
		most := room - len("/"+storeFolder+"/") - minDigits
		return nil, bad("it has %d characters, and %d are the most: paths of the store become paths below it in as many bytes", len(dir), most)
	}
	if p.digits > digestLen {
		p.fill, p.digits = p.digits-digestLen, digestLen
	}
	return p, nil
}

// head is what the store directory and a digest become.
func (p *prefix) head(digest string) string {
	return p.dir + "/" + storeFolder + "/" + strings.Repeat("/", p.fill) + digest[:p.digits]
}

// place is where a path of the store is, relative to the bundle's folder; ok is false outside the store.
func (p *prefix) place(original string) (at string, ok bool) {
	sp, rest, ok := closure.ParseStorePath(p.storeDir, original)
	return path.Join(storeFolder, sp.Digest[:min(p.digits, len(sp.Digest))]+"-"+sp.Name, rest), ok
}

// absolute is where a path of the store will be.
func (p *prefix) absolute(original string) string {
	at, ok := p.place(original)
	if !ok {
		return original
	}
	return path.Join(p.dir, at)
}

// text replaces a mention's store directory and digest; what is behind them stays.
func (p *prefix) text(m *closure.Mention) (Text, bool) {
	sp, _, ok := closure.ParseStorePath(p.storeDir, m.Path)
	if !ok || !strings.HasPrefix(m.Path, p.storeDir+"/"+sp.Digest) {
		return Text{}, false // two slashes, or a digest that was blanked
	}
	return Text{Off: m.Off, From: m.Path[:len(p.storeDir)+1+digestLen], To: p.head(sp.Digest)}, true
}

// planPrefix is NewPlan for a bundle with a prefix: it keeps every path.
func (p *Plan) planPrefix(opts Options) error {
	c := p.closure
	var err error
	if p.prefix, err = newPrefix(opts.Prefix, c.StoreDir); err != nil {
		return err
	}
	if opts.Interp != "" && opts.Interp != Auto {
		return &OptionError{"prefix", opts.Prefix, "programs find their loader below it: leave out --interp"}
	}
	if err := p.judgePrefixTarget(opts); err != nil {
		return err
	}
	if p.Name == "" {
		p.Name = path.Base(p.prefix.dir)
	}
	if p.Name != path.Base(p.prefix.dir) {
		return &OptionError{"name", p.Name, "with --prefix " + p.prefix.dir + " the folder is called " + path.Base(p.prefix.dir)}
	}
	p.Prefix = p.prefix.dir
	p.kept = map[string]kept{}
	for _, step := range []func() error{p.checkDigests, p.addKept, p.addKeptLinks, p.addKeptPrograms, p.addWanted} {
		if err := step(); err != nil {
			return err
		}
	}
	p.dropDangling()
	p.replaceAll()
	p.sortEntries()
	if err := p.noteCompressed(); err != nil {
		return err
	}
	return p.checkNames()
}

// judgePrefixTarget tells what a target cannot run; its C library is not used.
func (p *Plan) judgePrefixTarget(opts Options) error {
	var starts []*start
	for _, m := range p.closure.LinkMaps {
		starts = append(starts, &start{linkMap: m, asked: m.Asked, entry: programEntry(p.closure.StoreDir, m)})
	}
	v, err := newVerdict(starts, opts)
	if err != nil {
		return err
	}
	return p.judgeTarget(v, starts, opts)
}

// compressed are the first bytes of formats whose contents nobody looks into, and what they are.
var compressed = map[string]string{
	"\x1f\x8b": "gzip", "BZh": "bzip2", "\xfd7zXZ\x00": "xz", "\x28\xb5\x2f\xfd": "zstd", "PK\x03\x04": "zip", "hsqs": "squashfs",
}

// noteCompressed names files in which paths of the store would stay as they are: nothing in them is changed.
func (p *Plan) noteCompressed() error {
	for i := range p.Entries {
		e := &p.Entries[i]
		if e.Object == nil || e.Object.Info != nil {
			continue
		}
		c, err := openContent(e)
		if err != nil {
			return err
		}
		head := make([]byte, min(c.size, 8))
		err = c.fill(head, 0)
		_ = c.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", e.Object.Path, err)
		}
		for magic, format := range compressed {
			if strings.HasPrefix(string(head), magic) {
				p.note("%s is compressed (%s): paths of the store in it stay as they are", e.Path, format)
			}
		}
	}
	return nil
}

// replaceAll turns every path of the store in every file into one below the prefix.
func (p *Plan) replaceAll() {
	texts := map[string][]Text{}
	for i := range p.closure.Mentions {
		m := &p.closure.Mentions[i]
		if t, ok := p.prefix.text(m); ok {
			texts[m.Holder] = append(texts[m.Holder], t)
		}
	}
	for i := range p.Entries {
		if e := &p.Entries[i]; e.Object != nil {
			e.Texts = texts[e.Object.Path]
		}
	}
}
