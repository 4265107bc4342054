//go:build manpages

package cmd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The manual pages are made from the help, when nixbundle is installed and not in nixbundle: what renders
// them would have to be initialised each time that it starts. cobra's own generator takes a help for
// markdown, in which lists such as that of --interp would run together.

// ManPages writes nixbundle(1), nixbundle-VERB(1) of every verb and nixbundle-TOPIC(7) of every help topic to
// a folder, which is made. The pages have the date, or none where it is zero.
func ManPages(dir string, date time.Time) error {
	a := &app{World: World{Args: []string{"nixbundle"}, Getenv: func(string) string { return "" }}, color: colorAuto}
	root := a.command()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	m := manual{dir: dir, root: root}
	if !date.IsZero() {
		m.date = date.UTC().Format(time.DateOnly)
	}
	err := m.write("nixbundle", 1, m.rootPage())
	for _, c := range root.Commands() {
		if err == nil && c.IsAvailableCommand() {
			err = m.write("nixbundle-"+c.Name(), 1, m.verbPage(c))
		}
	}
	for _, t := range topics() {
		if err == nil {
			err = m.write("nixbundle-"+t.Name, 7, m.topicPage(t))
		}
	}
	return err
}

// manual is one run of ManPages.
type manual struct {
	dir, date string
	root      *cobra.Command
}

// write renders a page and writes it.
func (m manual) write(name string, section int, text string) error {
	head := fmt.Sprintf("%% %q %q %q %q %q\n", strings.ToUpper(name), fmt.Sprint(section), m.date, "nixbundle", "nixbundle manual")
	page := tidyRoff(md2man.Render([]byte(head + text)))
	return os.WriteFile(filepath.Join(m.dir, fmt.Sprintf("%s.%d", name, section)), page, 0o644)
}

var (
	emptyParagraph = regexp.MustCompile(`(?m)^(\.S[HS] .*\n)\.PP\n`)
	emptyLines     = regexp.MustCompile(`\n\n+`)
	notASCII       = regexp.MustCompile(`[^\x00-\x7f]`)
	textLine       = regexp.MustCompile(`(?m)^[^.].*-.*$`)
	hyphen         = regexp.MustCompile(`\\?-`)
)

// tidyRoff sets code apart and breaks no names. It takes out what man(7) calls for nothing: a paragraph that
// begins where a section does, lines with nothing on them, but those of code. A "-" is one that can be copied
// (groff_man_style(7)), and what is not ASCII is written so that every roff knows it (groff_char(7)).
func tidyRoff(page []byte) []byte {
	for _, change := range [][2]string{
		{".nh\n", ""}, {"\n.SH NAME\n", "\n.nh\n.ad l\n.SH NAME\n"}, // .TH begins anew
		{"\n.EX\n", "\n.PP\n.RS 4\n.EX\n"}, {"\n.EE\n", "\n.EE\n.RE\n"},
	} {
		page = bytes.ReplaceAll(page, []byte(change[0]), []byte(change[1]))
	}
	parts := bytes.SplitAfter(page, []byte(".EX\n"))
	for i, part := range parts {
		code, rest, ok := bytes.Cut(part, []byte(".EE\n"))
		if i == 0 || !ok {
			code, rest = nil, part
		}
		rest = emptyLines.ReplaceAll(rest, []byte("\n"))
		if code != nil {
			rest = slices.Concat(code, []byte(".EE\n"), rest)
		}
		parts[i] = rest
	}
	page = bytes.Join(parts, nil)
	page = emptyParagraph.ReplaceAll(page, []byte("$1"))
	page = textLine.ReplaceAllFunc(page, func(line []byte) []byte { return hyphen.ReplaceAll(line, []byte(`\-`)) })
	return notASCII.ReplaceAllFunc(page, func(r []byte) []byte { return fmt.Appendf(nil, "\\[u%04X]", []rune(string(r))[0]) })
}

func (m manual) rootPage() string {
	var b strings.Builder
	heading(&b, "NAME", "nixbundle - "+m.root.Short)
	heading(&b, "SYNOPSIS", "**nixbundle** "+escape("PROGRAM... -o FILE")+"\n\n**nixbundle** "+escape("VERB ..."))
	heading(&b, "DESCRIPTION", markdown(rootHelp)+"\n"+escape("Without a verb it is nixbundle bundle: see nixbundle-bundle(1)."))
	var verbs strings.Builder
	for _, c := range m.root.Commands() {
		if c.IsAvailableCommand() {
			define(&verbs, "**nixbundle-"+escape(c.Name())+"**(1)", escape(c.Short))
		}
	}
	heading(&b, "VERBS", verbs.String())
	heading(&b, "OPTIONS OF EVERY VERB", options(m.root.PersistentFlags()))
	heading(&b, "EXIT STATUS", exitStatus)
	heading(&b, "ENVIRONMENT", environment)
	heading(&b, "SEE ALSO", m.seeAlso(""))
	return b.String()
}

const exitStatus = "0\n: done\n\n1\n: failed\n\n2\n: wrong usage\n\n3\n: findings\n"

// environment is what nixbundle reads of it.
const environment = `**NO_COLOR**, **CLICOLOR_FORCE**, **TERM**
: whether there are colours, where **--color** does not say it

**LC_ALL**, **LC_CTYPE**, **LANG**
: whether trees have lines: the first that is set, if it names UTF-8

**SOURCE_DATE_EPOCH**
: the time of the entries of a bundle, seconds since 1970

**TMPDIR**
: where **verify** keeps what a bundle unpacks to while it reads it
`

func (m manual) verbPage(c *cobra.Command) string {
	var b strings.Builder
	heading(&b, "NAME", "nixbundle-"+c.Name()+" - "+escape(c.Short))
	rest := strings.TrimPrefix(c.UseLine(), "nixbundle "+c.Name())
	heading(&b, "SYNOPSIS", "**nixbundle "+escape(c.Name())+"**"+escape(rest))
	long, status, _ := strings.Cut(c.Long, exitHelp)
	heading(&b, "DESCRIPTION", markdown(long+status))
	c.InitDefaultHelpFlag()
	flags := options(c.LocalNonPersistentFlags())
	if c.DisableFlagParsing {
		flags = patchelfOptions()
	}
	heading(&b, "OPTIONS", flags)
	if !c.DisableFlagParsing {
		heading(&b, "OPTIONS OF EVERY VERB", options(m.root.PersistentFlags()))
	}
	if c.HasExample() {
		heading(&b, "EXAMPLES", code(strings.Split(c.Example, "\n")))
	}
	if strings.Contains(c.Long, exitHelp) {
		heading(&b, "EXIT STATUS", exitStatus)
	}
	heading(&b, "SEE ALSO", m.seeAlso(c.Name()))
	return b.String()
}

// topicPage is a topic's own text, its sections a level up, and a row of a table, which may be wider than a
// page, as a term of a list.
func (m manual) topicPage(t topic) string {
	var b strings.Builder
	heading(&b, "NAME", "nixbundle-"+t.Name+" - "+escape(t.Short))
	_, text, _ := strings.Cut(t.Text, "\n")
	b.WriteString("# DESCRIPTION\n\n")
	fenced := false
	var columns []string
	for line := range strings.Lines(text) {
		fenced = fenced != strings.HasPrefix(line, "```")
		cells, isRow := strings.CutPrefix(line, "|")
		switch {
		case !fenced && strings.HasPrefix(line, "## "):
			line = "# " + strings.ToUpper(strings.TrimPrefix(line, "## "))
		case fenced || !isRow:
			columns = nil
		case columns == nil:
			columns, line = strings.Split(cells, "|"), ""
		case strings.HasPrefix(line, "|---"):
			line = ""
		default:
			line = row(columns, strings.Split(cells, "|"))
		}
		b.WriteString(line)
	}
	b.WriteString("\n")
	heading(&b, "SEE ALSO", m.seeAlso(t.Name))
	return b.String()
}

// row is a row of a table as a term of a list: what it is about, and each column's word on it.
func row(columns, cells []string) string {
	var text []string
	for i := 1; i < min(len(columns), len(cells)); i++ {
		if name := strings.TrimSpace(columns[i]); name != "" {
			text = append(text, name+": "+strings.TrimSpace(cells[i]))
		}
	}
	return strings.TrimSpace(cells[0]) + "\n: " + strings.Join(text, "; ") + "\n\n"
}

// seeAlso are all pages but one.
func (m manual) seeAlso(but string) string {
	var list []string
	if but != "" {
		list = append(list, "**nixbundle**(1)")
	}
	for _, c := range m.root.Commands() {
		if c.IsAvailableCommand() && c.Name() != but {
			list = append(list, "**nixbundle-"+escape(c.Name())+"**(1)")
		}
	}
	for _, t := range topics() {
		if t.Name != but {
			list = append(list, "**nixbundle-"+escape(t.Name)+"**(7)")
		}
	}
	return strings.Join(list, ", ")
}

// heading adds a section.
func heading(b *strings.Builder, title, text string) {
	if text = strings.TrimSpace(text); text != "" {
		fmt.Fprintf(b, "# %s\n\n%s\n\n", title, text)
	}
}

// define adds a term and what it means.
func define(b *strings.Builder, term, text string) {
	fmt.Fprintf(b, "%s\n: %s\n\n", term, text)
}

// options are flags with what they take.
func options(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		value, usage := pflag.UnquoteUsage(f)
		term := "**" + escape("--"+f.Name) + "**"
		if f.Shorthand != "" {
			term = "**" + escape("-"+f.Shorthand) + "**, " + term
		}
		if value != "" {
			term += " *" + escape(value) + "*"
		}
		if f.DefValue != "" && !strings.Contains("false 0 0s []", f.DefValue) && !strings.Contains(usage, "(default") {
			usage += " (default " + f.DefValue + ")"
		}
		if f.Hidden {
			return
		}
		define(&b, term, escape(usage))
	})
	return b.String()
}

// patchelfOptions are patchelf's flags.
func patchelfOptions() string {
	var b strings.Builder
	for _, f := range patchelfFlags {
		term := "**" + escape(f.name) + "**"
		if f.values != "" {
			term += " *" + escape(f.values) + "*"
		}
		text := f.help
		if text == "" {
			text = "as patchelf's"
		}
		define(&b, term, escape(text))
	}
	return b.String()
}

// termLine is a line of a list in a help: a word or two, and behind two spaces what it means.
var termLine = regexp.MustCompile(`^  (\S+(?: \S+)?) {2,}(\S.*)$`)

// markdown is a help, which is plain text: paragraphs, lists of terms with lines that go on below the
// meaning, and commands, indented.
func markdown(help string) string {
	var b strings.Builder
	for _, paragraph := range strings.Split(strings.TrimSpace(help), "\n\n") {
		lines := strings.Split(paragraph, "\n")
		for len(lines) > 0 {
			n := 1
			switch m := termLine.FindStringSubmatch(lines[0]); {
			case m != nil:
				text := m[2]
				for ; n < len(lines) && strings.HasPrefix(lines[n], "    "); n++ {
					text += " " + strings.TrimSpace(lines[n])
				}
				define(&b, "**"+escape(m[1])+"**", escape(text))
			case strings.HasPrefix(lines[0], "  "):
				for n < len(lines) && strings.HasPrefix(lines[n], "  ") {
					n++
				}
				b.WriteString(code(lines[:n]))
			default:
				for n < len(lines) && !strings.HasPrefix(lines[n], "  ") {
					n++
				}
				b.WriteString(escape(strings.Join(lines[:n], "\n")) + "\n\n")
			}
			lines = lines[n:]
		}
	}
	return b.String()
}

// code are lines that stay as they are.
func code(lines []string) string {
	var b strings.Builder
	b.WriteString("```\n")
	for _, line := range lines {
		b.WriteString(strings.TrimPrefix(line, "  ") + "\n")
	}
	b.WriteString("```\n\n")
	return b.String()
}

// special are the characters that mean something in markdown.
var special = regexp.MustCompile("[\\\\`*_{}\\[\\]()#+!|<>~&-]")

// escape is text that means itself.
func escape(text string) string { return special.ReplaceAllString(text, `\$0`) }
