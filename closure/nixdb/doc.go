// Package nixdb reads what Nix knows of store paths: which refer to which, and how large they are. [Read]
// takes it from Nix's own database, [ParsePathInfo] from what `nix path-info --json` printed.
//
// The database is a SQLite file. A SQLite library would want to lock it and to write beside it
// (db.sqlite-shm), which nobody but Nix may, and knows no io/fs.FS; two tables are read here instead,
// by SQLite's file format (sqlite.org/fileformat2.html), while Nix may be writing.
//
// What the package exports is listed in testdata/api/closure-nixdb.txt; package closure says what is promised of it.
//
// The package does not write, does not lock, does not read SQL, and knows no table but Nix's two.
package nixdb
