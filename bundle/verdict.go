package bundle

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// verdict is whether the programs of a bundle can use the target's own C library. It is one for all of
// them: beside a program that brings its own, another would find that too.
type verdict struct {
	port   *Port    // of the target; nil where none is named
	newest string   // the newest version that is asked for
	unmet  []Demand // what the target does not provide
	fits   []string // known targets that would do: the oldest, and the oldest of the same distribution
}

// newVerdict compares what the programs of a bundle ask of a C library with what the target has, and
// finds the known targets that have all of it; where neither a target is named nor its C library asked
// for, nothing.
func newVerdict(starts []*start, opts Options) (*verdict, error) {
	v := &verdict{}
	if opts.Target == nil && !asksForSystem(opts.Interp) {
		return v, nil
	}
	first := starts[0]
	for _, s := range starts {
		if !first.dynamic() {
			first = s
		}
	}
	var err error
	if opts.Target != nil {
		if v.port, err = opts.Target.On(first.program().Info, first.linkMap.Loader.Kind); err != nil {
			return nil, err
		}
	}
	all, lacks, err := v.compare(starts)
	if err != nil || len(all) == 0 {
		return v, err
	}
	v.newest = newest(all)
	if v.port != nil {
		v.unmet = append(v.port.unmet(all), lacks...)
	}
	v.fits = fitting(first, all, v.port)
	return v, nil
}

// compare collects what the programs ask of a C library, and which symbols of it the target lacks.
func (v *verdict) compare(starts []*start) (all, lacks []Demand, err error) {
	for _, s := range starts {
		if !s.dynamic() {
			continue
		}
		demands, err := s.demands()
		if err != nil {
			return nil, nil, err
		}
		all = append(all, demands...)
		if v.port == nil {
			continue
		}
		missing, err := v.port.lacks(s)
		if err != nil {
			return nil, nil, err
		}
		lacks = append(lacks, missing...)
	}
	return all, lacks, nil
}

// asksForSystem reports whether an option may mean the target's own C library.
func asksForSystem(interp string) bool {
	return interp == string(StrategySystem) || path.IsAbs(interp)
}

// fitting are the names of known targets for the machine of a program that meet all demands: the oldest,
// and the oldest of the distribution of like, which may be nil.
func fitting(s *start, all []Demand, like *Port) []string {
	var fits []string
	for _, t := range Targets() {
		p, err := t.On(s.program().Info, s.linkMap.Loader.Kind)
		if err != nil || len(p.unmet(all)) > 0 {
			continue
		}
		same := like != nil && distribution(t.Name) == distribution(like.Target)
		if len(fits) == 0 || same {
			fits = append(fits, fmt.Sprintf("%s (%s)", t.Name, p.LibcText()))
		}
		if like == nil || same {
			break
		}
	}
	return fits
}

// distribution is "raspios" of raspios-bookworm.
func distribution(target string) string {
	name, _, _ := strings.Cut(target, "-")
	return name
}

// met is why the target's own C library will do.
func (v *verdict) met() string {
	switch {
	case v.newest == "":
		return fmt.Sprintf("%s has all that is asked of its C library, %s", v.port, v.port.LibcText())
	case isNumber(v.newest):
		return fmt.Sprintf("%s has %s, and %s is asked for", v.port, v.port.LibcText(), v.newest)
	}
	return fmt.Sprintf("%s has %s, and the newest version asked for is %s", v.port, v.port.LibcText(), v.newest)
}

// why is why a program brings its own C library, where nobody has asked for that.
func (v *verdict) why() string {
	if v.port == nil {
		return "so the target's may be older"
	}
	return "since " + v.blocked()
}

// blocked is why it will not: what wants the newest version, what the target has, and what would do.
func (v *verdict) blocked() string {
	text := v.unmet[0].String()
	if more := len(v.unmet) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	text += fmt.Sprintf(", and %s has %s", v.port, v.port.LibcText())
	if len(v.fits) > 0 {
		text += "; " + joinAnd(v.fits) + " would do"
	}
	return text
}

// TargetError refuses to use the C library of a target that does not have what the programs need of it.
type TargetError struct {
	Port  *Port
	Unmet []Demand // what wants the newest version first
	Fits  []string // known targets that would do
}

func (e *TargetError) Error() string {
	lines := []string{fmt.Sprintf("%s cannot run it with its own C library, %s", e.Port, e.Port.LibcText())}
	for i := range e.Unmet {
		lines = append(lines, e.Unmet[i].String())
	}
	return strings.Join(slices.Compact(lines), "\n  ")
}

// Hint says what to do.
func (e *TargetError) Hint() string {
	hint := "leave --interp out: the bundle then brings its own C library"
	if len(e.Fits) > 0 {
		hint += "; " + joinAnd(e.Fits) + " would do"
	}
	return hint
}

// usesSystem reports whether programs use the target's own C library.
func usesSystem(starts []*start) bool {
	return slices.ContainsFunc(starts, func(s *start) bool { return s.strategy == StrategySystem })
}

// warnings are what is worth knowing of programs that use the target's own C library.
func (v *verdict) warnings(starts []*start, c *closure.Closure) []string {
	switch {
	case !usesSystem(starts):
		return nil
	case v.port == nil:
		return []string{v.unnamed()}
	}
	return v.olderLibstdcxx(c)
}

// unnamed warns of a bundle that uses the C library of a target that nobody has named.
func (v *verdict) unnamed() string {
	const need = "no target is named: the bundle starts where the target's own C library has all that is asked of it"
	if len(v.fits) == 0 {
		return need + ", and no known target has"
	}
	return need + ", from " + v.fits[0] + " on"
}

// olderLibstdcxx warns of a libstdc++ in the bundle that is older than the target's: a library of the
// target that a process opens, such as a driver of its GPU, then gets the bundle's.
func (v *verdict) olderLibstdcxx(c *closure.Closure) (warnings []string) {
	const soname, family = "libstdc++.so.6", "GLIBCXX_"
	theirs := v.port.Newest(soname, family)
	for _, o := range c.Objects {
		ours := (&Port{libraries: map[string][]string{soname: definedVersions(o.Info)}}).Newest(soname, family)
		if o.Info.Soname == soname && olderRelease(strings.TrimPrefix(ours, family), strings.TrimPrefix(theirs, family)) {
			warnings = append(warnings, fmt.Sprintf("%s: it is older than that of %s (%s, not %s), and a library of the target that the process opens, such as a GPU driver, gets it",
				o.Path, v.port, ours, theirs))
		}
	}
	return warnings
}
