package wrapper

import "strings"

// once takes the lines by which makeWrapper adds one element to a list since 2022, and gives how many
// commands they are; 0 where the next ones are no such lines:
//
//	X=${X:+':'$X':'}
//	X=${X/':''/a'':'/':'}    or    if [[ $X != *':''/a'':'* ]]; then
//	X='/a'$X                           X=$X'/a'
//	                               fi
//	X=${X#':'}
//	X=${X%':'}
//	export X
func (r *reader) once() int {
	c, n := Change{Once: true}, 0
	var ok bool
	if c.Name, c.Sep, ok = r.wrapped(); !ok {
		return 0
	}
	if n = r.moved(&c); n == 0 {
		n = r.appended(&c)
	}
	if n == 0 || !r.stripped(n, c, "#") || !r.stripped(n+1, c, "%") {
		return 0
	}
	last, err := r.peek(n + 2)
	if err != nil || len(last.words) != 2 || !last.words[0].is("export") || !last.words[1].is(c.Name) {
		return 0
	}
	if r.change(c) != nil {
		return 0
	}
	r.variable(c.Name).exported = true
	return n + 3
}

// self is the i-th command as an assignment of a variable, name or any, whose value is made of it.
func (r *reader) self(i int, name string) (self string, value word, ok bool) {
	c, err := r.peek(i)
	if err != nil || len(c.words) != 1 {
		return "", nil, false
	}
	self, value, more, ok := c.words[0].assignment()
	return self, trim(value), ok && !more && (name == "" || name == self)
}

// trim is a word without the quotes that have nothing in them.
func trim(w word) word {
	out := w[:0:0]
	for _, p := range w {
		if p.name != "" || p.lit != "" {
			out = append(out, p)
		}
	}
	return out
}

// around splits a word around the one expansion in it.
func around(w word) (before string, p part, after string, ok bool) {
	at := -1
	for i := range w {
		if w[i].name != "" && at < 0 {
			at = i
		}
	}
	if at < 0 {
		return "", p, "", false
	}
	before, ok = w[:at].literal("")
	after, also := w[at+1:].literal("")
	return before, w[at], after, ok && also
}

// wrapped is the first line: a separator at both ends, unless the list is empty.
func (r *reader) wrapped() (name, sep string, ok bool) {
	name, value, ok := r.self(0, "")
	if !ok || len(value) != 1 || value[0].name != name || value[0].op != ":+" {
		return "", "", false
	}
	before, p, after, ok := around(value[0].arg)
	return name, before, ok && p.name == name && p.op == "" && before == after
}

// moved is the lines that take the element away where it first stands, and put it in front.
func (r *reader) moved(c *Change) int {
	_, cut, ok := r.self(1, c.Name)
	_, put, also := r.self(2, c.Name)
	if !ok || !also || len(cut) != 1 || cut[0].name != c.Name || cut[0].op != "/" {
		return 0
	}
	value, p, after, ok := around(put)
	pattern, plain := cut[0].arg.literal(globs)
	with, _ := cut[0].with.literal("&")
	if !ok || !plain || p.name != c.Name || p.op != "" || after != "" || with != c.Sep || pattern != c.Sep+value+c.Sep {
		return 0
	}
	c.Op, c.Value = Prefix, value
	return 3
}

// appended is the lines that put the element behind, where it is not in the list.
func (r *reader) appended(c *Change) int {
	test, err := r.peek(1)
	then, _ := r.peek(2)
	fi, err4 := r.peek(4)
	if err != nil || err4 != nil || len(test.words) != 6 || len(then.words) != 1 || len(fi.words) != 1 {
		return 0
	}
	w := test.words
	_, put, ok := r.self(3, c.Name)
	subject := trim(w[2])
	if !ok || !w[0].is("if") || !w[1].is("[[") || len(subject) != 1 || subject[0].name != c.Name || subject[0].op != "" ||
		!w[3].is("!=") || !w[5].is("]]") || !then.words[0].is("then") || !fi.words[0].is("fi") {
		return 0
	}
	before, p, value, ok := around(put)
	pattern, plain := inStars(w[4])
	if !ok || !plain || before != "" || p.name != c.Name || p.op != "" || pattern != c.Sep+value+c.Sep {
		return 0
	}
	c.Op, c.Value = Suffix, value
	return 5
}

// inStars is the literal between the stars of a pattern *...*.
func inStars(w word) (string, bool) {
	if len(w) == 0 || w[0].quoted || w[len(w)-1].quoted {
		return "", false
	}
	w = append(word{}, w...)
	first, last := &w[0], &w[len(w)-1]
	var ok, also bool
	first.lit, ok = strings.CutPrefix(first.lit, "*")
	last.lit, also = strings.CutSuffix(last.lit, "*")
	text, plain := w.literal(globs)
	return text, ok && also && plain
}

// stripped is the i-th line: one separator goes from an end.
func (r *reader) stripped(i int, c Change, op string) bool {
	_, value, ok := r.self(i, c.Name)
	if !ok || len(value) != 1 || value[0].name != c.Name || value[0].op != op {
		return false
	}
	sep, plain := value[0].arg.literal(globs)
	return plain && sep == c.Sep
}
