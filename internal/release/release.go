// Package release says which release of modelvigil a program is.
package release

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker where the repository is out of the compiler's
// reach, as in the image:
// -ldflags="-X github.com/modelvigil/modelvigil/internal/release.version=v1.4.0".
var version string

// Line is what --version prints of a program: its name, its version, what it was
// compiled by and for. The version is what the linker was told, else what Go knows
// of the module: a tag, a commit, or "(devel)" where it knows neither.
func Line(program string) string {
	return fmt.Sprintf("%s %s %s %s/%s", program, of(version, debug.ReadBuildInfo), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func of(linked string, read func() (*debug.BuildInfo, bool)) string {
	if linked != "" {
		return linked
	}
	if info, ok := read(); ok && info.Main.Version != "" {
		return info.Main.Version
	}

	return "(devel)"
}
