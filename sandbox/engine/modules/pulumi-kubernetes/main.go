// The provider of pulumi-kubernetes. The module's own main package embeds generated files that the
// module does not contain; this one embeds those that it does.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"time"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var mapping []byte

var version string // set by the linker

func main() {
	go endWith(os.Getppid())
	field := fmt.Sprintf(`{"version": %q,`, version)
	schema = bytes.Replace(schema, []byte("{"), []byte(field), 1)
	provider.Serve("kubernetes", version, schema, mapping)
}

// endWith ends the provider when the engine that started it was killed; by itself it would notice
// after five minutes.
func endWith(engine int) {
	for os.Getppid() == engine {
		time.Sleep(500 * time.Millisecond)
	}
	os.Exit(1)
}
