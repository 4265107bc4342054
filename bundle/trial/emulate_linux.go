package trial

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// opened is an emulator that can be started wherever its file is hidden.
type opened struct {
	*emulator
	file *os.File
}

// openEmulators opens every qemu; the program's own is the first.
func (j *job) openEmulators() ([]opened, error) {
	var list []opened
	if j.Emulator != nil {
		list = append(list, opened{emulator: j.Emulator})
	}
	for i := range j.Others {
		list = append(list, opened{emulator: &j.Others[i]})
	}
	for i := range list {
		var err error
		if list[i].file, err = os.Open(list[i].Path); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// emulate makes programs of another machine run: by binfmt_misc of this user namespace alone (Linux
// 6.7), so that what the program starts runs too; else by starting qemu itself.
func (j *job) emulate(qemus []opened, r *root, within string) error {
	err := register(qemus)
	switch {
	case err == nil || j.Emulator == nil:
		return nil
	case j.Launcher:
		return &Error{What: j.Program + " starts another program, which this kernel cannot give to qemu", Err: err,
			Do: "run it on Linux 6.7 or newer, and without --page-size where the machine is this one"}
	}
	const name = ".qemu"
	to, err := os.OpenFile(filepath.Join(within, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	defer to.Close()
	if _, err := io.Copy(to, qemus[0].file); err != nil {
		return err
	}
	r.emulator = filepath.Join("/", strings.TrimPrefix(within, r.dir), name)
	return to.Close()
}

const binfmt = "/proc/sys/fs/binfmt_misc"

// errNative: qemu itself would be run with qemu.
var errNative = errors.New("programs of this machine cannot be given to qemu by the kernel")

// register tells the kernel to run programs of other machines with qemu (Linux
// Documentation/admin-guide/binfmt-misc.rst): P keeps argv[0], F opens qemu now, so that it is found from
// inside the root.
func register(qemus []opened) error {
	if len(qemus) == 0 {
		return nil
	}
	if err := syscall.Mount("binfmt_misc", binfmt, "binfmt_misc", 0, ""); err != nil {
		return err
	}
	for _, q := range qemus {
		if q.Native {
			return errNative
		}
		if err := os.WriteFile(binfmt+"/register", []byte(q.rule()), 0o200); err != nil {
			return err
		}
	}
	return nil
}

// rule says which programs an emulator is for, and where it is.
func (q *opened) rule() string {
	magic := make([]byte, 20)
	copy(magic, elf.ELFMAG)
	magic[elf.EI_CLASS], magic[elf.EI_DATA], magic[elf.EI_VERSION] = byte(q.Class), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	binary.LittleEndian.PutUint16(magic[16:], uint16(elf.ET_EXEC))
	binary.LittleEndian.PutUint16(magic[18:], uint16(q.Machine))
	mask := []byte(strings.Repeat("\xff", len(magic)))
	mask[elf.EI_OSABI], mask[16] = 0, 0xfe // ET_EXEC and ET_DYN
	return fmt.Sprintf(":%s:M::%s:%s:/proc/self/fd/%d:PF", q.Name, escape(magic), escape(mask), q.file.Fd())
}

// escape writes bytes as the kernel reads them there: "\x7f".
func escape(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		fmt.Fprintf(&s, `\x%02x`, c)
	}
	return s.String()
}
