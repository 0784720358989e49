package demo

import (
	"testing"
	"time"
)

func TestX(t *testing.T) {
	start := time.Now()
	d, err := Open(t.Context(), Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(time.Since(start))
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
