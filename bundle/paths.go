package bundle

import (
	"errors"
	"path"
	"strings"
)

// checkPaths looks at every path that the loader takes from a file: none may lead out of the bundle, to
// the Nix store least of all.
func (v *verifier) checkPaths() error {
	for _, e := range v.order {
		if !v.maps(e) || v.programs[e] == StrategyNone {
			continue // nobody reads those of a static program, or of data
		}
		v.checkRunPath(e, "DT_RPATH", e.info.RPath)
		v.checkRunPath(e, "DT_RUNPATH", e.info.RunPath)
		v.checkNames(e, "DT_NEEDED", e.info.Needed)
		v.checkNames(e, "DT_FILTER", e.info.Filter)
		v.checkNames(e, "DT_AUXILIARY", e.info.Auxiliary)
		v.checkNames(e, "DT_SONAME", []string{e.info.Soname})
		// A library's PT_INTERP, as libc has one to say its version, is not read when it is loaded.
		if v.programs[e] != "" && isStorePath(e.info.Interp) {
			v.broken(KindStorePath, e.Path, "PT_INTERP of %s is %s", e.Path, clip(e.info.Interp))
		}
	}
	return nil
}

// checkRunPath checks a search list, element by element.
func (v *verifier) checkRunPath(e *verified, tag, list string) {
	if list == "" {
		return
	}
	for _, element := range strings.Split(list, ":") {
		switch rest, ok := cutOrigin(element); {
		case isStorePath(element):
			v.broken(KindStorePath, e.Path, "%s of %s names %s", tag, e.Path, clip(element))
		case v.belowPrefix(element):
		case element == "":
			v.broken(KindLeaves, e.Path, "%s of %s has an empty element, which is the current directory", tag, e.Path)
		case !ok:
			v.broken(KindLeaves, e.Path, "%s of %s leads to %s, whatever is there", tag, e.Path, clip(element))
		case strings.Contains(rest, "$"):
			v.broken(KindLeaves, e.Path, "%s of %s has %s, which the machine decides", tag, e.Path, clip(element))
		case v.leaves(e, rest):
			v.broken(KindLeaves, e.Path, "%s of %s leads out of the bundle: %s", tag, e.Path, clip(element))
		}
	}
}

// checkNames checks names that an object asks for: one with a slash is a path.
func (v *verifier) checkNames(e *verified, tag string, names []string) {
	for _, name := range names {
		rest, origin := cutOrigin(name)
		switch {
		case isStorePath(name):
			v.broken(KindStorePath, e.Path, "%s of %s is %s", tag, e.Path, clip(name))
		case v.belowPrefix(name):
		case strings.Contains(name, "/") && (!origin || v.leaves(e, rest)):
			v.broken(KindLeaves, e.Path, "%s of %s is %s, which leads out of the bundle", tag, e.Path, clip(name))
		}
	}
}

// belowPrefix reports whether an absolute path leads into a bundle that has its place.
func (v *verifier) belowPrefix(p string) bool {
	rest, ok := strings.CutPrefix(p, v.manifest.Prefix+"/")
	if v.manifest.Prefix == "" || !ok || strings.Contains(p, "$") {
		return false
	}
	_, err := v.resolve(v.manifest.Name + "/" + rest)
	return !errors.Is(err, errLeaves)
}

// cutOrigin cuts $ORIGIN off the start of a path (ld.so(8), "Dynamic string tokens").
func cutOrigin(element string) (rest string, ok bool) {
	for _, token := range []string{"$ORIGIN", "${ORIGIN}"} {
		rest, ok = strings.CutPrefix(element, token)
		if ok && (rest == "" || rest[0] == '/') {
			return rest, true
		}
	}
	return "", false
}

// leaves reports whether a path, counted from an entry's folder, leads out of the bundle.
func (v *verifier) leaves(e *verified, rest string) bool {
	_, err := v.resolve(path.Dir(e.Path) + "/" + rest)
	return errors.Is(err, errLeaves)
}

// isStorePath reports whether a text names the Nix store.
func isStorePath(s string) bool { return strings.Contains(s, defaultStoreDir+"/") }
