package closure

import "io/fs"

// Item is a file or folder of the root that is taken along.
type Item struct {
	Path    string      // an absolute path inside the root, as it was named
	Entries []ItemEntry // sorted by Path, the item itself first
}

// ItemEntry is one file, folder or link of an item.
type ItemEntry struct {
	Path   string      // as text: Item.Path, or below it
	Mode   fs.FileMode // type and permissions
	Object *Object     // of a regular file; its Info is nil where it is no ELF file
	Target string      // of a link: where it leads, links resolved; "" where it dangles
}
