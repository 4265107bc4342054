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

// topicNames are what the help topics are called, in order. No file is read for it.
func topicNames() []string {
	files, _ := topicFiles.ReadDir("topics") // what is embedded can be read
	names := make([]string, 0, len(files))
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".md"))
	}
	return names
}

// readTopic reads a help topic.
func readTopic(name string) topic {
	text, _ := topicFiles.ReadFile("topics/" + name + ".md")
	title, _, _ := strings.Cut(string(text), "\n")
	_, short, _ := strings.Cut(title, ": ")
	return topic{name, short, string(text)}
}

// topics are all help topics in the order of their names.
func topics() []topic {
	var list []topic
	for _, name := range topicNames() {
		list = append(list, readTopic(name))
	}
	return list
}

// addTopics gives the root its help topics: commands that only have a help, which describe gives them when
// somebody asks. A program that starts to do something else does not read them.
func addTopics(root *cobra.Command) {
	for _, name := range append(topicNames(), allTopics) {
		root.AddCommand(&cobra.Command{Use: name})
	}
}

// allTopics is the topic that lists the others.
const allTopics = "topics"

// describe gives a command that is a help topic its text.
func describe(c *cobra.Command) {
	switch {
	case !c.IsAdditionalHelpTopicCommand():
	case c.Name() == allTopics:
		var list strings.Builder
		list.WriteString("Topics, each with `nixbundle help TOPIC`:\n\n")
		for _, t := range topics() {
			list.WriteString("  " + t.Name + strings.Repeat(" ", max(1, 18-len(t.Name))) + t.Short + "\n")
		}
		c.Short, c.Long = "all topics", list.String()
	default:
		t := readTopic(c.Name())
		c.Short, c.Long = t.Short, t.Text
	}
}
