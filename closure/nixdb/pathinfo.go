package nixdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
)

// pathInfo is one store path in the output of nix path-info --json.
type pathInfo struct {
	Path       string    `json:"path"` // of an array; and in its object, the whole path or the last part
	Valid      *bool     `json:"valid"`
	References *[]string `json:"references"`
	NarSize    int64     `json:"narSize"`
	Deriver    string    `json:"deriver"`
}

// ParsePathInfo reads what `nix path-info --json -r` printed, of any Nix or Lix: an array (up to Nix 2.18,
// Lix, and what exportReferencesGraph gives a build), an object by store path (from 2.19 on, --json-format
// 1), or one with "info" (--json-format 2 and later, where paths lack the store directory). The records
// are sorted by path; what Nix did not know is left out. The error is a [*FormatError].
func ParsePathInfo(data []byte) ([]Record, error) {
	storeDir, infos, err := pathInfos(data)
	if err != nil {
		return nil, notPathInfo(err)
	}
	records := map[string]Record{}
	for _, info := range infos {
		if info == nil || info.Valid != nil && !*info.Valid {
			continue
		}
		r, err := info.record(storeDir)
		if err != nil {
			return nil, notPathInfo(err)
		}
		records[r.Path] = r
	}
	return sorted(slices.Collect(maps.Values(records))), nil
}

func notPathInfo(err error) error {
	e := &FormatError{What: "not what nix path-info --json prints: " + err.Error()}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		e.Off = syntax.Offset
	}
	return e
}

// pathInfos are the store paths of an output, whatever its form.
func pathInfos(data []byte) (storeDir string, infos []*pathInfo, err error) {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		err = json.Unmarshal(data, &infos)
		return "", infos, err
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return "", nil, err
	}
	if text, ok := top["storeDir"]; ok {
		if err := json.Unmarshal(text, &storeDir); err != nil {
			return "", nil, err
		}
	}
	byPath := top
	if text, ok := top["info"]; ok {
		byPath = nil
		if err := json.Unmarshal(text, &byPath); err != nil {
			return "", nil, err
		}
	}
	for _, at := range slices.Sorted(maps.Keys(byPath)) {
		var info *pathInfo
		if at == "storeDir" || at == "version" {
			continue
		}
		if err := json.Unmarshal(byPath[at], &info); err != nil {
			return "", nil, fmt.Errorf("%s: %w", at, err)
		}
		if info != nil {
			info.Path = at
			infos = append(infos, info)
		}
	}
	return storeDir, infos, nil
}

func (i *pathInfo) record(storeDir string) (Record, error) {
	r := Record{Path: whole(storeDir, i.Path), NarSize: i.NarSize}
	switch {
	case !path.IsAbs(r.Path):
		return r, fmt.Errorf("%q is no store path", i.Path)
	case i.References == nil:
		return r, fmt.Errorf("%s has no references", r.Path)
	case i.NarSize < 0 || i.NarSize > maxNar:
		return r, fmt.Errorf("%s is of %d bytes", r.Path, i.NarSize)
	case i.Deriver != "":
		r.Deriver = whole(storeDir, i.Deriver)
	}
	for _, ref := range *i.References {
		if ref = whole(storeDir, ref); !path.IsAbs(ref) {
			return r, fmt.Errorf("%s refers to %q", r.Path, ref)
		}
		r.References = append(r.References, ref)
	}
	slices.Sort(r.References)
	r.References = slices.Compact(r.References)
	return r, nil
}

// whole is a store path with its store directory.
func whole(storeDir, p string) string {
	if storeDir == "" || p == "" || path.IsAbs(p) {
		return p
	}
	return path.Join(storeDir, p)
}
