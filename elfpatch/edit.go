package elfpatch

// Edit is the wish; the zero value changes nothing.
type Edit struct {
	Interp        string            // the new PT_INTERP; "" keeps it
	Soname        string            // the new DT_SONAME; "" keeps it
	RunPath       string            // the new search list; "" keeps it. A DT_RPATH becomes DT_RUNPATH
	RPath         bool              // write RunPath as DT_RPATH instead; a DT_RUNPATH becomes DT_RPATH
	RemoveRunPath bool              // drop DT_RPATH and DT_RUNPATH
	ReplaceNeeded map[string]string // DT_NEEDED and the vn_file that names it; the position is kept
	AddNeeded     []string          // put before the present ones, in this order
	RemoveNeeded  []string          // dropped with what DT_VERNEED says of them
}
