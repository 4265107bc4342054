package bundle

import (
	"fmt"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Level is how hard a bundle is compressed; the zero value means [LevelDefault]. Every level is
// unpacked at the same speed, in the same 8 MiB of memory.
type Level string

// The levels, from the quickest to the smallest.
const (
	LevelFastest Level = "fastest" // about zstd -1
	LevelDefault Level = "default" // about zstd -3
	LevelBetter  Level = "better"  // about zstd -7
	LevelBest    Level = "best"    // about zstd -12
)

// ParseLevel is the level of that name; "" is the default one. The error names the choices.
func ParseLevel(s string) (Level, error) {
	if s == "" {
		return LevelDefault, nil
	}
	if _, err := Level(s).encoder(); err != nil {
		return "", err
	}
	return Level(s), nil
}

// encoder is the encoder's name for the level.
func (l Level) encoder() (zstd.EncoderLevel, error) {
	switch l {
	case LevelFastest:
		return zstd.SpeedFastest, nil
	case LevelDefault, "":
		return zstd.SpeedDefault, nil
	case LevelBetter:
		return zstd.SpeedBetterCompression, nil
	case LevelBest:
		return zstd.SpeedBestCompression, nil
	}
	return 0, fmt.Errorf("unknown level %q: it is one of %s", string(l), strings.Join(Levels(), ", "))
}

// Levels lists the levels by name, the quickest first.
func Levels() []string {
	return []string{string(LevelFastest), string(LevelDefault), string(LevelBetter), string(LevelBest)}
}
