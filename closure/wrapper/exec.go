package wrapper

import "strings"

// exec takes the command that starts the program.
func (r *reader) exec(words []word) error {
	words, err := r.execOptions(words)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return refuse("is an exec without a program")
	}
	target, ok := r.known(words[0])
	switch {
	case !ok:
		return refuse("starts a program that is known only when it runs")
	case !strings.HasPrefix(target, "/"):
		return refuse("starts %s, which is no absolute path", target)
	case hasRoot(target):
		return errRoot
	}
	r.w.Target = target
	return r.arguments(words[1:])
}

// execOptions takes exec's options (bash builtins/exec.def): -a NAME, and what ends them.
func (r *reader) execOptions(words []word) ([]word, error) {
	for len(words) > 0 {
		switch option, _ := words[0].literal(""); {
		case option == "--":
			return words[1:], nil
		case option == "-a" && len(words) > 1:
			if err := r.argv0(words[1]); err != nil {
				return nil, err
			}
			words = words[2:]
		case strings.HasPrefix(option, "-"):
			return nil, refuse("gives exec the option %s", option)
		default:
			return words, nil
		}
	}
	return words, nil
}

func (r *reader) argv0(w word) error {
	w = trim(w)
	if len(w) == 1 && w[0].name == "0" && w[0].op == "" {
		r.w.Argv0 = Argv0{Inherit: true}
		return nil
	}
	name, ok := r.known(w)
	switch {
	case !ok || name == "":
		return refuse("gives the program a name that is known only when it runs")
	case hasRoot(name):
		return errRoot
	}
	r.w.Argv0 = Argv0{Text: name}
	return nil
}

// known is the text of a word, where it is one word whatever the environment says.
func (r *reader) known(w word) (string, bool) {
	if w = r.resolve(w); w == nil {
		return "", false
	}
	return w.literal(globs + "~{")
}

// resolve puts the values of variables in that the text itself has set; nil where one would be split.
func (r *reader) resolve(w word) word {
	out := word{}
	for _, p := range w {
		if v := r.vars[p.name]; p.name != "" && p.op == "" && v != nil && v.known {
			if !p.quoted && (v.value == "" || strings.ContainsAny(v.value, " \t\n"+globs)) {
				return nil
			}
			p = part{lit: v.value, quoted: true}
			if r.work += len(v.value); r.work > maxWork {
				return nil
			}
		}
		out = append(out, p)
	}
	return out
}

// arguments takes the words behind the program: the wrapper's own around the user's.
func (r *reader) arguments(words []word) error {
	r.w.Drop = true
	for _, w := range words {
		switch bare := trim(w); {
		case isUsers(bare) && !r.w.Drop:
			return refuse("passes the arguments on twice")
		case isUsers(bare):
			r.w.Drop = false
			r.w.Args, r.w.After = r.w.After, nil
		case len(bare) == 1 && bare[0].name == "extraFlagsArray[@]" && bare[0].quoted:
		default:
			arg, err := r.argument(w)
			if err != nil {
				return err
			}
			r.w.After = append(r.w.After, arg)
		}
	}
	if r.w.Drop {
		r.w.Args, r.w.After = r.w.After, nil
	}
	r.finish()
	return nil
}

// isUsers reports whether a word is "$@", or ${1+"$@"} as old scripts have it.
func isUsers(w word) bool {
	if len(w) != 1 {
		return false
	}
	if w[0].name == "1" && w[0].op == "+" {
		w = trim(w[0].arg)
	}
	return len(w) == 1 && w[0].name == "@" && w[0].op == "" && w[0].quoted
}

// argument takes one of the wrapper's own arguments.
func (r *reader) argument(w word) (Arg, error) {
	w = r.resolve(w)
	if w == nil {
		return Arg{}, refuse("has a variable that would be split into arguments")
	}
	if err := r.expandable(w); err != nil {
		return Arg{}, err
	}
	if err := bashOnly(w); err != nil {
		return Arg{}, err
	}
	a := Arg{Shell: true}
	if text, ok := w.literal(globs + "~"); ok {
		a = Arg{Text: text}
	} else if a.Text, ok = (printer{}).word(w); !ok {
		return Arg{}, refuse("has quotes in a quoted expansion, which shells do not agree on")
	}
	if hasRoot(a.Text) {
		return Arg{}, errRoot
	}
	return a, nil
}

// expandable looks whether all that a word expands is left to the launcher as it is here.
func (r *reader) expandable(w word) error {
	for _, p := range w {
		if p.name == "" {
			continue
		}
		v := r.vars[p.name]
		switch {
		case !isName(p.name):
			return refuse("has $%s in an argument", p.name)
		case reserved(p.name):
			return refuse("has $%s in an argument, which is another one in every shell", p.name)
		case v != nil && !v.exported:
			return refuse("has $%s in an argument, which it changes for itself", p.name)
		case p.op != "" && strings.IndexByte("=?/", p.op[len(p.op)-1]) >= 0:
			return refuse("expands ${%s%s...} in an argument", p.name, p.op)
		}
		if err := r.expandable(p.arg); err != nil {
			return err
		}
	}
	return nil
}

// bashOnly looks for what bash expands outside of quotes and a POSIX shell does not.
func bashOnly(w word) error {
	var bare strings.Builder
	for _, p := range w {
		if p.name == "" && !p.quoted {
			bare.WriteString(p.lit)
		} else {
			bare.WriteByte('.')
		}
	}
	s := bare.String()
	if open := strings.IndexByte(s, '{'); open >= 0 {
		if rest := s[open:]; strings.Contains(rest, "}") && (strings.Contains(rest, ",") || strings.Contains(rest, "..")) {
			return refuse("has braces that bash makes several words of")
		}
	}
	if n := nameLen(s); n > 0 && strings.HasPrefix(s[n:], "=") && (strings.HasPrefix(s[n:], "=~") || strings.Contains(s, ":~")) {
		return refuse("has a ~, which stands for a home folder in bash alone")
	}
	return nil
}
