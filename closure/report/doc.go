// Package report draws what the loader does with programs, and what goes wrong in it, for people to look at.
//
// [New] takes a closure and the findings that [closure.Check] has of it. [Report.WriteSVG], [Report.WriteDOT] and
// [Report.WriteMermaid] write a picture of each process; [Report.WriteHTML] writes one page that has the picture,
// what every object weighs, and the findings explained, and that needs nothing beside itself.
//
// The picture is the loader's own tree: an object hangs below the one whose need brought it first, since
// that is what decides which copy of a library a process has. Columns are the steps of the breadth-first walk. Of
// several hundred needs the others are left out and counted, but for those that findings are about; the page shows all
// needs of the object that is selected. A graph of all of them is no picture: the 769 needs of 215 objects of
// ffmpeg cross everywhere, and so do the 409 that no other needs imply.
//
// Names of files may hold anything. What cannot be seen of them is written as in a Go string, each format
// quotes them by its own rules, and the page's policy lets no script run but its own.
//
// What the package exports is listed in testdata/api/closure-report.txt; package closure says what is promised of it. How
// pictures and the page look may change with any version, and so may the names in them.
//
// The package does not walk, judge or open files; the same closure gives the same bytes.
package report
