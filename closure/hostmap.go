//go:build linux && (amd64 || arm64 || riscv64)

package closure

import (
	"io"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"
)

// hostMap is a file as the kernel has it in memory. A file that was looked through stays mapped for as long as
// somebody has the root, so that who packs it afterwards has its bytes without a read. Pages are let go
// behind who reads, which costs no more than to fault them in again: a process shall not look as large as
// all that it has read.
type hostMap struct {
	data []byte
	st   syscall.Stat_t
}

// hostInode is a file's identity.
type hostInode struct{ dev, ino uint64 }

const (
	maxMaps = 1 << 13 // vm.max_map_count is 65530
	// mapWindow is how much of a file is in the process at a time, bytes.
	mapWindow = 8 << 20
)

// mapping is the map of a file, where it has one and is as it was.
func (r *hostRoot) mapping(st *syscall.Stat_t) *hostMap {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.maps[hostInode{st.Dev, st.Ino}]; m != nil && m.unchanged(st) {
		return m
	}
	return nil
}

// unchanged reports whether a file is still what was mapped.
func (m *hostMap) unchanged(st *syscall.Stat_t) bool {
	return m.st.Size == st.Size && m.st.Mtim == st.Mtim && m.st.Ctim == st.Ctim
}

// mapFile maps an open file; nil where that is not possible, or too many are mapped.
func (r *hostRoot) mapFile(fd int, st *syscall.Stat_t) *hostMap {
	if m := r.mapping(st); m != nil {
		return m
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := hostInode{st.Dev, st.Ino}
	if len(r.maps) >= maxMaps || r.maps[key] != nil || st.Size <= 0 || int64(int(st.Size)) != st.Size {
		return nil
	}
	data, err := syscall.Mmap(fd, 0, int(st.Size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil
	}
	if r.maps == nil {
		r.maps = map[hostInode]*hostMap{}
	}
	m := &hostMap{data: data, st: *st}
	r.maps[key] = m
	return m
}

// writeTo gives a file's bytes to w, window by window: the kernel reads the next one meanwhile.
func (f *hostFile) writeTo(w io.Writer, size int64) (ok bool, err error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(f.fd, &st); err != nil || st.Size != size {
		return false, nil // to read says why
	}
	m := f.root.mapFile(f.fd, &st)
	if m == nil {
		return false, nil
	}
	defer runtime.KeepAlive(f)
	for rest := m.data; len(rest) > 0; {
		window := rest[:min(mapWindow, len(rest))]
		rest = rest[len(window):]
		if len(rest) > 0 {
			_ = syscall.Madvise(rest[:min(mapWindow, len(rest))], syscall.MADV_WILLNEED)
		}
		err := inMemory(window, func() error {
			for piece := window; len(piece) > 0; piece = piece[min(pieceSize, len(piece)):] {
				if _, err := w.Write(piece[:min(pieceSize, len(piece))]); err != nil {
					return err
				}
			}
			return nil
		})
		_ = syscall.Madvise(window, syscall.MADV_DONTNEED)
		if err != nil {
			return true, err
		}
	}
	return true, f.asLong(size)
}

// readMapped copies from the map of the file; ok is false for what is not in it.
func (f *hostFile) readMapped(p []byte, off int64) (ok bool, err error) {
	m := f.mapped
	if m == nil || off < 0 || off > int64(len(m.data)) || int64(len(p)) > int64(len(m.data))-off {
		return false, nil
	}
	defer runtime.KeepAlive(f)
	from := m.data[off : off+int64(len(p))]
	if err := inMemory(from, func() error { copy(p, from); return nil }); err != nil {
		return true, err
	}
	end := off + int64(len(p))
	if from := off / mapWindow * mapWindow; end/mapWindow*mapWindow > from {
		_ = syscall.Madvise(m.data[from:end/mapWindow*mapWindow], syscall.MADV_DONTNEED)
	}
	if end == int64(len(m.data)) {
		return true, f.asLong(end)
	}
	return true, nil
}

// unmapped lets the pages go that a reader of the map may have left.
func (f *hostFile) unmapped() {
	if f.mapped != nil {
		_ = syscall.Madvise(f.mapped.data, syscall.MADV_DONTNEED)
		f.mapped = nil
	}
}

// asLong checks that a file has not been cut meanwhile: its last page would go on in zeros.
func (f *hostFile) asLong(size int64) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(f.fd, &st); err == nil && st.Size < size {
		return ErrChanged
	}
	return nil
}

// inMemory calls do, which reads mapped bytes. Where those are gone, since the file has been cut or its disk
// fails, the kernel sends SIGBUS: that becomes an error.
func inMemory(mapped []byte, do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		panicked := recover()
		if panicked == nil {
			return
		}
		fault, ok := panicked.(interface{ Addr() uintptr }) // runtime/debug.SetPanicOnFault
		begin := uintptr(unsafe.Pointer(unsafe.SliceData(mapped)))
		if !ok || fault.Addr()-begin >= uintptr(len(mapped)) {
			panic(panicked)
		}
		err = ErrChanged
	}()
	return do()
}
