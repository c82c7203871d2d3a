// Writes what the nats-server of go.mod makes of the transforms in cases.txt:
//
//	go run . <cases.txt >../transform-table.json
//
// A line of cases.txt: source, destination, then subjects, with blanks between; text as in a Go string, "" for nothing.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

type row struct {
	Source      string  `json:"source"`
	Destination string  `json:"destination"`
	Mapping     outcome `json:"mapping"`
	Import      outcome `json:"import"`
}

type outcome struct {
	Error   string             `json:"error,omitempty"`
	Results map[string]*string `json:"results,omitempty"`
}

type transformer interface{ Match(string) (string, error) }

func main() {
	rows := []row{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := split(lines.Text())
		if len(words) < 2 {
			continue
		}
		source, destination, subjects := words[0], words[1], words[2:]
		rows = append(rows, row{
			Source:      source,
			Destination: destination,
			Mapping: try(subjects, func() (transformer, error) {
				if err := server.ValidateMapping(source, destination); err != nil {
					return nil, err
				}
				return server.NewSubjectTransform(source, destination)
			}),
			Import: try(subjects, func() (transformer, error) { return server.NewSubjectTransformStrict(source, destination) }),
		})
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", " ")
	if err := out.Encode(map[string]any{"server": server.VERSION, "rows": rows}); err != nil {
		panic(err)
	}
}

func try(subjects []string, make func() (transformer, error)) outcome {
	transform, err := make()
	if err != nil {
		return outcome{Error: err.Error()}
	}
	results := map[string]*string{}
	for _, subject := range subjects {
		results[subject] = nil
		if mapped, err := transform.Match(subject); err == nil {
			results[subject] = &mapped
		}
	}
	return outcome{Results: results}
}

// Words are divided by blanks, those in quotes are Go strings.
func split(line string) []string {
	if strings.HasPrefix(line, "#") {
		return nil
	}
	words := []string{}
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		word, rest := "", ""
		if quoted, err := strconv.QuotedPrefix(line); err == nil {
			rest = line[len(quoted):]
			if word, err = strconv.Unquote(quoted); err != nil {
				panic(fmt.Sprint(line, err))
			}
		} else {
			word, rest, _ = strings.Cut(line, " ")
		}
		words = append(words, word)
		line = rest
	}
	return words
}
