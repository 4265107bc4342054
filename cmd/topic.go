package cmd

import (
	"embed"
	"strings"

	"github.com/spf13/cobra"
)

// The help topics: what no single verb's help can tell. Each is a file of its own, NAME.md, whose first
// line is "# NAME: what it tells"; `nixbundle help NAME` prints it as it is, and it is the manual page
// nixbundle-NAME(7). The sessions in it are tested as those of README.md are.
//
//go:embed topics/*.md
var topicFiles embed.FS

// topic is one help topic.
type topic struct {
	Name, Short string
	Text        string // the whole file
}

// topics are the help topics in the order of their names.
func topics() []topic {
	files, _ := topicFiles.ReadDir("topics") // what is embedded can be read
	list := make([]topic, 0, len(files))
	for _, f := range files {
		text, _ := topicFiles.ReadFile("topics/" + f.Name())
		title, _, _ := strings.Cut(string(text), "\n")
		name, short, _ := strings.Cut(strings.TrimPrefix(title, "# "), ": ")
		list = append(list, topic{name, short, string(text)})
	}
	return list
}

// addTopics gives the root its help topics: commands that only have a help.
func addTopics(root *cobra.Command) {
	var list strings.Builder
	list.WriteString("Topics, each with `nixbundle help TOPIC`:\n\n")
	for _, t := range topics() {
		root.AddCommand(&cobra.Command{Use: t.Name, Short: t.Short, Long: t.Text})
		list.WriteString("  " + t.Name + strings.Repeat(" ", max(1, 18-len(t.Name))) + t.Short + "\n")
	}
	root.AddCommand(&cobra.Command{Use: "topics", Short: "all topics", Long: list.String()})
}
