package closure

import (
	"debug/elf"
	"errors"
	"maps"
	"slices"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// STB_GNU_UNIQUE: the first definition of a name that anything in the process binds to serves every later lookup
// that reaches a unique one, whatever its version and scope, at start and of what is opened. So it matters who is
// relocated first.

// unique is a definition that serves all.
type unique struct {
	by     *bound
	symbol uint32
	stage  int // when it was entered
}

// uniques is the table of a process (glibc: _ns_unique_sym_table), whose stages are the start and then each
// open. A guess enters nothing that another stage would see.
type uniques struct {
	byName map[string]unique
	stage  int // the next to be entered
}

// stageOf is the stage of an open.
func (m *LinkMap) stageOf(o *Open) int {
	for i := range m.Opened {
		if m.Opened[i] == o {
			return i + 1
		}
	}
	return len(m.Opened) + 1
}

// enterUniques enters what stages before one bind to. What cannot be bound enters nothing.
func (m *LinkMap) enterUniques(before int, files tables) error {
	for m.uniques.stage < before {
		stage := m.uniques.stage
		var err error
		switch {
		case stage == 0:
			_, err = bindAll(m, files)
		case m.Opened[stage-1].Err == nil && !m.Opened[stage-1].Maybe:
			_, err = bindOpened(m, m.Opened[stage-1], files)
		}
		if _, damaged := errors.AsType[*BindError](err); err != nil && !damaged {
			return err
		}
		m.uniques.stage = stage + 1
	}
	return nil
}

// bindUnique mends what was bound to unique definitions (glibc elf/dl-lookup.c: do_lookup_unique) at a stage, at which
// the objects of a list are relocated.
func (b *Bindings) bindUnique(stage int, list []*Loaded, files tables) error {
	table := &b.Map.uniques
	if !slices.ContainsFunc(b.objects, (*bound).reachesUnique) {
		if table.stage == stage {
			table.stage++
		}
		return nil
	}
	if err := b.Map.enterUniques(stage, files); err != nil {
		return err
	}
	at := map[*Loaded]int32{}
	for i, o := range b.objects {
		at[o.loaded] = int32(i)
	}
	entered := map[string]unique{}
	for _, l := range b.Map.dependenciesFirst(list) {
		i, ok := at[l]
		if !ok {
			continue
		}
		for k := range b.objects[i].to {
			to := &b.objects[i].to[k]
			if !to.unique {
				continue
			}
			ref := b.objects[i].symbols.References()[k]
			first, found := table.byName[ref.Name]
			if !found || first.stage >= stage {
				first, found = entered[ref.Name]
			}
			switch copied := ref.Class == elfpatch.ClassCopy; {
			case found && !copied:
				*to = b.uniqueTarget(first, *to, at)
			case !found && copied:
				entered[ref.Name] = unique{b.objects[0], ref.Symbol, stage}
			case !found:
				entered[ref.Name] = unique{b.objects[to.object], to.symbol, stage}
			}
			b.binder.protect(i, ref, to)
		}
	}
	if table.stage == stage {
		table.enter(entered, stage == 0 || stage <= len(b.Map.Opened) && !b.Map.Opened[stage-1].Maybe)
	}
	return nil
}

// enter ends a stage.
func (u *uniques) enter(entered map[string]unique, certain bool) {
	u.stage++
	if u.byName == nil {
		u.byName = map[string]unique{}
	}
	if certain {
		maps.Copy(u.byName, entered)
	}
}

func (o *bound) reachesUnique() bool {
	return slices.ContainsFunc(o.to, func(t target) bool { return t.unique })
}

// uniqueTarget is where a reference leads that has reached another unique definition: one of an object that was opened
// before may be in no scope of it.
func (b *Bindings) uniqueTarget(u unique, reached target, at map[*Loaded]int32) target {
	i, ok := at[u.by.loaded]
	if !ok {
		i = int32(len(b.objects))
		at[u.by.loaded] = i
		b.objects = append(b.objects, &bound{loaded: u.by.loaded, symbols: u.by.symbols})
		b.binder.scope = b.objects
	}
	return target{object: i, symbol: u.symbol, unique: true, alone: reached.alone && i == reached.object}
}

// protect binds a protected reference to its own object, where the unique definition is another's.
func (b *binder) protect(self int32, ref elfpatch.Reference, to *target) {
	if self != to.object && b.scope[self].symbols.Entry(int(ref.Symbol)).Visibility == elf.STV_PROTECTED {
		*to = target{object: self, symbol: ref.Symbol}
	}
}

// relocationOrder is the order in which the objects of the start are relocated, the program last.
func (m *LinkMap) relocationOrder() []*Loaded { return m.dependenciesFirst(m.Loaded) }

// dependenciesFirst is the order in which the objects of a list are relocated (elf/rtld.c: dl_main, elf/dl-open.c:
// dl_open_worker).
func (m *LinkMap) dependenciesFirst(list []*Loaded) []*Loaded {
	if len(list) == 0 {
		return nil
	}
	needs := map[*Loaded][]*Loaded{}
	for _, n := range m.Needs {
		if n.To != nil {
			needs[n.From] = append(needs[n.From], n.To)
		}
	}
	if m.Loader.does(depthFirst) {
		return depthFirstOrder(list, needs)
	}
	list = slices.Clone(list)
	if list[0] == m.Program() {
		sortMaps(list[1:], needs)
	} else {
		list = slices.DeleteFunc(list, func(l *Loaded) bool { return l.Opened == nil }) // relocated before
		sortMaps(list, needs)
	}
	slices.Reverse(list)
	return list
}

// depthFirstOrder has dependencies first, depth first from the last of the list, its first one last (glibc 2.35 and
// later, elf/dl-sort-maps.c: _dl_sort_maps_dfs).
func depthFirstOrder(list []*Loaded, needs map[*Loaded][]*Loaded) []*Loaded {
	visited := map[*Loaded]bool{list[0]: true}
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
	for i := len(list) - 1; i > 0; i-- {
		visit(list[i])
	}
	return append(order, list[0])
}

// sortMaps moves each object behind the last one that needs it (glibc elf/dl-sort-maps.c:
// _dl_sort_maps_original). Of objects that need one another some round, seen ends it.
func sortMaps(maps []*Loaded, needs map[*Loaded][]*Loaded) {
	seen := make([]int, len(maps))
	for i := 0; i < len(maps); {
		seen[i]++
		l := maps[i]
		k := len(maps) - 1
		for k > i && (maps[k] == l || !slices.Contains(needs[maps[k]], l)) {
			k--
		}
		if k > i {
			copy(maps[i:], maps[i+1:k+1])
			maps[k] = l
			if seen[i+1] <= len(maps)-i {
				times := seen[i]
				copy(seen[i:], seen[i+1:k+1])
				seen[k] = times
				continue
			}
		}
		i++
		clear(seen[i:])
	}
}
