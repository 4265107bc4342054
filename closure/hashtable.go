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
// of one bucket side by side, in the order of the scope and, of one object, in that of its own table. A
// symbol that is alone with its hash and that only its own object refers to is left out.
type hashTable struct {
	wanted hashSet
	shift  int
	all    []candidate
	end    []int32 // by bucket, where it ends in all; it begins where the one before ends
}

// newHashTable counts the symbols of each bucket, then puts them in; several runs of objects side by
// side, each with its own place in every bucket.
func newHashTable(scope []*bound) hashTable {
	wanted := wantedHashes(scope)
	t := hashTable{wanted: wanted, shift: wanted.shift + hashSetRoom}
	next := make([][]int32, runs()) // by run and bucket: how many, then where the next one goes
	for r := range next {
		next[r] = make([]int32, 1<<(32-t.shift))
	}
	eachRun(scope, func(r, i int) {
		for hash := range scope[i].symbols.Hashes() {
			if wanted.has(hash) {
				next[r][t.home(hash)]++
			}
		}
	})
	total := int32(0)
	for bucket := range 1 << (32 - t.shift) {
		for r := range next {
			next[r][bucket], total = total, total+next[r][bucket]
		}
	}
	t.all = make([]candidate, total)
	eachRun(scope, func(r, i int) {
		for hash, symbol := range scope[i].symbols.Hashes() {
			if wanted.has(hash) {
				at := &next[r][t.home(hash)]
				t.all[*at] = candidate{scope[i].symbols.Hashed(hash, symbol), int32(i)}
				*at++
			}
		}
	})
	t.end = next[len(next)-1]
	return t
}

// runs is how many runs of objects there are side by side.
func runs() int { return min(runtime.GOMAXPROCS(0), 8) }

// eachRun calls do for every object of the scope, those of one run in order.
func eachRun(scope []*bound, do func(run, object int)) {
	n := runs()
	parallel(n, func(r int) {
		for i := r * len(scope) / n; i < (r+1)*len(scope)/n; i++ {
			do(r, i)
		}
	})
}

// hashSet has hashes, and as if they were in it some others.
type hashSet struct {
	shift int
	bits  []uint64
}

const hashSetRoom = 3 // a set has room for so many times more hashes than the table, as a power of 2

func newHashSet(shift int) hashSet { return hashSet{shift, make([]uint64, 1<<(26-shift))} }

// wantedHashes are those of the names that are looked up in the table.
func wantedHashes(scope []*bound) hashSet {
	n := 0
	for _, o := range scope {
		n += len(o.refs())
	}
	shared := sharedHashes(scope, 32-min(max(bits.Len(uint(n)), 6)+hashSetRoom, 31))
	wanted := newHashSet(shared.shift)
	for _, o := range scope {
		refs := o.refs()
		for k := range refs {
			if ref := &refs[k]; shared.has(ref.Hash) || !o.symbols.Finds(ref) {
				wanted.add(ref.Hash)
			}
		}
	}
	for _, r := range runtimes { // see [Bindings.definers]
		wanted.add(elfpatch.NameHash(r.symbol))
	}
	return wanted
}

// sharedHashes are those that more than one symbol has.
func sharedHashes(scope []*bound, shift int) hashSet {
	once, shared := make([]hashSet, runs()), make([]hashSet, runs())
	for r := range once {
		once[r], shared[r] = newHashSet(shift), newHashSet(shift)
	}
	eachRun(scope, func(r, i int) {
		for hash := range scope[i].symbols.Hashes() {
			if once[r].has(hash) {
				shared[r].add(hash)
			}
			once[r].add(hash)
		}
	})
	for r := 1; r < len(once); r++ {
		for i := range once[0].bits {
			shared[0].bits[i] |= shared[r].bits[i] | once[0].bits[i]&once[r].bits[i]
			once[0].bits[i] |= once[r].bits[i]
		}
	}
	return shared[0]
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
