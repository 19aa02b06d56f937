// Stands beside a receiver under test: what its work does, where the test can see it, and how it breaks.
package main

import (
	"errors"
	"os"
	"time"
)

func act(event Event) error {
	folder := os.Getenv("EFFECTS")
	time.Sleep(50 * time.Millisecond) // long enough for copies that arrive at once to meet
	if _, err := os.Stat(folder + "/broken"); err == nil {
		return errors.New("broken on purpose")
	}
	done, err := os.OpenFile(folder+"/processed", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer done.Close()
	_, err = done.WriteString(event.ID + "\n")
	return err
}
