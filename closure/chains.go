package closure

import (
	"math"
	"slices"
)

// edge leads from one node of a graph to another.
type edge[N comparable] interface{ ends() (from, to N) }

// chainFinder finds the chains of edges from one node to another. No node stands in a chain twice.
type chainFinder[N comparable, E edge[N]] struct {
	from, to N
	out      map[N][]E // edges by where they begin, of nodes from which to can be reached
	far      map[N]int // how many edges it is to the end, at least
}

func newChainFinder[N comparable, E edge[N]](edges []E, from, to N) *chainFinder[N, E] {
	in, out := map[N][]N{}, map[N][]E{}
	for _, e := range edges {
		if a, b := e.ends(); a != b {
			in[b] = append(in[b], a)
		}
	}
	far := map[N]int{to: 0}
	for queue := []N{to}; len(queue) > 0; queue = queue[1:] {
		for _, n := range in[queue[0]] {
			if _, ok := far[n]; !ok {
				far[n] = far[queue[0]] + 1
				queue = append(queue, n)
			}
		}
	}
	for _, e := range edges {
		a, b := e.ends()
		if _, ok := far[b]; ok && a != to && a != b && b != from {
			out[a] = append(out[a], e)
		}
	}
	return &chainFinder[N, E]{from, to, out, far}
}

// maxSteps bounds the chains that are begun: circles can make most of them end nowhere.
const maxSteps = 1 << 18

// chains lists the chains by their lengths, up to limit of them, and counts the others; least says that
// there may be more. Each that is begun is sorted by the length that it has at least in the end, so the
// first that end are the shortest.
func (c *chainFinder[N, E]) chains(limit int) (list [][]E, more uint64, least bool) {
	far, ok := c.far[c.from]
	if !ok {
		return nil, 0, false
	}
	byLength := make([][]*link[N, E], far+1)
	byLength[far] = []*link[N, E]{{at: c.from}}
	steps := 0
	for length := 0; length < len(byLength); length++ {
		for len(byLength[length]) > 0 { // the last first, so that one ends before others are begun
			last := len(byLength[length]) - 1
			l := byLength[length][last]
			byLength[length] = byLength[length][:last]
			if l.at == c.to {
				if list = append(list, l.chain()); len(list) == limit {
					more, least = c.more(limit)
					return list, more, least
				}
				continue
			}
			for _, e := range slices.Backward(c.out[l.at]) {
				_, to := e.ends()
				if steps++; steps > maxSteps || l.has(to) {
					continue
				}
				total := l.length + 1 + c.far[to]
				for len(byLength) <= total {
					byLength = append(byLength, nil)
				}
				byLength[total] = append(byLength[total], &link[N, E]{l, e, to, l.length + 1})
			}
		}
	}
	return list, 0, steps > maxSteps
}

// link is the end of a chain that was begun.
type link[N comparable, E edge[N]] struct {
	before *link[N, E]
	edge   E // not of the first
	at     N
	length int
}

func (l *link[N, E]) has(n N) bool {
	for ; l != nil; l = l.before {
		if l.at == n {
			return true
		}
	}
	return false
}

func (l *link[N, E]) chain() []E {
	chain := make([]E, l.length)
	for ; l.before != nil; l = l.before {
		chain[l.length-1] = l.edge
	}
	return chain
}

// more counts all chains, less those listed. Edges that close a circle are left out of the count, which
// is then a lower bound.
func (c *chainFinder[N, E]) more(listed int) (more uint64, least bool) {
	counts := map[N]uint64{c.to: 1}
	open := map[N]bool{}
	var count func(n N) uint64
	count = func(n N) uint64 {
		if all, ok := counts[n]; ok {
			return all
		}
		open[n] = true
		var sum uint64
		for _, e := range c.out[n] {
			_, to := e.ends()
			if open[to] {
				least = true
				continue
			}
			one := count(to)
			if sum += one; sum < one {
				sum, least = math.MaxUint64, true
			}
		}
		open[n] = false
		counts[n] = sum
		return sum
	}
	all := count(c.from)
	return all - min(all, uint64(listed)), least
}
