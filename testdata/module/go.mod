module example.org/shipcheck

go 1.26.0

require github.com/nixbundle/nixbundle v0.0.0

require (
	github.com/edsrzf/mmap-go v1.1.0 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/saferwall/binstream v0.1.1 // indirect
	github.com/saferwall/elf v0.3.1 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/nixbundle/nixbundle => ../..
