package wrapper

import "strings"

// apply makes the change of a variable that has that value, or is not set.
func (c Change) apply(value string, set bool) (string, bool) {
	switch {
	case c.Op == Unset:
		return "", false
	case c.IfSet && !set:
		return "", false
	case c.Op == Set, c.Op == SetDefault && !set, c.Op == Fill && value == "":
		return c.Value, true
	case c.Op == SetDefault, c.Op == Fill:
		return value, true
	case c.Once && c.Join == JoinSet:
		return c.applyFound(value, set), true
	case c.Once:
		return c.applyMoved(value), true
	case c.Join == JoinSet && !set, c.Join == JoinText && value == "":
		return c.Value, true
	}
	return c.add(value), true
}

func (c Change) add(value string) string {
	if c.Op == Suffix {
		return value + c.Sep + c.Value
	}
	return c.Value + c.Sep + value
}

// applyMoved is what the shell text of makeWrapper does.
func (c Change) applyMoved(value string) string {
	element := c.Sep + c.Value + c.Sep
	if value != "" {
		value = c.Sep + value + c.Sep
	}
	switch found := strings.Contains(value, element); {
	case c.Op == Prefix && element != "":
		value = c.Value + strings.Replace(value, element, c.Sep, 1)
	case c.Op == Prefix:
		value = c.Value + value
	case !found:
		value += c.Value
	}
	return strings.TrimSuffix(strings.TrimPrefix(value, c.Sep), c.Sep)
}

// applyFound is what makeBinaryWrapper does.
func (c Change) applyFound(value string, set bool) string {
	if !set {
		return c.Value
	}
	before, after, found := strings.Cut(value, c.Value)
	head, left := strings.CutSuffix(before, c.Sep)
	tail, right := strings.CutPrefix(after, c.Sep)
	switch {
	case !found || before != "" && !left || after != "" && !right:
		return c.add(value)
	case c.Op == Prefix && before == "", c.Op == Suffix && after == "":
		return value
	case c.Op == Prefix:
		return c.Value + c.Sep + head + after
	}
	return before + tail + c.Sep + c.Value
}

// Variable is a variable of that name after changes, which had that value before, or was not set.
func Variable(changes []Change, name, value string, set bool) (string, bool) {
	for _, c := range changes {
		if c.Name == name {
			value, set = c.apply(value, set)
		}
	}
	return value, set
}
