package closure

import (
	"debug/elf"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// STB_GNU_UNIQUE: the first definition of a name that anything binds to serves every later lookup
// that reaches a unique one, whatever its version and scope. So it matters who is relocated first.

// bindUnique mends what was bound to unique definitions (glibc elf/dl-lookup.c: do_lookup_unique).
func (b *binder) bindUnique(m *LinkMap) {
	at := map[*Loaded]int{}
	for i, o := range b.scope {
		at[o.loaded] = i
	}
	kept := map[string]target{} // by name
	for _, l := range m.relocationOrder() {
		i, ok := at[l]
		if !ok {
			continue
		}
		for k := range b.scope[i].to {
			to := &b.scope[i].to[k]
			if !to.unique {
				continue
			}
			ref := b.scope[i].symbols.References()[k]
			first, entered := kept[ref.Name]
			switch copied := ref.Class == elfpatch.ClassCopy; {
			case entered && !copied:
				*to = first
			case !entered && copied:
				kept[ref.Name] = target{object: 0, symbol: ref.Symbol, unique: true}
			case !entered:
				kept[ref.Name] = *to
			}
			b.protect(int32(i), ref, to)
		}
	}
}

// protect binds a protected reference to its own object, where the unique definition is another's.
func (b *binder) protect(self int32, ref elfpatch.Reference, to *target) {
	if self != to.object && b.scope[self].symbols.Entry(int(ref.Symbol)).Visibility == elf.STV_PROTECTED {
		*to = target{object: self, symbol: ref.Symbol}
	}
}

// relocationOrder is the order in which objects are relocated: dependencies first, depth first from
// the last that was loaded, the program last (glibc 2.35 and later, elf/dl-sort-maps.c:
// _dl_sort_maps_dfs; elf/rtld.c: dl_main).
func (m *LinkMap) relocationOrder() []*Loaded {
	needs := map[*Loaded][]*Loaded{}
	for _, n := range m.Needs {
		if n.To != nil {
			needs[n.From] = append(needs[n.From], n.To)
		}
	}
	program := m.Program()
	visited := map[*Loaded]bool{program: true}
	var order []*Loaded
	var visit func(*Loaded)
	visit = func(l *Loaded) {
		if visited[l] {
			return
		}
		visited[l] = true
		for _, to := range needs[l] {
			visit(to)
		}
		order = append(order, l)
	}
	for i := len(m.Loaded) - 1; i > 0; i-- {
		visit(m.Loaded[i])
	}
	return append(order, program)
}
