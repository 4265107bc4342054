package closure

// StorePath is one entry of the store directory: DIGEST-NAME (Nix manual, "Store Path").
type StorePath struct {
	Dir    string // the store directory, "/nix/store"
	Digest string // 32 characters of Nix's base-32 alphabet
	Name   string // "protobuf-aarch64-unknown-linux-gnu-3.21.9"
}
