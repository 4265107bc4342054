package closure

import (
	"debug/elf"
	"slices"
	"strings"
)

// uniqueSymbolic reports whether an object defines STB_GNU_UNIQUE symbols and binds its references to
// itself: the one instance of a process, and its own, may then be two.
func (o *bound) uniqueSymbolic() bool {
	if !o.symbols.Symbolic {
		return false
	}
	for i := 1; i < o.symbols.Len(); i++ {
		if s := o.symbols.Entry(i); s.Bind == stbUnique && s.Section != elf.SHN_UNDEF {
			return true
		}
	}
	return false
}

// unusual notes what makes an object of the process behave as few do.
func (j *judge) unusual() error {
	if j.m.Loader.Kind != LoaderGlibc {
		return nil // musl knows none of it
	}
	for _, l := range j.m.everything() {
		var says []string
		info := l.Object.Info
		if info.DynFlags1&elf.DF_1_NODEFLIB != 0 {
			says = append(says, "DF_1_NODEFLIB: the loader's own directories are not searched for what it needs")
		}
		if len(info.Filter)+len(info.Auxiliary) > 0 {
			says = append(says, "a filter: "+join(slices.Concat(info.Filter, info.Auxiliary))+" stands before it")
		}
		if l == j.m.Program() && info.Audit+info.DepAudit != "" {
			says = append(says, "DT_AUDIT or DT_DEPAUDIT: "+info.Audit+info.DepAudit+" may change every search, which nothing here computes")
		}
		if j.isUniqueSymbolic(l) {
			says = append(says, "DF_SYMBOLIC, and unique symbols: what should be one in a process can be two")
		}
		if says != nil {
			j.add(Finding{
				Kind: KindUnusual, Severity: Note, Name: base(l),
				Copies: []Copy{{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)}},
				What:   base(l) + " has " + strings.Join(says, "; "),
			})
		}
	}
	return nil
}

func (j *judge) isUniqueSymbolic(l *Loaded) bool {
	return j.bindings != nil && slices.ContainsFunc(j.bindings.objects, func(o *bound) bool {
		return o.loaded == l && o.uniqueSymbolic()
	})
}
