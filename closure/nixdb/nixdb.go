package nixdb

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// Record is what Nix knows of one store path.
type Record struct {
	Path       string   // "/nix/store/DIGEST-NAME"
	References []string // the store paths that stand in its files, sorted; itself may be among them
	NarSize    int64    // bytes as a Nix archive; 0 where it is not known
	Deriver    string   // the derivation that made it; "" where it is not known
}

// File is where Nix keeps its database, as io/fs names it inside a root.
const File = "nix/var/nix/db/db.sqlite"

const (
	maxPaths = 1 << 17 // of one closure: that of a whole system has some ten thousand
	maxNar   = 1 << 40 // bytes of one store path
	tries    = 8       // how often a database is read that changes meanwhile, and how long to wait then
	pause    = 10 * time.Millisecond
)

// errChanged: what was read may be of two states.
var errChanged = errors.New("it is being written, or a transaction in it was not finished")

// Read gives the records of paths and of all that these refer to, sorted by path, as the database at name
// inside root has them in its last committed state. A path that Nix does not know is left out. Files of
// the root must also be io.ReaderAt. The error is fs.ErrNotExist where there is no database, and a
// [*FormatError] where it is none of Nix's.
func Read(root fs.FS, name string, paths []string) ([]Record, error) {
	for range tries {
		records, err := readOnce(root, name, paths)
		if !errors.Is(err, errChanged) {
			return records, err
		}
		time.Sleep(pause)
	}
	return nil, fmt.Errorf("%s: %w", name, errChanged)
}

// readOnce reads the database, unless it changes meanwhile.
func readOnce(root fs.FS, name string, paths []string) ([]Record, error) {
	f, err := open(root, name)
	if err != nil {
		return nil, err
	}
	defer f.close()
	records, err := f.closure(paths)
	if changed := f.changed(); changed != nil {
		return nil, changed
	}
	return records, err
}

// closure reads the records of paths and of what these refer to, by the indexes that SQLite keeps for the
// schema of Nix (src/libstore/schema.sql).
func (f *file) closure(paths []string) ([]Record, error) {
	roots, err := f.roots()
	if err != nil {
		return nil, err
	}
	s := store{f, roots}
	names := map[int64]string{} // by id
	var queue []int64
	for _, p := range paths {
		id, err := s.id(p)
		if err != nil {
			return nil, err
		}
		if _, seen := names[id]; id != 0 && !seen {
			names[id] = p
			queue = append(queue, id)
		}
	}
	found := map[int64]*row{}
	for ; len(queue) > 0; queue = queue[1:] {
		r, err := s.row(queue[0])
		if err != nil {
			return nil, err
		}
		found[queue[0]] = r
		for _, id := range r.refs {
			if _, seen := names[id]; !seen {
				names[id] = ""
				queue = append(queue, id)
			}
		}
		if len(names) > maxPaths {
			return nil, f.wrong(0, "more than %d store paths in one closure", maxPaths)
		}
	}
	return linked(found), nil
}

// linked makes records of rows.
func linked(rows map[int64]*row) []Record {
	records := make([]Record, 0, len(rows))
	for _, r := range rows {
		for _, id := range r.refs {
			r.References = append(r.References, rows[id].Path)
		}
		slices.Sort(r.References)
		records = append(records, r.Record)
	}
	return sorted(records)
}

func sorted(records []Record) []Record {
	slices.SortFunc(records, func(a, b Record) int { return cmp.Compare(a.Path, b.Path) })
	return records
}

// store is the two tables of Nix that are read here.
type store struct {
	*file
	roots map[string]uint32 // first pages by the name of the table or index
}

// What is read, by the names in sqlite_schema. An index that a constraint asks for is named so
// (fileformat2.html, 2.6.2).
const (
	validPaths  = "ValidPaths"                    // id, path, hash, registrationTime, deriver, narSize, ...
	pathIndex   = "sqlite_autoindex_ValidPaths_1" // path text unique: path, id
	refersIndex = "sqlite_autoindex_Refs_1"       // primary key (referrer, reference): these, and the rowid
)

// roots are the first pages of what is read.
func (f *file) roots() (map[string]uint32, error) {
	roots := map[string]uint32{}
	err := f.rows(1, func(v values) error { // sqlite_schema: type, name, tbl_name, rootpage, sql
		if name, ok := v.text(1); ok && slices.Contains([]string{validPaths, pathIndex, refersIndex}, name) {
			page, _ := v.int(3)
			roots[name] = uint32(min(max(page, 0), 1<<32-1))
		}
		return nil
	})
	if err == nil && len(roots) < 3 {
		err = f.wrong(0, "not a database of Nix: it has only %s", listed(slices.Sorted(maps.Keys(roots))))
	}
	return roots, err
}

func listed(names []string) string {
	if len(names) == 0 {
		return "other tables"
	}
	return strings.Join(names, " and ")
}

// id is the row of a path; 0 where there is none: SQLite gives out rows from 1 on.
func (s *store) id(path string) (id int64, err error) {
	err = s.matches(s.roots[pathIndex], func(v values) int {
		text, _ := v.text(0)
		return cmp.Compare(text, path)
	}, func(v values) error {
		id, _ = v.int(1)
		return nil
	})
	return id, err
}

// row is a record whose references are still rows.
type row struct {
	Record
	refs []int64
}

// row reads one row and what it refers to.
func (s *store) row(id int64) (*row, error) {
	v, err := s.lookup(s.roots[validPaths], id)
	if err != nil {
		return nil, err
	}
	r := &row{}
	var ok bool
	if r.Path, ok = v.text(1); !ok || !strings.HasPrefix(r.Path, "/") {
		return nil, s.wrong(0, "row %d of %s has no path", id, validPaths)
	}
	r.Deriver, _ = v.text(4)
	r.NarSize, _ = v.int(5)
	r.NarSize = min(max(r.NarSize, 0), maxNar)
	err = s.matches(s.roots[refersIndex], func(v values) int {
		referrer, _ := v.int(0)
		return cmp.Compare(referrer, id)
	}, func(v values) error {
		ref, _ := v.int(1)
		if r.refs = append(r.refs, ref); len(r.refs) > maxPaths {
			return s.wrong(0, "%s refers to more than %d store paths", r.Path, maxPaths)
		}
		return nil
	})
	return r, err
}
