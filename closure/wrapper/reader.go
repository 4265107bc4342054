package wrapper

import (
	"slices"
	"strings"
)

// reader makes a wrapper of a shell text.
type reader struct {
	script
	w    *Wrapper
	vars map[string]*variable // those that the text changes
	work int                  // bytes of all values that were made on the way
}

// variable is what is known of a variable at one place of the text.
type variable struct {
	known    bool   // it has this value, whatever the environment says
	value    string // where known
	gone     bool   // it is not set
	exported bool
	changes  []int // in Wrapper.Env, since it was unset last
}

// maxWork bounds the values that are made of others: Linux gives a program 6 MB of arguments and
// environment at most (fs/exec.c: bprm_stack_limits).
const maxWork = 32 << 20

// run reads commands up to the one that starts the other program.
func (r *reader) run() (pos int, err error) {
	for {
		c, err := r.peek(0)
		if err != nil {
			return c.pos, err
		}
		if len(c.words) == 0 && r.pos == len(r.text) {
			return len(strings.TrimRight(r.text, " \t\n")), refuse("ends without starting a program by exec")
		}
		if n := r.once(); n > 0 {
			r.drop(n)
			continue
		}
		r.drop(1)
		done, err := r.command(c)
		if done || err != nil {
			return c.pos, err
		}
	}
}

// command takes one command; done says that it was the last.
func (r *reader) command(c command) (done bool, err error) {
	words := c.words
	for len(words) > 0 {
		name, value, more, ok := words[0].assignment()
		if !ok {
			break
		}
		if err := r.assign(name, value, more); err != nil {
			return false, err
		}
		words = words[1:]
		if len(words) > 0 {
			r.variable(name).exported = true // XCU 2.9.1: for the command that follows
		}
	}
	if len(words) == 0 {
		return false, nil
	}
	before := len(c.words) - len(words)
	c.words = words
	if before > 0 && c.name() != "exec" {
		return false, refuse("runs a command")
	}
	switch args := words[1:]; c.name() {
	case "exec":
		if len(args) == 0 {
			return false, refuse("is an exec without a program")
		}
		return true, r.exec(args)
	case "export":
		return false, r.export(args)
	case "declare", "typeset":
		if len(args) > 0 && args[0].is("-x") {
			return false, r.export(args[1:])
		}
		return false, refuse("declares a variable in a way that is not understood")
	case "unset":
		return false, r.unset(args)
	case "cd":
		return false, r.cd(args)
	case "set":
		return false, r.set(args)
	case ":", "true":
		return false, r.colon(args)
	}
	return false, refuse("runs a command")
}

func (r *reader) variable(name string) *variable {
	v := r.vars[name]
	if v == nil {
		v = &variable{}
		r.vars[name] = v
	}
	return v
}

// export takes export NAME... and export NAME=VALUE...
func (r *reader) export(args []word) error {
	if len(args) == 0 {
		return refuse("prints its environment")
	}
	for _, arg := range args {
		name, value, more, ok := arg.assignment()
		if ok {
			if err := r.assign(name, value, more); err != nil {
				return err
			}
		} else if name, ok = arg.literal(globs); !ok || !isName(name) {
			return refuse("exports what is no name")
		}
		r.variable(name).exported = true
	}
	return nil
}

// unset takes unset NAME...; with the value goes the mark that exports it.
func (r *reader) unset(args []word) error {
	if len(args) > 0 && args[0].is("-v") {
		args = args[1:]
	}
	for _, arg := range args {
		name, ok := arg.literal(globs)
		if !ok || !isName(name) {
			return refuse("unsets what is no name")
		}
		if err := r.change(Change{Op: Unset, Name: name}); err != nil {
			return err
		}
		r.settle(name)
		r.vars[name] = &variable{gone: true}
	}
	return nil
}

func (r *reader) cd(args []word) error {
	if len(args) > 0 && args[0].is("--") {
		args = args[1:]
	}
	if len(args) != 1 {
		return refuse("goes to a folder that is not named")
	}
	dir, ok := args[0].literal(globs + "~{")
	switch {
	case !ok || dir == "":
		return refuse("goes to a folder that is not named")
	case dir[0] == '-':
		return refuse("gives cd an option")
	case hasRoot(dir):
		return errRoot
	}
	r.w.Chdir = joinDir(r.w.Chdir, dir)
	return nil
}

// set takes set -e, set +u and their like, which change nothing of what the program sees.
func (r *reader) set(args []word) error {
	for i, arg := range args {
		text, ok := arg.literal("")
		option := strings.Trim(text, "+-eux")
		if ok && option == "o" || ok && option == "" && len(text) > 1 {
			continue
		}
		if previous, _ := args[max(i-1, 0)].literal(""); i > 0 && strings.HasSuffix(previous, "o") &&
			slices.Contains([]string{"pipefail", "errexit", "nounset"}, text) {
			continue
		}
		return refuse("sets an option of its shell, or its arguments")
	}
	return nil
}

// colon takes : ${NAME:=VALUE}.
func (r *reader) colon(args []word) error {
	for _, arg := range args {
		if _, ok := arg.literal(""); ok {
			continue
		}
		p := arg[slices.IndexFunc(arg, func(p part) bool { return p.name != "" })]
		if !isName(p.name) || p.op != "=" && p.op != ":=" || len(arg) > 1 && !arg[0].quoted {
			return refuse("expands what is not understood")
		}
		p.op = strings.Replace(p.op, "=", "-", 1)
		if err := r.assign(p.name, word{p}, false); err != nil {
			return err
		}
	}
	return nil
}

// change adds a change of the environment.
func (r *reader) change(c Change) error {
	if err := c.check(); err != nil {
		return err
	}
	if r.work += len(c.Value) + len(c.Sep); r.work > maxWork {
		return refuse("sets more than a program can be given")
	}
	v := r.variable(c.Name)
	if v.known || v.gone {
		value, set := c.apply(v.value, !v.gone)
		r.work += len(value)
		v.value, v.known, v.gone = value, set, !set
	} else if c.Op == Set {
		v.known, v.value = true, c.Value
	}
	if last := len(v.changes) - 1; last >= 0 && v.known && c.Op != Unset && r.w.Env[v.changes[last]].Op == Set {
		r.w.Env[v.changes[last]].Value = v.value
		return nil
	}
	v.changes = append(v.changes, len(r.w.Env))
	r.w.Env = append(r.w.Env, c)
	return nil
}

// settle marks the changes of a variable that is not exported: they reach a program that has it in its
// environment anyway.
func (r *reader) settle(name string) {
	v := r.vars[name]
	if v == nil || v.exported {
		return
	}
	for _, i := range v.changes {
		r.w.Env[i].IfSet = r.w.Env[i].Op != Unset
	}
}

// finish settles all variables and drops what has no effect.
func (r *reader) finish() {
	for name := range r.vars {
		r.settle(name)
	}
	r.w.Env = slices.DeleteFunc(r.w.Env, func(c Change) bool { return c.IfSet && c.Op == SetDefault })
}

// joinDir is where a second cd leads behind a first.
func joinDir(first, dir string) string {
	switch {
	case dir == "":
		return first
	case first == "" || strings.HasPrefix(dir, "/"):
		return dir
	}
	return strings.TrimRight(first, "/") + "/" + dir
}
