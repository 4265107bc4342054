package nixdb

import (
	"encoding/binary"
	"math"
)

// The kinds of pages of a b-tree (fileformat2.html, 1.6).
const (
	interiorIndex = 2
	interiorTable = 5
	leafIndex     = 10
	leafTable     = 13
)

const (
	maxDepth   = 20      // SQLite src/btreeInt.h: BTCURSOR_MAX_DEPTH
	maxPayload = 1 << 16 // bytes of one row: paths, hashes and signatures
)

// node is one page of a b-tree.
type node struct {
	*file
	number uint32
	data   []byte
	kind   byte
	cells  int // how many
	first  int // where the offsets of cells begin
}

// node reads a page of a b-tree of tables, or of one of indexes.
func (f *file) node(number uint32, index bool) (*node, error) {
	data, err := f.page(number)
	if err != nil {
		return nil, err
	}
	at := 0
	if number == 1 {
		at = headSize
	}
	n := &node{file: f, number: number, data: data[:f.usable], kind: data[at], cells: int(binary.BigEndian.Uint16(data[at+3:])), first: at + 8}
	switch {
	case index && n.kind == interiorIndex, !index && n.kind == interiorTable:
		n.first = at + 12
	case index && n.kind == leafIndex, !index && n.kind == leafTable:
	default:
		return nil, n.bad("is of kind %d", n.kind)
	}
	if n.first+2*n.cells > len(n.data) {
		return nil, n.bad("has %d cells", n.cells)
	}
	return n, nil
}

func (n *node) bad(format string, args ...any) error {
	return n.wrong((int64(n.number)-1)*int64(n.pageSize), "page %d "+format, append([]any{n.number}, args...)...)
}

func (n *node) leaf() bool { return n.kind == leafIndex || n.kind == leafTable }

// child is the page before the i-th cell, or behind all cells.
func (n *node) child(i int) (uint32, error) {
	if i == n.cells {
		return binary.BigEndian.Uint32(n.data[n.first-4:]), nil
	}
	c, err := n.cell(i)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(c), nil
}

// cell is the page from the i-th cell on, at least four bytes.
func (n *node) cell(i int) ([]byte, error) {
	at := int(binary.BigEndian.Uint16(n.data[n.first+2*i:]))
	if at < n.first || at > len(n.data)-4 {
		return nil, n.bad("has a cell at %d", at)
	}
	return n.data[at:], nil
}

// rowid is the key of a cell of a table.
func (n *node) rowid(i int) (int64, error) {
	c, err := n.cell(i)
	if err != nil {
		return 0, err
	}
	if n.kind == interiorTable {
		c = c[4:]
	} else {
		_, size := varint(c)
		c = c[size:]
	}
	id, size := varint(c)
	if size == 0 {
		return 0, n.bad("has a cell without a key")
	}
	return id, nil
}

// values are those of the row in a cell, but not of an inner one of a table, which has none.
func (n *node) values(i int) (values, error) {
	if err := n.visit(1); err != nil {
		return nil, err
	}
	c, err := n.cell(i)
	if err != nil {
		return nil, err
	}
	if n.kind == interiorIndex {
		c = c[4:]
	}
	length, size := varint(c)
	c = c[size:]
	if n.kind == leafTable {
		_, size := varint(c)
		c = c[size:]
	}
	payload, err := n.payload(c, length)
	if err != nil {
		return nil, err
	}
	v, ok := parseValues(payload)
	if !ok {
		return nil, n.bad("has a row that cannot be read")
	}
	return v, nil
}

// payload is a row: it begins in its cell and goes on, where it is long, in a chain of pages
// (fileformat2.html, 1.6: X, M and K).
func (n *node) payload(c []byte, length int64) ([]byte, error) {
	if length < 0 || length > maxPayload {
		return nil, n.bad("has a row of %d bytes", length)
	}
	most := (n.usable-12)*64/255 - 23
	if n.kind == leafTable {
		most = n.usable - 35
	}
	local := int(length)
	if local > most {
		least := (n.usable-12)*32/255 - 23
		if local = least + (int(length)-least)%(n.usable-4); local > most {
			local = least
		}
	}
	spilled := local < int(length)
	if local > len(c) || spilled && local > len(c)-4 {
		return nil, n.bad("ends within a row")
	}
	if !spilled {
		return c[:local], nil
	}
	if err := n.visit(int(length) / minPage); err != nil {
		return nil, err
	}
	row := append(make([]byte, 0, length), c[:local]...)
	for next := binary.BigEndian.Uint32(c[local:]); len(row) < int(length); {
		p, err := n.page(next)
		if err != nil {
			return nil, err
		}
		next = binary.BigEndian.Uint32(p)
		row = append(row, p[4:min(n.usable, 4+int(length)-len(row))]...)
	}
	return row, nil
}

// lower is the first of the cells that is not before what is sought.
func (n *node) lower(before func(i int) (bool, error)) (int, error) {
	low, high := 0, n.cells
	for low < high {
		middle := (low + high) / 2
		yes, err := before(middle)
		if err != nil {
			return 0, err
		}
		if yes {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// lookup is the row of a table with that key.
func (f *file) lookup(root uint32, id int64) (values, error) {
	for range maxDepth {
		n, err := f.node(root, false)
		if err != nil {
			return nil, err
		}
		var at int64
		i, err := n.lower(func(i int) (yes bool, err error) {
			at, err = n.rowid(i)
			return at < id, err
		})
		switch {
		case err != nil:
			return nil, err
		case !n.leaf():
			if root, err = n.child(i); err != nil {
				return nil, err
			}
			continue
		case i < n.cells:
			if at, err = n.rowid(i); err != nil {
				return nil, err
			}
			if at == id {
				return n.values(i)
			}
		}
		return nil, n.bad("has no row %d", id)
	}
	return nil, f.wrong(0, "a tree of more than %d levels", maxDepth)
}

// rows calls do with each row of a table, in order.
func (f *file) rows(root uint32, do func(values) error) error {
	return f.rowsBelow(root, 0, do)
}

func (f *file) rowsBelow(number uint32, depth int, do func(values) error) error {
	n, err := f.node(number, false)
	if err == nil && depth > maxDepth {
		err = f.wrong(0, "a tree of more than %d levels", maxDepth)
	}
	if err != nil {
		return err
	}
	for i := range n.cells + 1 {
		switch {
		case !n.leaf():
			var child uint32
			if child, err = n.child(i); err == nil {
				err = f.rowsBelow(child, depth+1, do)
			}
		case i < n.cells:
			var v values
			if v, err = n.values(i); err == nil {
				err = do(v)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// matches calls do with each row of an index, in order, for which order is 0. It is negative for rows
// before these and positive for those behind.
func (f *file) matches(root uint32, order func(values) int, do func(values) error) error {
	_, err := f.matchesBelow(root, 0, order, do)
	return err
}

// matchesBelow does that below one page; past says that a row behind was seen.
func (f *file) matchesBelow(number uint32, depth int, order func(values) int, do func(values) error) (past bool, err error) {
	n, err := f.node(number, true)
	if err == nil && depth > maxDepth {
		err = f.wrong(0, "a tree of more than %d levels", maxDepth)
	}
	if err != nil {
		return false, err
	}
	i, err := n.lower(func(i int) (bool, error) {
		v, err := n.values(i)
		return err == nil && order(v) < 0, err
	})
	for ; err == nil && i <= n.cells; i++ {
		if !n.leaf() {
			child, err := n.child(i)
			if err == nil {
				past, err = f.matchesBelow(child, depth+1, order, do)
			}
			if err != nil || past {
				return past, err
			}
		}
		if i == n.cells {
			return false, nil
		}
		v, err := n.values(i)
		if err != nil || order(v) != 0 {
			return true, err
		}
		if err := do(v); err != nil {
			return false, err
		}
	}
	return false, err
}

// varint reads a number of one to nine bytes (fileformat2.html, 1.6); size is 0 where p ends within it.
func varint(p []byte) (v int64, size int) {
	var u uint64
	for i, b := range p {
		if i == 8 {
			return int64(u<<8 | uint64(b)), 9
		}
		u = u<<7 | uint64(b&0x7f)
		if b < 0x80 {
			return int64(u), i + 1
		}
	}
	return math.MinInt64, 0
}
