package closure

import (
	"math/bits"
	"runtime"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// candidate is a symbol that a lookup may come across.
type candidate struct {
	elfpatch.Hashed
	object int32
}

// hashTable has the symbols of a scope whose names may be looked up, by the hashes of their names: those
// of one bucket side by side, in the order of the scope and, of one object, in that of its own table.
type hashTable struct {
	shift int
	all   []candidate
	end   []int32 // by bucket, where it ends in all; it begins where the one before ends
}

// newHashTable counts the symbols of each bucket, then puts them in; several runs of objects side by
// side, each with its own place in every bucket.
func newHashTable(scope []*bound) hashTable {
	wanted := newHashSet(scope)
	t := hashTable{shift: wanted.shift + hashSetRoom}
	runs := min(runtime.GOMAXPROCS(0), maxRuns)
	next := make([][]int32, runs) // by run and bucket: how many, then where the next one goes
	eachRun := func(do func(next []int32, object int32, hash, symbol uint32)) {
		parallel(runs, func(r int) {
			for i := r * len(scope) / runs; i < (r+1)*len(scope)/runs; i++ {
				for hash, symbol := range scope[i].symbols.Hashes() {
					if wanted.has(hash) {
						do(next[r], int32(i), hash, symbol)
					}
				}
			}
		})
	}
	for r := range next {
		next[r] = make([]int32, 1<<(32-t.shift))
	}
	eachRun(func(next []int32, _ int32, hash, _ uint32) { next[t.home(hash)]++ })
	total := int32(0)
	for bucket := range next[0] {
		for r := range next {
			next[r][bucket], total = total, total+next[r][bucket]
		}
	}
	t.all = make([]candidate, total)
	eachRun(func(next []int32, object int32, hash, symbol uint32) {
		at := &next[t.home(hash)]
		t.all[*at] = candidate{scope[object].symbols.Hashed(hash, symbol), object}
		*at++
	})
	t.end = next[runs-1]
	return t
}

const maxRuns = 8

// hashSet has the hashes of all names that are looked up, and few others.
type hashSet struct {
	shift int
	bits  []uint64
}

const hashSetRoom = 3 // the set has room for so many times more hashes than the table, as a power of 2

func newHashSet(scope []*bound) hashSet {
	n := 0
	for _, o := range scope {
		n += len(o.refs())
	}
	width := min(max(bits.Len(uint(n)), 6)+hashSetRoom, 31)
	s := hashSet{shift: 32 - width, bits: make([]uint64, 1<<(width-6))}
	for _, o := range scope {
		for _, ref := range o.refs() {
			s.add(ref.Hash)
		}
	}
	for _, r := range runtimes { // see [Bindings.definers]
		s.add(elfpatch.NameHash(r.symbol))
	}
	return s
}

func (s *hashSet) add(hash uint32) {
	i := spread(hash) >> s.shift
	s.bits[i/64] |= 1 << (i % 64)
}

func (s *hashSet) has(hash uint32) bool {
	i := spread(hash) >> s.shift
	return s.bits[i/64]&(1<<(i%64)) != 0
}

// spread sets apart what shares its low bits.
func spread(hash uint32) uint32 { return hash * 0x9e3779b1 }

// home is the bucket of a hash.
func (t *hashTable) home(hash uint32) uint32 { return spread(hash) >> t.shift }

// bucket has every symbol of a hash, among others.
func (t *hashTable) bucket(hash uint32) []candidate {
	i := t.home(hash)
	begin := int32(0)
	if i > 0 {
		begin = t.end[i-1]
	}
	return t.all[begin:t.end[i]]
}
