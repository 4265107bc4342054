package closure

import "strings"

// expand replaces the dynamic string tokens $ORIGIN, $LIB and $PLATFORM, bare or in braces
// (ld.so(8), "Dynamic string tokens"; glibc elf/dl-load.c: _dl_dst_substitute). A bare token ends
// where a name of [A-Za-z0-9_] ends; any other $ is text. Where a token has no value it says which.
func (p *process) expand(s string, by *Loaded) (text, unknown string) {
	if !strings.Contains(s, "$") {
		return s, ""
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, "$")
		out.WriteString(before)
		if !found {
			return out.String(), ""
		}
		name, rest := token(after)
		value, known := p.tokenValue(name, by)
		switch {
		case !known:
			out.WriteByte('$')
			s = after
		case value == "":
			return "", "$" + name
		default:
			out.WriteString(value)
			s = rest
		}
	}
}

// token splits what follows a '$' into the name of a token and the rest.
func token(s string) (name, rest string) {
	if braced, ok := strings.CutPrefix(s, "{"); ok {
		if name, rest, ok = strings.Cut(braced, "}"); ok {
			return name, rest
		}
		return "", s
	}
	i := 0
	for i < len(s) && isNameByte(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

func isNameByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// tokenValue is what a token stands for; known is false when it is not a token at all.
func (p *process) tokenValue(name string, by *Loaded) (value string, known bool) {
	switch name {
	case "ORIGIN":
		return origin(by.Path), true
	case "LIB":
		return p.m.Loader.Lib, true
	case "PLATFORM":
		return p.m.Loader.Platform, true
	}
	return "", false
}

// origin is the directory part of a path as text: no link is followed and nothing is cleaned.
func origin(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i == 0 {
		return "/"
	}
	return path[:max(i, 0)]
}

// cutAny cuts at the first of some separators.
func cutAny(s, separators string) (before, after string, found bool) {
	if i := strings.IndexAny(s, separators); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// pathList splits a DT_RPATH or DT_RUNPATH, or at other separators LD_LIBRARY_PATH, into places (glibc elf/dl-load.c: fillin_rpath): an
// empty element is the current directory, trailing slashes are cut, duplicates are dropped, and so
// is an element whose token has no value.
func (p *process) pathList(s string, by *Loaded, separators string) []place {
	if s == "" {
		return nil // glibc decompose_rpath: an empty list has no directories
	}
	var places []place
	seen := map[string]bool{}
	for rest, more := s, true; more; {
		var element string
		element, rest, more = cutAny(rest, separators)
		dir, unknown := p.expand(element, by)
		switch {
		case unknown != "":
			places = append(places, place{text: element, never: unknown + " is decided by the machine that runs it"})
			continue
		case element == "":
			places = append(places, place{text: ".", never: "the current directory"})
			continue
		case dir == "":
			continue
		case dir[0] != '/':
			places = append(places, place{text: element, never: "relative to the current directory"})
			continue
		}
		dir = strings.TrimRight(dir, "/") + "/"
		if !seen[dir] {
			seen[dir] = true
			places = append(places, place{text: dir, dir: p.directory(dir)})
		}
	}
	return places
}
