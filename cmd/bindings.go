package cmd

import (
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/cmd/schema"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// bindingsFlags choose among bindings; "" chooses all.
type bindingsFlags struct{ from, to, symbol string }

func (a *app) bindingsCommand() *cobra.Command {
	var flags bindingsFlags
	c := &cobra.Command{
		Use:   "bindings PROGRAM",
		Short: "Print which definition every reference reaches",
		Long: `Print what the dynamic loader binds every symbol reference of every object to when it binds all at
start (LD_BIND_NOW): a line for each, FILE SYMBOL VERSION -> FILE, separated by tabs; VERSION is -
where there is none, and the last FILE is UNDEFINED where nothing answers. As the loader does, it
says nothing of a weak reference that nothing answers and of one that is never looked up; the
loader's own references are left out unless --from names it. Nothing is run. Status 3 means that a
reference is undefined, or a version is missing.

--from and --to take a path, a soname, a file name, or a store path or its name.
` + exitHelp,
		Example: "  nixbundle bindings ./result/bin/sensor --from libopencv_dnn.so.406 --to protobuf",
		Args:    exactlyOne,
		RunE:    func(_ *cobra.Command, args []string) error { return a.bindings(args, flags) },
	}
	f := c.Flags()
	f.StringVar(&flags.from, "from", "", "only references of `OBJECT`")
	f.StringVar(&flags.to, "to", "", "only references that reach `OBJECT`")
	f.StringVar(&flags.symbol, "symbol", "", "only references to `SYMBOL`")
	a.addGiven(c)
	a.addJSON(c)
	return c
}

func (a *app) bindings(args []string, flags bindingsFlags) error {
	_, c, err := a.walk(args)
	if err != nil {
		return err
	}
	if err := c.Missing(); err != nil {
		return err
	}
	for _, name := range []string{flags.from, flags.to} {
		if name != "" && !loads(c, name) {
			return &noObjectError{args[0], name}
		}
	}
	p := bindingsPrinter{
		app: a, flags: flags, closure: c, seen: map[bindingLine]bool{},
		answer: bindingsJSON{answer{schema.Bindings}, []bindingJSON{}, []faultJSON{}},
	}
	for _, m := range c.LinkMaps {
		b, err := closure.Bind(m)
		if err != nil {
			return err
		}
		p.print(b)
		for _, o := range m.Opened {
			if b, err = closure.BindOpened(m, o); err != nil {
				return err
			}
			p.print(b)
		}
	}
	if a.json {
		err = a.printJSON(p.answer)
	}
	if err == nil && p.fatal {
		err = errFindings
	}
	return err
}

// noObjectError says that a program loads nothing of a name.
type noObjectError struct{ program, name string }

func (e *noObjectError) Error() string { return e.program + ": loads no object called " + e.name }

// Hint says where their names are.
func (e *noObjectError) Hint() string { return "nixbundle ldd lists what it loads" }

// loads reports whether a name means an object of a process.
func loads(c *closure.Closure, name string) bool {
	meant := func(l *closure.Loaded) bool { return c.Means(l, name) }
	return slices.ContainsFunc(c.LinkMaps, func(m *closure.LinkMap) bool {
		opened := func(o *closure.Open) bool { return slices.ContainsFunc(o.Scope, meant) }
		return m.Interp != nil && meant(m.Interp) || slices.ContainsFunc(m.Loaded, meant) || slices.ContainsFunc(m.Opened, opened)
	})
}

// bindingsPrinter prints the bindings that were asked for.
type bindingsPrinter struct {
	*app
	flags   bindingsFlags
	closure *closure.Closure
	answer  bindingsJSON // for --json
	fatal   bool         // the loader would give up
	interp  *closure.Loaded

	from *closure.Loaded      // whose lines are being printed
	seen map[bindingLine]bool // what they say
}

func (p *bindingsPrinter) print(b *closure.Bindings) {
	p.interp = b.Map.Interp
	for _, f := range b.Faults {
		p.tell("%s", f)
		p.answer.Faults = append(p.answer.Faults, faultJSON{f.From.Path, f.To.Path, f.Version, f.Fatal()})
		p.fatal = p.fatal || f.Fatal()
	}
	bindings := b.All()
	if p.flags.symbol != "" {
		bindings = b.Of(p.flags.symbol)
	}
	for binding := range bindings {
		switch {
		case !p.chosen(&binding):
			continue
		case p.json:
			p.answer.Bindings = append(p.answer.Bindings, newBindingJSON(&binding))
		default:
			p.printLine(&binding)
		}
		p.fatal = p.fatal || binding.To == nil
	}
}

// chosen reports whether a binding is one that the loader looks up and the flags ask for.
func (p *bindingsPrinter) chosen(b *closure.Binding) bool {
	switch {
	case b.Own || b.To == nil && (b.Weak || p.flags.to != ""):
		return false
	case p.flags.from == "" && b.From == p.interp:
		return false // ld.so relocates itself, and says so only in a real run
	case p.flags.from != "" && !p.closure.Means(b.From, p.flags.from):
		return false
	}
	return p.flags.to == "" || p.closure.Means(b.To, p.flags.to)
}

// bindingLine is what a line says of an object's reference.
type bindingLine struct{ symbol, version, to string }

// printLine prints one binding; what an object refers to by calls and by data is one line. A large program has
// a hundred thousand of them.
func (p *bindingsPrinter) printLine(b *closure.Binding) {
	line := bindingLine{b.Symbol, b.Version, "UNDEFINED"}
	if line.version == "" {
		line.version = "-"
	}
	if b.To != nil {
		line.to = b.To.Path
	}
	if p.from != b.From {
		p.from = b.From
		clear(p.seen)
	}
	if p.seen[line] {
		return
	}
	p.seen[line] = true
	for i, text := range [...]string{b.From.Path, line.symbol, line.version, "->", line.to} {
		if i > 0 {
			_, _ = io.WriteString(p.Stdout, "\t")
		}
		_, _ = io.WriteString(p.Stdout, closure.Visible(text))
	}
	_, _ = io.WriteString(p.Stdout, "\n")
}

type bindingsJSON struct {
	answer
	Bindings []bindingJSON `json:"bindings"`
	Faults   []faultJSON   `json:"faults"`
}

type bindingJSON struct {
	From    string         `json:"from"`
	Symbol  string         `json:"symbol"`
	Version string         `json:"version,omitempty"`
	Class   elfpatch.Class `json:"class"`
	Weak    bool           `json:"weak"`
	To      string         `json:"to,omitempty"`
}

type faultJSON struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Version string `json:"version"`
	Fatal   bool   `json:"fatal"`
}

func newBindingJSON(b *closure.Binding) bindingJSON {
	j := bindingJSON{From: b.From.Path, Symbol: b.Symbol, Version: b.Version, Class: b.Class, Weak: b.Weak}
	if b.To != nil {
		j.To = b.To.Path
	}
	return j
}
