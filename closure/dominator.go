package closure

// dominators gives for each node of a graph its immediate dominator: the last node that every way from
// node 0 to it goes through. That of node 0, and of a node that no way leads to, is itself. out are the
// nodes that edges lead to. (Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm, figure 3.)
func dominators(out [][]int) []int {
	order, place := backwards(out)
	in := make([][]int, len(out))
	for _, from := range order {
		for _, to := range out[from] {
			in[to] = append(in[to], from)
		}
	}
	const unknown = -1
	dom := make([]int, len(out))
	for n := range dom {
		dom[n] = unknown
	}
	dom[0] = 0
	for changed := true; changed; {
		changed = false
		for _, n := range order[1:] {
			nearest := unknown
			for _, from := range in[n] {
				switch {
				case dom[from] == unknown:
				case nearest == unknown:
					nearest = from
				default:
					nearest = meet(dom, place, from, nearest)
				}
			}
			if dom[n] != nearest {
				dom[n], changed = nearest, true
			}
		}
	}
	for n := range dom {
		if dom[n] == unknown {
			dom[n] = n
		}
	}
	return dom
}

// meet is the nearest node that dominates two, as far as dominators are known.
func meet(dom, place []int, a, b int) int {
	for a != b {
		for place[a] > place[b] {
			a = dom[a]
		}
		for place[b] > place[a] {
			b = dom[b]
		}
	}
	return a
}

// backwards lists the nodes that can be reached from node 0 so that each stands behind one that leads to
// it (reverse postorder), and where each stands.
func backwards(out [][]int) (order, place []int) {
	type visit struct{ node, next int }
	seen, place := make([]bool, len(out)), make([]int, len(out))
	seen[0] = true
	for stack := []visit{{}}; len(stack) > 0; {
		top := &stack[len(stack)-1]
		if top.next == len(out[top.node]) {
			order = append(order, top.node)
			stack = stack[:len(stack)-1]
			continue
		}
		to := out[top.node][top.next]
		top.next++
		if !seen[to] {
			seen[to] = true
			stack = append(stack, visit{node: to})
		}
	}
	for i, j := 0, len(order)-1; i < j; i, j = i+1, j-1 {
		order[i], order[j] = order[j], order[i]
	}
	for i, n := range order {
		place[n] = i
	}
	return order, place
}
