package wrapper

import "strings"

// Root stands for the bundle's folder in values and arguments.
const Root = "%ROOT%"

const root = Root

// RootVariable is the shell's variable that has the bundle's folder, with a slash behind it, in all lines and
// words that this package writes. Nobody exports one of that name.
const RootVariable = "nixbundle_root"

// Word is a text as one word of a POSIX shell.
func Word(text string) string { return printer{rooted: true}.quote(text) }

const errRoot = refusal("has " + root + " in it, which stands for the bundle's folder")

func hasRoot(s string) bool { return strings.Contains(s, root) }

// printer writes words for any POSIX shell. With rooted it puts the bundle's folder in from RootVariable, which
// ends in a slash.
type printer struct{ rooted bool }

// quote writes s as one word, whatever it holds but NUL.
func (p printer) quote(s string) string {
	if !p.rooted || !hasRoot(s) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	before, after, _ := strings.Cut(s, root)
	expansion := `"${` + RootVariable + `%/}"`
	if rest, ok := strings.CutPrefix(after, "/"); ok {
		expansion, after = `"$`+RootVariable+`"`, rest
	}
	if before != "" {
		expansion = p.quote(before) + expansion
	}
	if after == "" {
		return expansion
	}
	return expansion + p.quote(after)
}

// word writes a word, its literals in quotes; ok is false where shells do not agree on how to.
func (p printer) word(w word) (s string, ok bool) {
	var out strings.Builder
	for i, part := range w {
		switch {
		case part.lit == "" && part.name == "" && i+1 < len(w) && w[i+1].quoted: // that has quotes, too
		case part.name != "":
			text, ok := p.expansion(part)
			if !ok {
				return "", false
			}
			out.WriteString(text)
		case part.quoted:
			out.WriteString(p.quote(part.lit))
		default:
			out.WriteString(p.bare(part.lit))
		}
	}
	return out.String(), true
}

// bare writes what stands in no quotes, so that the shell splits and expands it.
func (p printer) bare(s string) string {
	const safe = "_./:=@%+,-*?[]!^~ \t\n"
	if p.rooted && hasRoot(s) {
		before, after, _ := strings.Cut(s, root)
		slash := after[:len(after)-len(strings.TrimPrefix(after, "/"))]
		return p.bare(before) + p.quote(root+slash) + p.bare(after[len(slash):])
	}
	var out strings.Builder
	for i := range len(s) {
		if c := s[i]; !isAlpha(c) && !isDigit(c) && strings.IndexByte(safe, c) < 0 {
			out.WriteByte('\\')
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// expansion writes the expansion of a parameter.
func (p printer) expansion(e part) (string, bool) {
	if !e.quoted {
		arg, ok := p.word(e.arg)
		return "${" + e.name + e.op + arg + "}", ok
	}
	s, ok := p.inQuotes(word{e})
	return `"` + s + `"`, ok
}

// inQuotes writes what stands between double quotes and in the braces of expansions there, where shells
// read quotes and backslashes each in its own way.
func (p printer) inQuotes(w word) (string, bool) {
	var out strings.Builder
	for _, part := range w {
		switch {
		case part.name != "":
			arg, ok := p.inQuotes(part.arg)
			if !ok || isPattern(part.op) {
				return "", false
			}
			out.WriteString("${" + part.name + part.op + arg + "}")
		case strings.ContainsAny(part.lit, "'\"\\$`}"):
			return "", false
		case p.rooted:
			lit := strings.ReplaceAll(part.lit, root+"/", "${"+RootVariable+"}")
			out.WriteString(strings.ReplaceAll(lit, root, "${"+RootVariable+"%/}"))
		default:
			out.WriteString(part.lit)
		}
	}
	return out.String(), true
}
