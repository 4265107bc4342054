package wrapper

import (
	"fmt"
	"slices"
	"strings"
)

// Setup is the lines of a POSIX shell that do what the wrapper does before it starts the program, [RootVariable]
// being the bundle's folder.
func (w *Wrapper) Setup() string {
	var out strings.Builder
	for _, c := range w.Env {
		out.WriteString(c.sh())
	}
	if w.Chdir != "" {
		physical := ""
		if w.Kind == Binary {
			physical = "-P " // chdir(2) knows no other way
		}
		out.WriteString("CDPATH= cd " + physical + "-- " + printer{rooted: true}.quote(w.Chdir) + " >/dev/null || exit 1\n")
	}
	return out.String()
}

// Arguments is the words of a POSIX shell behind the program: the wrapper's own around the user's.
func (w *Wrapper) Arguments() string {
	var words []string
	for _, a := range w.Args {
		words = append(words, a.sh())
	}
	if !w.Drop {
		words = append(words, `"$@"`)
	}
	for _, a := range w.After {
		words = append(words, a.sh())
	}
	return strings.Join(words, " ")
}

// sh is the lines of a POSIX shell that make the change and nothing else. [RootVariable] is the bundle's
// folder. The value stands in quotes, whatever bytes it has but NUL.
func (c Change) sh() string {
	p := printer{rooted: true}
	x, v, s := c.Name, p.quote(c.Value), p.quote(c.Sep)
	var lines []string
	switch {
	case c.Op == Set:
		lines = []string{x + "=" + v}
	case c.Op == Unset:
		return "unset " + x + "\n"
	case c.Op == SetDefault:
		lines = []string{"[ -n \"${" + x + "+x}\" ] || " + x + "=" + v}
	case c.Op == Fill:
		lines = []string{"[ -n \"${" + x + "-}\" ] || " + x + "=" + v}
	case c.Once && c.Join == JoinSet:
		lines = c.onceFound(x, v, s)
	case c.Once:
		lines = c.onceMoved(x, v, s)
	default:
		lines = []string{c.joined(x, v, s)}
	}
	if !c.IfSet {
		return strings.Join(append(lines, "export "+x), "\n") + "\n"
	}
	return "if [ -n \"${" + x + "+x}\" ]; then\n  " + strings.Join(lines, "\n  ") + "\nfi\n"
}

// joined adds the value, with what is between.
func (c Change) joined(x, v, s string) string {
	op := map[Join]string{JoinText: ":+", JoinSet: "+"}[c.Join]
	switch {
	case op == "" && c.Op == Prefix:
		return fmt.Sprintf("%s=%s%s${%s-}", x, v, s, x)
	case op == "":
		return fmt.Sprintf("%s=${%s-}%s%s", x, x, s, v)
	case c.Op == Prefix:
		return fmt.Sprintf("%s=%s${%s%s%s$%s}", x, v, x, op, s, x)
	}
	return fmt.Sprintf("%s=${%s%s$%s%s}%s", x, x, op, x, s, v)
}

// onceMoved is what the shell text of makeWrapper does.
func (c Change) onceMoved(x, v, s string) []string {
	lines := []string{fmt.Sprintf("%s=${%s:+%s$%s%s}", x, x, s, x, s)}
	if c.Op == Prefix {
		lines = append(lines,
			fmt.Sprintf("case $%s in *%s%s%s*) %s=${%s%%%%%s%s%s*}%s${%s#*%s%s%s} ;; esac", x, s, v, s, x, x, s, v, s, s, x, s, v, s),
			fmt.Sprintf("%s=%s$%s", x, v, x))
	} else {
		lines = append(lines, fmt.Sprintf("case $%s in *%s%s%s*) ;; *) %s=$%s%s ;; esac", x, s, v, s, x, x, v))
	}
	return append(lines, fmt.Sprintf("%s=${%s#%s}", x, x, s), fmt.Sprintf("%s=${%s%%%s}", x, x, s))
}

// onceFound is what makeBinaryWrapper does: the first place where the value is found is the only one.
func (c Change) onceFound(x, v, s string) []string {
	found := fmt.Sprintf("case $%s in *%s*) case ${%s%%%%%s*} in ''|*%s) case ${%s#*%s} in ''|%s*) ;; *) false ;; esac ;; *) false ;; esac ;; *) false ;; esac",
		x, v, x, v, s, x, v, s)
	move := fmt.Sprintf("case ${%s%%%%%s*} in '') ;; *) %s=%s%s${%s%%%%%s%s*}${%s#*%s} ;; esac", x, v, x, v, s, x, s, v, x, v)
	add := fmt.Sprintf("%s=%s%s$%s", x, v, s, x)
	if c.Op == Suffix {
		move = fmt.Sprintf("case ${%s#*%s} in '') ;; *) %s=${%s%%%%%s*}${%s#*%s%s}%s%s ;; esac", x, v, x, x, v, x, v, s, s, v)
		add = fmt.Sprintf("%s=$%s%s%s", x, x, s, v)
	}
	return []string{
		fmt.Sprintf("if [ -z \"${%s+x}\" ]; then", x),
		fmt.Sprintf("  %s=%s", x, v),
		fmt.Sprintf("elif %s; then", found),
		"  " + move,
		"else",
		"  " + add,
		"fi",
	}
}

// sh is the argument as words of a POSIX shell, [RootVariable] being the bundle's folder. A Text for the shell that Parse would not have made is quoted as it is.
func (a Arg) sh() string {
	p := printer{rooted: true}
	if !a.Shell {
		return p.quote(a.Text)
	}
	l := lexer{text: a.Text}
	w, err := l.word()
	text, ok := p.word(w)
	if err != nil || !ok || l.pos < len(a.Text) {
		return p.quote(a.Text)
	}
	return text
}

// names is the variables that the shell looks at when it expands the argument.
func (a Arg) names() []string {
	if !a.Shell {
		return nil
	}
	l := lexer{text: a.Text}
	w, err := l.word()
	if err != nil {
		return nil
	}
	return w.names(nil)
}

func (w word) names(list []string) []string {
	for _, p := range w {
		if p.name != "" {
			list = p.arg.names(append(list, p.name))
		}
	}
	return list
}

// reserved reports whether shells have a variable of that name for themselves: it is set, changed or
// refused, whatever a text says.
func reserved(name string) bool {
	return slices.Contains([]string{
		"_",
		"BASHOPTS", "BASHPID", "BASH_VERSINFO", "EUID", "PPID", "SHELLOPTS", "UID",
		"FUNCNAME", "GROUPS", "HISTCMD", "IFS", "LINENO", "OPTIND", "OLDPWD", "PWD", "RANDOM", "SECONDS", "SHLVL", "SRANDOM",
	}, name)
}

// Check refuses a change that a launcher cannot make.
func (c Change) Check() error {
	switch {
	case !isName(c.Name):
		return refuse("changes the variable %q, which no shell can", c.Name)
	case reserved(c.Name):
		return refuse("changes %s, which shells have for themselves", c.Name)
	}
	return nil
}

// check refuses a change that no launcher can make of a wrapper's.
func (c Change) check() error {
	if hasRoot(c.Value) || hasRoot(c.Sep) {
		return errRoot
	}
	return c.Check()
}
