// Command mage is what `go tool mage` runs here. Windows lacks the file locks and signals that the commands need.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "mage: the commands run on Linux and macOS, and on Windows in WSL2 (https://learn.microsoft.com/windows/wsl/install): install it, take a checkout there, and run the command in it")
	os.Exit(1)
}
