package wrapper

import (
	"strings"
)

// text is a value that may have what the variable held in the middle.
type text struct {
	pre, post []byte
	old       bool
}

func (t *text) add(o text) error {
	switch {
	case !t.old:
		t.pre, t.old, t.post = append(t.pre, o.pre...), o.old, append(t.post, o.post...)
	case !o.old:
		t.post = append(t.post, o.pre...)
	default:
		return refuse("puts a variable's own value in twice")
	}
	if len(t.pre)+len(t.post) > maxValue {
		return refuse("makes a value longer than %d bytes, which no program can be given", maxValue)
	}
	return nil
}

// state is what a variable may be before a change.
type state int

const (
	unset state = iota
	empty
	filled
	states
)

// assign takes NAME=VALUE, or NAME+=VALUE.
func (r *reader) assign(name string, value word, more bool) error {
	if more {
		value = append(word{{name: name, quoted: true}}, value...)
	}
	if tilde(value) {
		return refuse("has a ~, which stands for a home folder")
	}
	var by [states]text
	for s := range by {
		var err error
		if by[s], err = r.value(name, state(s), value, 0); err != nil {
			return err
		}
		r.work += len(by[s].pre) + len(by[s].post)
	}
	changes := classify(by)
	if len(changes) == 0 {
		return refuse("changes %s in a way that is not understood", name)
	}
	for _, c := range changes {
		c.Name = name
		if err := r.change(c); err != nil {
			return err
		}
	}
	return nil
}

// tilde reports whether bash would put a home folder into the value of an assignment.
func tilde(w word) bool {
	for i, p := range w {
		if p.name == "" && !p.quoted && (i == 0 && strings.HasPrefix(p.lit, "~") || strings.Contains(p.lit, ":~")) {
			return true
		}
	}
	return false
}

// value is what a word makes when the variable self is in that state.
func (r *reader) value(self string, s state, w word, depth int) (text, error) {
	var out text
	for _, p := range w {
		t := text{pre: []byte(p.lit)}
		var err error
		if p.name != "" {
			t, err = r.expand(self, s, p, depth)
		}
		if err == nil {
			err = out.add(t)
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// expand is what an expansion makes then (XCU 2.6.2).
func (r *reader) expand(self string, s state, p part, depth int) (text, error) {
	held, is, err := r.held(self, s, p.name)
	if err != nil {
		return held, err
	}
	there := is != unset && (is != empty || !strings.HasPrefix(p.op, ":"))
	switch strings.TrimPrefix(p.op, ":") {
	case "":
		return held, nil
	case "-":
		if there {
			return held, nil
		}
		return r.value(self, s, p.arg, depth+1)
	case "+":
		if !there {
			return text{}, nil
		}
		return r.value(self, s, p.arg, depth+1)
	}
	return held, refuse("expands ${%s%s...} in a value", p.name, p.op)
}

// held is what a variable holds, and its state.
func (r *reader) held(self string, s state, name string) (text, state, error) {
	switch v := r.vars[name]; {
	case v != nil && v.gone:
		return text{}, unset, nil
	case v != nil && v.known && v.value == "":
		return text{}, empty, nil
	case v != nil && v.known:
		return text{pre: []byte(v.value)}, filled, nil
	case name == self && s == filled:
		return text{old: true}, filled, nil
	case name == self:
		return text{}, s, nil
	}
	return text{}, unset, refuse("makes a value of $%s, which is known only when it runs", name)
}

// classify finds the changes that make those values of a variable in each state.
func classify(by [states]text) []Change {
	none, blank, pre, post := string(by[unset].pre), string(by[empty].pre), string(by[filled].pre), string(by[filled].post)
	switch {
	case !by[filled].old && none == blank && blank == pre:
		return []Change{{Op: Set, Value: pre}}
	case !by[filled].old:
		return nil
	case pre == "" && post == "" && blank == "":
		return []Change{{Op: SetDefault, Value: none}}
	case pre == "" && post == "" && blank == none:
		return []Change{{Op: Fill, Value: none}}
	case post == "":
		return joined(Prefix, none, blank, pre, strings.CutPrefix)
	case pre == "":
		return joined(Suffix, none, blank, post, strings.CutSuffix)
	case none == blank && none == pre+post:
		return append(joined(Prefix, pre, pre, pre, strings.CutPrefix), joined(Suffix, post, post, post, strings.CutSuffix)...)
	}
	return nil
}

// joined is the change that adds all in front of a value, or behind it, and those texts where it is
// not set or empty.
func joined(op Op, none, blank, all string, cut func(s, affix string) (string, bool)) []Change {
	sep, ok := cut(all, none)
	switch {
	case !ok:
		return nil
	case none == all && blank == all:
		c := Change{Op: op, Value: all, Join: JoinAlways}
		if v, ok := strings.CutSuffix(all, ":"); ok && op == Prefix {
			c.Value, c.Sep = v, ":"
		}
		if v, ok := strings.CutPrefix(all, ":"); ok && op == Suffix {
			c.Value, c.Sep = v, ":"
		}
		return []Change{c}
	case blank == none:
		return []Change{{Op: op, Value: none, Sep: sep}}
	case blank == all:
		return []Change{{Op: op, Value: none, Sep: sep, Join: JoinSet}}
	}
	return nil
}
